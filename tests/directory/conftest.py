"""The world that reading tests look at."""

import pytest

from tests.reading.scene import World


@pytest.fixture
async def world(engine, database_settings):
    """An empty world."""
    made = World(engine, database_settings)
    yield made
    await made.client.aclose()
    await made.app.state.waker.close()
