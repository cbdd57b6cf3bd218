"""One service a worker, on a database of its own; every test finds it without referrals.

It is 10 o'clock in California on Friday, 20 November 2026, unless a test says otherwise.
"""

import asyncio

import pytest
import pytest_asyncio

from app.base.settings import Settings
from tests.journeys.service import furnish, serving
from tests.postgres import token
from tests.receiver import Receiver, Reply


@pytest_asyncio.fixture(scope="session")
async def running(cluster):
    url = await asyncio.to_thread(cluster.create, token())
    settings = Settings(
        database_url=url,
        database_wait_s=30,  # what is raced here is decided, however busy the machine is
        token_secret="journeys " * 8,
        log_level="INFO",
        checked_members_per_day=1_000_000,  # who asks too much is in tests/limits
        checked_misses_per_hour=1_000_000,
    )
    async with Receiver() as receiver:
        settings = settings.model_copy(update={"webhook_allow_private": receiver.allowed})
        await furnish(settings)
        async with serving(settings) as service:
            service.receiver = receiver
            yield service


@pytest.fixture
async def service(running):
    running.forget_old_tokens()
    running.at("2026-11-20T10:00-08:00")
    running.receiver.received.clear()
    running.receiver.answer = lambda _: Reply()
    yield running
    await running.empty()


@pytest.fixture
def receiver(service):
    return service.receiver
