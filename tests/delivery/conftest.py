"""The delivery tests' database, emptied before each test."""

import os

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from app.database import database_url
from app.settings import Settings
from app.tables import metadata
from tests.delivery.scene import Scene
from tests.receiver import Receiver

ADMIN = os.environ.get("DELIVERY_TEST_URL", "postgresql://postgres@127.0.0.1:55432/postgres")


@pytest.fixture(scope="session")
async def delivery_url():
    name = f"delivery_{os.getpid()}"
    admin = await asyncpg.connect(ADMIN)
    await admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    await admin.execute(f"CREATE DATABASE {name}")
    url = ADMIN.rsplit("/", 1)[0] + "/" + name
    engine = create_async_engine(database_url(url))
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    await engine.dispose()
    yield url
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


@pytest.fixture
async def scene(delivery_url):
    connection = await asyncpg.connect(delivery_url)
    await connection.execute("TRUNCATE webhook_endpoint, message, delivery, attempt CASCADE")
    settings = Settings(
        database_url=delivery_url, migration_database_url=delivery_url, token_secret="t" * 32
    )
    yield Scene(connection, settings)
    await connection.close()


@pytest.fixture
async def receiver(scene):
    async with Receiver() as running:
        scene.allow(running.target)
        yield running
