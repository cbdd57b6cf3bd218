"""Services on databases of their own, which a test may take away from them."""

import asyncio
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from app.base.settings import Settings
from tests.faults.wire import Wire
from tests.journeys.conftest import running, service
from tests.journeys.service import furnish, serving
from tests.postgres import token

__all__ = ["running", "service"]


@pytest.fixture
async def ending():
    async with AsyncExitStack() as stack:
        yield stack


def settings_for(url: str, **more: object) -> Settings:
    return Settings(database_url=url, token_secret="faults " * 8, **more)


@pytest.fixture
async def wired(cluster, ending):
    """A service with one connection, led through a wire."""
    url = await asyncio.to_thread(cluster.create, token())
    folder = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="wire-")))
    await furnish(settings_for(url))
    wire = await ending.enter_async_context(Wire(url, folder))
    service = await ending.enter_async_context(
        serving(settings_for(wire.url, database_pool_size=1), store=url)
    )
    service.at("2026-11-20T10:00-08:00")
    service.wire = wire
    return service
