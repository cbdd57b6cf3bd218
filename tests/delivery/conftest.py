"""The delivery tests' scene: this worker's empty database, a receiver, the API over both."""

import time
from contextlib import AsyncExitStack

import asyncpg
import httpx
import pytest

from app.caller.model import Caller
from app.main import create_app
from app.notification.owned import PREFIX
from app.notification.wake import Waker
from app.policy.library import load_library
from app.rules import rules
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


class Client(httpx.AsyncClient):
    """A client whose paths begin at the webhook endpoints."""

    async def request(self, method, url, **more):
        return await super().request(method, PREFIX + url, **more)


@pytest.fixture
async def api(scene, receiver, engine):
    """Clients of the API by organization: `await api("org-tidepool")`."""
    app = create_app(scene.settings, clock=scene.clock)
    app.state.engine, app.state.waker = engine, Waker(scene.settings)
    app.state.rules = rules(scene.settings, load_library())
    async with AsyncExitStack() as stack:
        stack.push_async_callback(app.state.waker.close)

        async def client(organization: str = HOSPITAL) -> Client:
            caller = Caller("a-client", organization, None, frozenset({"system/*.cruds"}))
            token = app.state.tokens.issue(caller, time.time())
            return await stack.enter_async_context(
                Client(
                    transport=httpx.ASGITransport(app),
                    base_url="http://here",
                    headers={"Authorization": f"Bearer {token}"},
                )
            )

        yield client
