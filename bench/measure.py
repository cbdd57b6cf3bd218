"""The measurements, in order."""

import asyncio
import itertools
import time
from collections.abc import Callable
from typing import Any

import asyncpg

from bench import loop
from bench.bodies import npi
from bench.cost import Costs
from bench.load import Measured, location_id, send, turn
from bench.processes import Process
from bench.scene import Scene, free_port
from bench.sides import Sides
from bench.turns import Length, Turns
from bench.webhooks import Webhooks
from bench.whole import Whole
from bench.written import position, written_since
from bench.years import Years

_ONE_ROW = "INSERT INTO floor_history VALUES ('HPSM', $1, 1, 'row', now(), 'x')"


class Bench:
    """Measures one scene. `on_step` is told when a step is done, and of which kind."""

    def __init__(
        self, scene: Scene, service: Process, floor: Process, length: Length,
        on_step: Callable[[str], None],
    ) -> None:  # fmt: skip
        self.scene, self.service = scene, service
        self.length, self._on_step = length, on_step
        # The last members of the roster have ten referrals each, for the searches.
        searched = range(scene.members - length.searched, scene.members)
        self.sides = Sides(scene, service, floor, searched)
        self.turns = Turns(self.sides, length, on_step)

    async def everything(self) -> dict[str, Any]:
        """All measurements with the database, by name."""
        found: dict[str, Any] = {"cost": await Costs(self.sides, self.length.counted).everything()}
        self._on_step("what requests ask of the database")
        found |= {"webhook": {}, "decided": {}}
        webhooks = Webhooks(self.scene, self.length.paced_s, self.sides.number)
        for rate in (20, 100):
            found["webhook"][rate] = await webhooks.paced(rate)
            self._on_step(f"webhooks at {rate} a second")
        await self._analyze()
        for connections in (1, 8, 32):
            found["decided"][connections] = await self.turns.of(connections, self.sides.decisions)
        memory = [await self._memory()]
        found["same_rows"] = await self._same_rows()
        found["deliveries"] = await webhooks.sustained()
        self._on_step("deliveries")
        whole = Whole(self.sides, self.length.turn_s, self.length.turns)
        found["whole"] = await whole.referral()
        self._on_step("until all have heard")
        found["processes"] = await whole.two_processes()
        self._on_step("two processes")
        found["hanging"] = await webhooks.hanging(3 * self.length.turns)
        self._on_step("a receiver that hangs")
        await self._have_ten()
        found["commit"] = await self._commits()
        found["stock"] = await Years(self.turns).measure()
        found |= {name: found["stock"]["before"][name] for name in ("read", "search")}
        found["check"] = await self.turns.of(8, self.sides.checks)
        kinds = (self.sides.decisions, self.sides.reads, self.sides.searches)
        found["loop"] = await loop.held(self.scene, kinds, self.length.turn_s)
        self._on_step("the event loop")
        found["memory"] = [*memory, await self._memory(), *await self._soak()]
        return found

    async def _analyze(self) -> None:
        """As autovacuum does within a minute."""
        async with self.scene.database() as connection:
            await connection.execute("VACUUM ANALYZE")

    async def _same_rows(self) -> dict[str, Any]:
        """Referrals decided beside the floor that writes their rows without any rule."""
        async with self.scene.database() as connection:
            since = await position(connection)
            posts = await self.sides.referrals(2, asks_for=npi(0))
            models = map(location_id, await send(self.scene.port, posts))
            names = (await written_since(connection, since)).tables
        port = free_port()
        arguments = ("-m", "bench.same_rows", str(port), self.scene.url, *models, *names)
        async with self.scene.running(*arguments) as floor:
            await self.scene.answers(floor, port, "/")
            return await self.turns.of(8, lambda: self.sides.same_rows(port, floor))

    async def _memory(self) -> tuple[int, float]:
        """Referrals stored by the service, and the megabytes that its process holds."""
        return next(self.sides.number), self.service.memory()

    async def _soak(self) -> list[tuple[int, float]]:
        """More referrals at 8 connections, and the memory after each tenth of them."""
        found = []
        for _ in range(self.length.soaks):
            make = await self.sides.post()
            most = self.length.soak // self.length.soaks
            await turn(Measured(8), self.scene.port, make, 3600, 201, most=most)
            found.append(await self._memory())
            self._on_step(f"{found[-1][0]:,} referrals")
        return found

    async def _have_ten(self) -> None:
        """Ten referrals for each member that is searched for, on both sides."""
        members = [member for member in self.sides.searched for _ in range(10)]
        ports = ((self.scene.port, "/fhir/ServiceRequest"), (self.scene.floor_port, "/floor"))
        for port, path in ports:
            make = await self.sides.post(path, iter(members))
            await turn(Measured(2), port, make, 600, 201, most=len(members))

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
