"""The delivery tests' scene: this worker's empty database, a receiver, the API over both."""

import time
from contextlib import AsyncExitStack

import asyncpg
import httpx
import pytest

from app.api.deployment import deployment_of
from app.api.webhooks import PREFIX
from app.base.settings import Settings
from app.journey.notification.wake import Waker
from app.main import create_app
from app.model.caller import Caller
from app.store.database import driver_url
from tests.delivery.scene import HOSPITAL, Scene
from tests.deployed import start
from tests.receiver import Receiver


@pytest.fixture
async def scene(database_url):
    connection = await asyncpg.connect(driver_url(database_url))
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
async def api(scene, receiver, database):
    """Clients of the API by organization: `await api("org-tidepool")`."""
    app = create_app(scene.settings, clock=scene.clock)
    start(app, database)
    waker = Waker(database)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(waker.close)

        async def client(organization: str = HOSPITAL) -> Client:
            caller = Caller("a-client", organization, None, frozenset({"system/*.cruds"}))
            token = deployment_of(app).tokens.issue(caller, time.time())
            return await stack.enter_async_context(
                Client(
                    transport=httpx.ASGITransport(app),
                    base_url="http://here",
                    headers={"Authorization": f"Bearer {token}"},
                )
            )

        yield client
