"""Half an hour without the hospital's receiver, while everything else goes on: four API processes
take referrals, two workers deliver and are killed. A file is everybody's clock.

What moves the clock, kills a worker or restarts PostgreSQL is how much is done, never how much time
has passed.
"""

import asyncio
import random
from collections.abc import Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import httpx
import orjson

from app.base.settings import Settings
from app.store.database import driver_url
from bench.bodies import PERFORMERS, cin, referral
from bench.enlarge import enlarge, performers_listen
from tests.faults.processes import Process, free_port, token
from tests.journeys.payloads import incomplete
from tests.journeys.service import JSON, furnish
from tests.receiver import Received, Receiver

MINUTES = 30
#: Those who refer, in turns, and where they are told: the hospital's receiver is away.
REFERRERS = ("hospital", "practice")
#: Clients that are party to nothing: another organization, another performer, another plan.
STRANGERS = ("community", "ecm-provider", "staff-hpsj")
#: Who hears which messages of a referral, in order.
ALL, NOT_THE_PERFORMER = ("requester", "performer", "plan"), ("requester", "plan")
STORIES = {
    "approved": (
        ("referral.received", ALL),
        ("referral.approved", ALL),
        ("service.assigned", ALL),
    ),
    "incomplete": (
        ("referral.received", ALL),
        ("referral.information_requested", NOT_THE_PERFORMER),
    ),
}
_WAITING = """SELECT count(*), min(due) FILTER (WHERE due > $1)
FROM (SELECT greatest(next_attempt_at, lease_until) AS due FROM delivery
      WHERE state IN ('pending', 'held')) AS waiting"""


def story(number: int) -> str:
    """Every fifth referral says too little."""
    return "incomplete" if number % 5 == 4 else "approved"


def referrals_for(messages: int) -> int:
    """How many referrals write at least so many messages."""
    found = 0
    while messages > 0:
        messages -= len(STORIES[story(found)])
        found += 1
    return found


class Outage:
    """The processes and receivers on one database. Times are the moved clock's."""

    def __init__(self, server: Any, folder: Path, referrals: int, seed: int) -> None:
        self.server, self.folder = server, folder
        self.referrals = referrals
        self.chance = random.Random(seed)
        self.away = Receiver(free_port())
        self.healthy = Receiver()
        self.ids: dict[int, str] = {}
        self.kills = 0
        self._offset = folder / "offset"
        self._moved = timedelta()
        self._settings: dict[str, Any] = {}
        self._bearers: dict[str, asyncio.Task[dict[str, str]]] = {}

    # --- who takes part ---

    @asynccontextmanager
    async def running(self):
        """Everything but the hospital's receiver."""
        self.move(timedelta())
        await furnish(Settings(database_url=self.server.url), extra=())
        async with self.store() as connection:
            await enlarge(connection, self.referrals)
        async with AsyncExitStack() as ending:
            await ending.enter_async_context(self.healthy)
            self._settings = {
                "clock_offset_file": self._offset,
                "public_url": "http://127.0.0.1:1",  # one service to the world: one audience
                "webhook_allow_private": f"{self.away.allowed},{self.healthy.allowed}",
            }
            self.apis = [await self._begin(ending, "serve", n) for n in range(4)]
            await asyncio.gather(*(api.answering() for api in self.apis))
            await self._listen()
            self.workers = [await self._begin(ending, "deliver", n) for n in range(2)]
            yield
            for worker in self.workers:
                await worker.end()

    async def _begin(self, ending: AsyncExitStack, command: str, number: int) -> Process:
        log = self.folder / f"{command}-{number}"
        process = Process(self.server.url, log, command=command, **self._settings)
        await process.begin()
        ending.push_async_callback(process.end)
        return process

    @asynccontextmanager
    async def store(self):
        """The owner's look into the database, which may have been restarted since the last."""
        connection = await asyncpg.connect(driver_url(self.server.url))
        try:
            yield connection
        finally:
            await connection.close()

    async def rows(self, sql: str, *values: Any) -> list[Any]:
        async with self.store() as connection:
            return await connection.fetch(sql, *values)

    async def _listen(self) -> None:
        await self._endpoint("hospital", self.away)
        for client in ("staff-hpsm", *STRANGERS):
            await self._endpoint(client, self.healthy)
        like = await self._endpoint("practice", self.healthy)
        async with self.store() as connection:
            await performers_listen(connection, self.healthy.url("performer-"), like)

    async def _endpoint(self, client: str, receiver: Receiver) -> str:
        headers = await token(self.apis[0].base, client) | {"Content-Type": "application/json"}
        wanted = {"url": receiver.url(client), "send_test": False}
        async with (
            aiohttp.ClientSession(self.apis[0].base, headers=headers) as http,
            http.post("/v1/webhook-endpoints", json=wanted) as answer,
        ):
            assert answer.status == 201, await answer.text()
            return (await answer.json())["id"]

    # --- the clock ---

    def move(self, to: timedelta) -> None:
        self._moved = to
        new = self._offset.with_suffix(".new")
        new.write_text(str(to.total_seconds()))
        new.rename(self._offset)

    def now(self) -> datetime:
        return datetime.now(UTC) + self._moved

    # --- what happens ---

    async def write(self) -> None:
        """All referrals, four under way at each process; half an hour passes as they are taken."""
        left = iter(range(self.referrals))

        async def work(http: aiohttp.ClientSession, api: Process) -> None:
            for number in left:
                self.ids[number] = await self._refer(http, api, number)
                minute = timedelta(minutes=MINUTES * len(self.ids) // self.referrals)
                if minute > self._moved:
                    self.move(minute)

        async with aiohttp.ClientSession() as http:
            await asyncio.gather(*(work(http, api) for api in self.apis for _ in range(4)))

    async def _refer(self, http: aiohttp.ClientSession, api: Process, number: int) -> str:
        """The referral's id. Repeats as a client does that is not answered, or told to wait."""
        client = REFERRERS[number % 2]
        headers = {**JSON, "Idempotency-Key": f"outage-{number}"}
        sent = body(number)  # once: it says when it was written
        while True:
            try:
                bearer = await self._bearer(client)
                async with http.post(
                    f"{api.base}/fhir/ServiceRequest", data=sent, headers=headers | bearer
                ) as answer:
                    if answer.status == 201:
                        return (await answer.json(content_type=None))["id"]
                    if answer.status == 401:  # good for five minutes; it may last longer than that
                        self._bearers.pop(client, None)
                    else:
                        assert answer.status in (409, 503), await answer.text()
                        assert "Retry-After" in answer.headers
            except aiohttp.ClientError:
                pass
            except httpx.HTTPError:
                self._bearers.pop(client, None)
            await asyncio.sleep(0.05)

    async def _bearer(self, client: str) -> dict[str, str]:
        """A token that all processes take."""
        if client not in self._bearers:
            self._bearers[client] = asyncio.create_task(token(self.apis[0].base, client))
        return await self._bearers[client]

    async def kill(self, times: int, count: Callable[[], int], first: int, last: int) -> None:
        """Kills either worker at random moments, which are counts of what has arrived: so it is at
        work then.
        """
        for point in sorted(self.chance.sample(range(first, last), times)):
            await reached(lambda point=point: count() >= point)
            worker = self.chance.choice(self.workers)
            await worker.kill()
            self.kills += 1
            await worker.begin()

    async def restart(self, points: list[int]) -> None:
        """PostgreSQL ends and comes back, while referrals are written: first as in a power cut."""
        for number, point in enumerate(points):
            await reached(lambda point=point: len(self.ids) >= point)
            await asyncio.to_thread(self.server.stop, immediately=number == 0)
            await asyncio.to_thread(self.server.start)

    async def recover(self) -> None:
        """The hospital's receiver is back. When nothing more comes, time goes on to the next retry,
        or to the end of the next lease that a killed worker left, until everything is delivered.
        """
        seen = -1
        while True:
            ((left, due),) = await self.rows(_WAITING, self.now())
            if not left:
                return
            arrived = len(self.away.received) + len(self.healthy.received)
            if arrived == seen and due is not None:
                self.move(self._moved + (due - self.now()) + timedelta(seconds=1))
            seen = arrived
            await asyncio.sleep(0.2)

    # --- what came of it ---

    def told(self) -> dict[str, list[Received]]:
        """What arrived, in order, by whose endpoint it arrived at."""
        found: dict[str, list[Received]] = {}
        for one in [*self.away.received, *self.healthy.received]:
            found.setdefault(one.path[1:], []).append(one)
        return found

    def expected(self) -> dict[str, dict[str, list[str]]]:
        """Endpoint → referral → the types of its messages, in order."""
        found: dict[str, dict[str, list[str]]] = {}
        for number, id_ in self.ids.items():
            who = {
                "requester": REFERRERS[number % 2],
                "performer": f"performer-{number % PERFORMERS}",
                "plan": "staff-hpsm",
            }
            for kind, roles in STORIES[story(number)]:
                for role in roles:
                    found.setdefault(who[role], {}).setdefault(id_, []).append(kind)
        return found


def body(number: int) -> bytes:
    if story(number) == "approved":
        return referral(number)
    asked = f"org-bench-{number % PERFORMERS}"
    said = incomplete(cin(number), asks_for=asked, identifier=f"outage-{number}")
    return orjson.dumps(said)


async def reached(condition: Callable[[], bool]) -> None:
    """Returns when other processes have done so much."""
    while not condition():  # noqa: ASYNC110  the processes are at work
        await asyncio.sleep(0.01)
