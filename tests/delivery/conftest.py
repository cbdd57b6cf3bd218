"""The delivery tests' scene: this worker's empty database, a receiver, the API over both."""

import time
from contextlib import AsyncExitStack

import asyncpg
import httpx
import pytest

from app.caller.model import Caller
from app.main import create_app
from app.settings import Settings
from tests.delivery.scene import HOSPITAL, Scene
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


@pytest.fixture
async def api(scene, receiver):
    """Clients of the API by organization: `api("org-harbor-lantern")`."""
    async with AsyncExitStack() as stack:
        app = create_app(scene.settings, clock=scene.clock)
        await stack.enter_async_context(app.router.lifespan_context(app))

        async def client(organization: str = HOSPITAL) -> httpx.AsyncClient:
            caller = Caller("a-client", organization, None, frozenset())
            token = app.state.tokens.issue(caller, time.time())
            return await stack.enter_async_context(
                httpx.AsyncClient(
                    transport=httpx.ASGITransport(app),
                    base_url="http://here/v1/webhook-endpoints",
                    headers={"Authorization": f"Bearer {token}"},
                )
            )

        yield client
