"""The world that reading tests look at."""

import pytest

from tests.reading.scene import World


@pytest.fixture
async def world(database, database_settings):
    """An empty world."""
    made = World(database, database_settings)
    yield made
    await made.client.aclose()
