"""The measurements: service and floor take turns, so that what else the machine does meets both."""

import asyncio
import itertools
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import asyncpg

from bench import loop
from bench.bodies import CIN, cin, referral
from bench.load import Measured, path_of, request, turn
from bench.scene import Process, Scene
from bench.stock import grow, rows_of_a_referral
from bench.webhooks import Webhooks

_FHIR = "application/fhir+json"
_ONE_ROW = "INSERT INTO floor_history VALUES ('HPSM', $1, 1, 'row', now(), 'x')"


@dataclass(frozen=True, slots=True)
class Length:
    """How long things take: seconds of a turn, turns of each kind, seconds of paced sending; how
    many members are searched for, how many referrals are added to the stock, and how many are
    posted at the end to watch the memory.
    """

    turn_s: float
    turns: int
    paced_s: float
    searched: int
    stock: int
    soak: int = 0

    @property
    def soaks(self) -> int:
        """How many times the memory is taken in the soak."""
        return min(10, self.soak)


@dataclass(frozen=True, slots=True)
class Side:
    """Service or floor: where requests go, and the requests."""

    name: str
    port: int
    process: Process
    make: Callable[[], bytes]
    status: int


class Bench:
    """Measures one scene. `on_step` is told when a step is done, and of which kind."""

    def __init__(
        self, scene: Scene, service: Process, floor: Process, length: Length,
        on_step: Callable[[str], None],
    ) -> None:  # fmt: skip
        self.scene, self.service, self.floor = scene, service, floor
        self.length = length
        self._on_step = on_step
        self._number, self._floor_number = itertools.count(), itertools.count()
        self._bearer: dict[str, tuple[float, str]] = {}
        # The last members of the roster have ten referrals each, for the searches.
        self._searched = range(scene.members - length.searched, scene.members)
        self._read: dict[str, list[str]] = {"service": [], "floor": []}

    async def everything(self) -> dict[str, Any]:
        """All measurements with the database, by name."""
        found: dict[str, Any] = {"webhook": {}, "decided": {}}
        webhooks = Webhooks(self.scene, self.length.paced_s, self._number)
        for rate in (20, 100):
            found["webhook"][rate] = await webhooks.paced(rate)
            self._on_step(f"webhooks at {rate} a second")
        await self._analyze()
        for connections in (1, 8, 32):
            found["decided"][connections] = await self._turns(connections, self._decisions)
        memory = [await self._memory()]
        found["deliveries"] = await webhooks.sustained()
        self._on_step("deliveries")
        found["hanging"] = await webhooks.hanging(3 * self.length.turns)
        self._on_step("a receiver that hangs")
        await self._have_ten()
        await self._analyze()
        few = await self._stored_now()
        found["check"] = await self._turns(8, self._checks)
        found["commit"] = await self._commits()
        found |= {name: few[name] for name in ("read", "search")}
        found["loop"] = await loop.held(self, (self._decisions, self._reads, self._searches))
        self._on_step("the event loop")
        found["stock"] = await self._many(few)
        found["memory"] = [*memory, await self._memory(), *await self._soak()]
        return found

    async def _analyze(self) -> None:
        """As autovacuum does within a minute."""
        async with self.scene.database() as connection:
            await connection.execute("VACUUM ANALYZE")

    async def _stored_now(self) -> dict[str, Any]:
        """What a post, a read and a search cost with what is stored at the moment."""
        return {
            "decided": await self._turns(8, self._decisions),
            "read": await self._turns(8, self._reads),
            "search": await self._turns(8, self._searches),
        }

    async def _many(self, few: dict[str, Any]) -> dict[str, Any]:
        """The same with a large stock: how many times as much each costs, floor by floor."""
        async with self.scene.database() as connection:
            before = await connection.fetchval("SELECT count(*) FROM referral")
            stored = await grow(connection, self.length.stock)
            rows = await rows_of_a_referral(connection)
        self._on_step("a stock of referrals")
        many = await self._stored_now()
        cost = {name: few[name]["ratio"] / many[name]["ratio"] for name in few}
        return {"few": before, "many": stored, "rows": rows, "cost": cost, "measured": many}

    async def _memory(self) -> tuple[int, float]:
        """Referrals stored by the service, and the megabytes that its process holds."""
        return next(self._number), self.service.memory()

    async def _soak(self) -> list[tuple[int, float]]:
        """More referrals at 8 connections, and the memory after each tenth of them."""
        found = []
        for _ in range(self.length.soaks):
            make = await self._post("/fhir/ServiceRequest")
            most = self.length.soak // self.length.soaks
            await turn(Measured(8), self.scene.port, make, 3600, 201, most=most)
            found.append(await self._memory())
            self._on_step(f"{found[-1][0]:,} referrals")
        return found

    # --- requests ---

    async def _token(self, client: str = "hospital") -> str:
        """A token that outlives the next turn."""
        got, bearer = self._bearer.get(client, (0.0, ""))
        if time.monotonic() - got > 120:
            bearer = await self.scene.token(client)
            self._bearer[client] = time.monotonic(), bearer
        return bearer

    async def _post(self, path: str) -> Callable[[], bytes]:
        bearer = await self._token()
        return lambda: self._referral(path, bearer)

    def _referral(self, path: str, bearer: str, member: int | None = None) -> bytes:
        number = next(self._floor_number if path == "/floor" else self._number)
        body = referral(number, member=member)
        return request("POST", path, body, Content_Type=_FHIR, Authorization=bearer)

    async def _decisions(self) -> tuple[Side, Side]:
        return (
            self._side("service", await self._post("/fhir/ServiceRequest"), 201),
            self._side("floor", await self._post("/floor"), 201),
        )

    async def _reads(self) -> tuple[Side, Side]:
        bearer = await self._token()
        sides = []
        for name in ("service", "floor"):
            paths = itertools.cycle(self._read[name])
            make = _get(paths, bearer)
            sides.append(self._side(name, make, 200))
        return sides[0], sides[1]

    async def _searches(self) -> tuple[Side, Side]:
        bearer = await self._token()
        who = [cin(number) for number in self._searched]
        asked = "/fhir/ServiceRequest?status=active&_count=5&patient.identifier={}%7C{}"
        ours = itertools.cycle([asked.format(CIN, one) for one in who])
        theirs = itertools.cycle([f"/floor?status=active&patient={one}" for one in who])
        return (
            self._side("service", _get(ours, bearer), 200),
            self._side("floor", _get(theirs, bearer), 200),
        )

    async def _checks(self) -> tuple[Side, Side]:
        """`$check` beside the floor's read: what deciding costs without writing."""
        make = await self._post("/fhir/ServiceRequest/$check")
        return self._side("service", make, 200), (await self._reads())[1]

    def _side(self, name: str, make: Callable[[], bytes], status: int) -> Side:
        ours = name == "service"
        port = self.scene.port if ours else self.scene.floor_port
        return Side(name, port, self.service if ours else self.floor, make, status)

    # --- turns ---

    async def _turns(
        self, connections: int, sides: Callable[[], Awaitable[tuple[Side, Side]]]
    ) -> dict[str, Any]:
        """Floor and service in turns; what each showed, and the ratio of every pair of turns."""
        seen = {"service": Measured(connections), "floor": Measured(connections)}
        ratios = []
        for _ in range(self.length.turns):
            rates = {}
            for side in reversed(await sides()):
                rates[side.name] = await self._one(side, seen[side.name])
            ratios.append(rates["service"] / rates["floor"])
        self._on_step(f"{connections} connections")
        return {
            **{name: _shown(measured) for name, measured in seen.items()},
            "ratio": statistics.median(ratios),
            "ratios": ratios,
        }

    async def _one(self, side: Side, measured: Measured) -> float:
        before, began = len(measured.times), measured.seconds
        cpu = side.process.cpu()
        answers = await turn(measured, side.port, side.make, self.length.turn_s, side.status)
        measured.cpu += side.process.cpu() - cpu
        if side.status == 201:
            found = [answer.header("location") or "" for answer in answers[:50]]
            self._read[side.name] = [path_of(one) for one in found]
        return (len(measured.times) - before) / (measured.seconds - began)

    async def _have_ten(self) -> None:
        """Ten referrals for each member that is searched for, on both sides."""
        members = itertools.chain.from_iterable([one] * 10 for one in self._searched)
        pairs = list(members)
        ports = ((self.scene.port, "/fhir/ServiceRequest"), (self.scene.floor_port, "/floor"))
        for port, path in ports:
            bearer = await self._token()
            each = iter(pairs)

            def make(path: str = path, each: Iterator[int] = each, bearer: str = bearer) -> bytes:
                return self._referral(path, bearer, next(each))

            await turn(Measured(2), port, make, 600, 201, most=len(pairs))

    # --- the database alone ---

    async def _commits(self, connections: int = 8) -> float:
        """One-row commits per second of the database alone."""
        count = itertools.count()
        until = time.perf_counter() + self.length.turn_s
        async with asyncpg.create_pool(self.scene.url, min_size=connections) as pool:

            async def work() -> None:
                async with pool.acquire() as connection:
                    while time.perf_counter() < until:
                        await connection.execute(_ONE_ROW, f"row-{next(count)}")

            await asyncio.gather(*(work() for _ in range(connections)))
        self._on_step("commits")
        return next(count) / self.length.turn_s


def _get(paths: Any, bearer: str) -> Callable[[], bytes]:
    return lambda: request("GET", next(paths), Authorization=bearer)


def _shown(measured: Measured) -> dict[str, float]:
    count = len(measured.times)
    return {
        "rate": measured.rate,
        "p50_ms": measured.percentile(0.50),
        "p95_ms": measured.percentile(0.95),
        "p99_ms": measured.percentile(0.99),
        "cpu_ms": 1000 * measured.cpu / count,
        "count": count,
        "shed": measured.shed,
    }
