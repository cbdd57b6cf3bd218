"""Two services and two workers are killed at random, and begun again; the record is whole.

Every access that was answered has its row, every move too, and each chain verifies. How many is
`RECORD_ACCESSES` (`make record`: two thousand), where the kills hit follows from `RECORD_SEED`.
"""

import asyncio
import os
import random
import sys
from collections import Counter
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import asyncpg
import httpx
import orjson
import pytest

from app.store.audit.seal import chains, seal_all
from app.store.audit.verify import verify
from app.store.database import driver_url, opened
from tests.faults.conftest import settings_for
from tests.faults.processes import Process, token
from tests.journeys.payloads import EXTRA, a_referral, visits_before
from tests.journeys.service import furnish

ACCESSES = int(os.environ.get("RECORD_ACCESSES") or 300)
#: One access in so many is a referral, and one kill falls on so many accesses.
REFER_EVERY, KILL_EVERY = 8, max(60, ACCESSES // 40)
CLIENTS, KILLS = 6, 3

MOVES = "SELECT count(*) FROM audit_event WHERE interaction = 'create'"


@pytest.fixture
def chance():
    seed = int(os.environ.get("RECORD_SEED") or random.randrange(10**6))
    sys.stdout.write(f"RECORD_SEED={seed}\n")  # pytest shows it with a failure
    return random.Random(seed)


class Callers:
    """Clients that ask two services, until enough were answered, and enough killed."""

    def __init__(self, services, headers, chance):
        self._services, self.headers, self._chance = services, headers, chance
        self._referrals = []
        self._sent = 0
        self.answered = []
        self.kills = 0
        self.refused = Counter()

    @property
    def done(self):
        return len(self.answered) >= ACCESSES and self.kills >= KILLS

    async def ask(self, http):
        while not self.done:
            self._sent += 1
            number = self._sent
            base = self._chance.choice(self._services).base
            headers = {**self.headers, "X-Request-ID": f"k-{number}"}
            try:
                answer = await self._one(http, base, headers, number)
            except httpx.TransportError:
                await asyncio.sleep(0.02)
                continue
            if answer.status_code not in (200, 201):
                self.refused[answer.status_code] += 1
                await asyncio.sleep(0.02)
                continue
            self.answered.append(f"k-{number}")

    async def _one(self, http, base, headers, number):
        if not self._referrals or number % REFER_EVERY == 0:
            visits = visits_before(datetime.now(UTC))
            body = a_referral(EXTRA[number % 40], visits=visits, identifier=f"K-{number}")
            path = f"{base}/fhir/ServiceRequest"
            answer = await http.post(path, content=orjson.dumps(body), headers=headers)
            if answer.status_code == 201:
                self._referrals.append(answer.json()["id"])
            return answer
        referral = self._chance.choice(self._referrals)
        wanted = self._chance.choice((f"Task/{referral}", f"ServiceRequest?_id={referral}"))
        return await http.get(f"{base}/fhir/{wanted}", headers=headers)


async def kill_at_random(processes, callers, chance):
    while not callers.done:
        await asyncio.sleep(0.01)
        if len(callers.answered) < callers.kills * KILL_EVERY:
            continue
        one = chance.choice(processes)
        await one.kill()
        callers.kills += 1
        await one.begin()
        if one.command == "serve":
            await one.answering()
            callers.headers = await token(one.base, "hospital")


@pytest.mark.timeout(900)
async def test_killed_at_random_no_access_is_without_its_row(fresh_database, tmp_path, chance):
    settings = settings_for(fresh_database)
    await furnish(settings)
    one_name = {"public_url": "http://record.example"}  # a token of one is good at the other
    services = [Process(fresh_database, tmp_path / f"s{n}", **one_name) for n in range(2)]
    workers = [Process(fresh_database, tmp_path / f"w{n}", command="deliver") for n in range(2)]
    async with AsyncExitStack() as stack:
        for one in (*services, *workers):
            await one.begin()
            stack.push_async_callback(one.end)
        for one in services:
            await one.answering()
        callers = Callers(services, await token(services[0].base, "hospital"), chance)
        async with httpx.AsyncClient(timeout=20) as http:
            killing = asyncio.create_task(kill_at_random((*services, *workers), callers, chance))
            await asyncio.gather(*(callers.ask(http) for _ in range(CLIENTS)))
            await killing
    assert set(callers.refused) <= {503}
    later = datetime.now(UTC) + timedelta(hours=1)
    async with opened(settings, size=1) as database:
        await seal_all(database, later)
        heads = [await verify(database, plan, later) for plan in await chains(database)]
    store = await asyncpg.connect(driver_url(fresh_database))
    try:
        rows = Counter(r["request_id"] for r in await store.fetch("SELECT * FROM audit_event"))
        sealed = await store.fetchval("SELECT sum(cardinality(events)) FROM audit_seal")
        moves, received = (
            await store.fetchval(MOVES),
            await store.fetchval("SELECT count(*) FROM referral"),
        )
    finally:
        await store.close()
    assert [name for name in callers.answered if rows[name] != 1] == []
    assert sum(head.seq for head in heads) == sealed == rows.total()
    assert moves == received
