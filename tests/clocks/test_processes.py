"""The service and two workers as processes: a file moves their clock, and each alarm fires once."""

import asyncio
import os
import sys
from contextlib import AsyncExitStack, asynccontextmanager

import asyncpg
import httpx
import pytest

from app.base.settings import Settings
from app.store.database import driver_url
from tests.faults.processes import ROOT, free_port
from tests.journeys.payloads import EXTRA, incomplete
from tests.journeys.service import JSON, furnish

DAY = 86400


@asynccontextmanager
async def process(command, environment, log):
    """`python -m app <command>` until the end of the block."""
    with log.open("ab") as said:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "app",
            command,
            cwd=ROOT,
            env=environment,
            stdout=said,
            stderr=said,
        )
    try:
        yield child
    finally:
        if child.returncode is None:
            child.terminate()
        async with asyncio.timeout(20):
            await child.wait()


async def until(found, seconds=60):
    """Returns when `await found()` is true. Asks the database, so time here is the machine's."""
    async with asyncio.timeout(seconds):
        while not await found():  # noqa: ASYNC110  another process's work
            await asyncio.sleep(0.1)


@pytest.mark.timeout(240)
async def test_weeks_pass_for_running_processes_and_nothing_fires_twice(fresh_database, tmp_path):
    settings = Settings(database_url=fresh_database)
    await furnish(settings)
    offset, port = tmp_path / "offset", free_port()
    offset.write_text("0")
    base = f"http://127.0.0.1:{port}"
    environment = os.environ | {
        "DATABASE_URL": fresh_database,
        "MIGRATION_DATABASE_URL": "",
        "PORT": str(port),
        "PUBLIC_URL": base,
        "TOKEN_SECRET": "clocks " * 8,
        "DEMONSTRATION": "true",
        "CLOCK_OFFSET_FILE": str(offset),
    }
    store = await asyncpg.connect(driver_url(fresh_database))
    async with AsyncExitStack() as running:
        http = await running.enter_async_context(httpx.AsyncClient(base_url=base, timeout=30))
        await running.enter_async_context(process("serve", environment, tmp_path / "serve"))
        await until(lambda: alive(http))
        referrals = [await refer(http, cin) for cin in EXTRA[:5]]
        for name in ("one", "two"):
            await running.enter_async_context(process("deliver", environment, tmp_path / name))
        assert await count(store, "referral_history", "event = 'void'") == 0
        offset.write_text(str(21 * DAY))
        await until(lambda: all_void(store, len(referrals)))
        # The service is in the same week: its token of three weeks ago has run out.
        assert await refer(http, EXTRA[5])
        asked = await count(store, "referral", "state = 'pending' AND void_due > now() + '14 days'")
        assert asked == 1
    assert await count(store, "referral_history", "event = 'void'") == len(referrals)
    assert await count(store, "message", "event_type = 'referral.voided'") == len(referrals)
    assert await count(store, "message", "event_type = 'referral.overdue'") <= len(referrals)
    await store.close()


async def alive(http):
    try:
        return (await http.get("/health/live")).status_code == 200
    except httpx.TransportError:
        return False


async def refer(http, cin):
    """Posts a referral that says too little, with a token of its own."""
    granted = await http.post(
        "/oauth/token",
        data={"grant_type": "client_credentials"},
        auth=("hospital", "demo-hospital"),
    )
    headers = {**JSON, "Authorization": f"Bearer {granted.json()['access_token']}"}
    answer = await http.post("/fhir/ServiceRequest", json=incomplete(cin), headers=headers)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


async def count(store, table, condition):
    return await store.fetchval(f"SELECT count(*) FROM {table} WHERE {condition}")


async def all_void(store, wanted):
    return await count(store, "referral", "state = 'void'") == wanted
