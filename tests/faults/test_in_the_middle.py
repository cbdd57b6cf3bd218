"""The one statement that writes a referral stands still in its middle, and somebody is killed.

It stands still because the test holds the rows of all offers: by then the referral's own row is
written.
"""

import asyncio
import os
import signal
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import asyncpg
import httpx
import orjson
import pytest

from app.store.database import driver_url
from tests.faults.conftest import settings_for
from tests.faults.processes import process, token
from tests.journeys.payloads import EXTRA, a_referral, visits_before
from tests.journeys.service import furnish

WAITING = """SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'
    AND query LIKE 'WITH %' AND datname = current_database()"""
#: Tables with rows of every decided referral, and the places that are taken.
COUNTS = """SELECT (SELECT count(*) FROM referral), (SELECT count(*) FROM referral_history),
    (SELECT count(*) FROM service_authorization), (SELECT count(*) FROM idempotency_key),
    (SELECT count(*) FROM message), (SELECT sum(taken)::int FROM offer)"""
NOTHING, ALL = (0, 0, 0, 0, 0, 0), (1, 2, 1, 1, 3, 1)


@asynccontextmanager
async def held(url):
    """Nobody takes a place within the block; yields who waits for one."""
    holder, watcher = [await asyncpg.connect(driver_url(url)) for _ in range(2)]

    async def waiting() -> int:
        async with asyncio.timeout(10):
            while (pid := await watcher.fetchval(WAITING)) is None:  # noqa: ASYNC110  not ours
                await asyncio.sleep(0.01)
        return pid

    try:
        await holder.execute("BEGIN")
        await holder.execute("SELECT 1 FROM offer FOR UPDATE")
        yield waiting
    finally:
        holder.terminate()
        watcher.terminate()


async def counts(url):
    connection = await asyncpg.connect(driver_url(url))
    try:
        return tuple(await connection.fetchrow(COUNTS))
    finally:
        await connection.close()


class Client:
    """Posts one referral under one key, and posts it again where no answer came."""

    def __init__(self, http: httpx.AsyncClient, headers: dict[str, str]) -> None:
        self.http = http
        self._headers = {**headers, "Idempotency-Key": "middle"}
        self._body = orjson.dumps(a_referral(EXTRA[0], visits=visits_before(datetime.now(UTC))))

    async def post(self):
        try:
            return await self.http.post(
                "/fhir/ServiceRequest", content=self._body, headers=self._headers
            )
        except httpx.TransportError:
            return None


@asynccontextmanager
async def client_of(service):
    await service.answering()
    async with httpx.AsyncClient(base_url=service.base, timeout=20) as http:
        yield Client(http, await token(service.base, "hospital"))


async def test_the_service_is_killed_and_all_is_there_or_nothing(fresh_database, tmp_path):
    await furnish(settings_for(fresh_database))
    async with (
        process(fresh_database, tmp_path / "log") as service,
        client_of(service) as client,
        held(fresh_database) as waiting,
    ):
        asking = asyncio.create_task(client.post())
        await waiting()
        await service.kill()
        assert await asking is None
    assert await counts(fresh_database) in (NOTHING, ALL)
    async with process(fresh_database, tmp_path / "log") as service, client_of(service) as client:
        assert (await client.post()).status_code == 201
    assert await counts(fresh_database) == ALL


@pytest.mark.parametrize("kill", ["session", "server"])
async def test_the_database_is_killed_and_nothing_is_there(own_postgres, tmp_path, kill):
    """The session alone, or (by the kernel) its process: then PostgreSQL begins anew."""
    url = own_postgres.url
    await furnish(settings_for(url))
    async with process(url, tmp_path / "log") as service, client_of(service) as client:
        async with held(url) as waiting:
            asking = asyncio.create_task(client.post())
            pid = await waiting()
            os.kill(pid, signal.SIGTERM if kill == "session" else signal.SIGKILL)
            answer = await asking
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
        async with asyncio.timeout(30):
            while (await client.http.get("/health/ready")).status_code != 200:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert await counts(url) == NOTHING
        assert (await client.post()).status_code == 201
        assert await counts(url) == ALL
