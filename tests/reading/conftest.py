"""The world that reading tests look at."""

import pytest

from app.api.deployment import deployment_of
from tests.reading.scene import World


@pytest.fixture
async def world(engine, database_settings):
    """An empty world."""
    made = World(engine, database_settings)
    yield made
    await made.client.aclose()
    await deployment_of(made.app).waker.close()
