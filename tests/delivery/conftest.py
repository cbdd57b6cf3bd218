"""The delivery tests' scene: this worker's empty database, a receiver, the API over both."""

import asyncpg
import pytest

from app.settings import Settings
from tests.delivery.scene import Scene
from tests.postgres import plain
from tests.receiver import Receiver


@pytest.fixture
async def scene(database_url):
    connection = await asyncpg.connect(plain(database_url))
    yield Scene(connection, Settings(database_url=database_url, token_secret="t" * 32))
    await connection.close()


@pytest.fixture
async def receiver(scene):
    async with Receiver() as running:
        scene.allow(running.target)
        yield running
