"""What a referral costs until all have heard of it, and what a second process adds."""

import asyncio
import os
import statistics
import time
from typing import Any

from bench.load import Measured, turn
from bench.processes import pinned
from bench.scene import free_port
from bench.sides import Side, Sides

_AT_ONCE = 8
#: Cores from which two processes, load and database do not share one.
_ENOUGH = 4


class Whole:
    """Measures whole processes: the service's, the worker's, the floor's and the database's."""

    def __init__(self, sides: Sides, seconds: float, turns: int) -> None:
        self._sides, self._scene = sides, sides.scene
        self._seconds, self._turns = seconds, turns

    async def referral(self) -> dict[str, Any]:
        """CPU of service, worker and PostgreSQL for a referral that six deliveries tell of, beside
        the CPU of the floor and PostgreSQL for its post. Milliseconds each.
        """
        spent: dict[str, list[float]] = {"service": [], "worker": [], "postgres": [], "floor": []}
        ratios, heard, posted = [], 0, 0
        async with self._scene.delivering() as worker:
            await self._scene.quiet(600)
            for _ in range(self._turns):
                ours, theirs = await self._sides.decisions()
                floor = await self._turn(theirs, theirs.process, self._scene.postgres)
                since = len(self._scene.receiver.arrived)
                service = await self._turn(
                    ours, ours.process, worker, self._scene.postgres, until_told=True
                )
                heard += len(self._scene.receiver.arrived) - since
                posted += service[0]
                for name, value in zip(spent, (*service[1:], sum(floor[1:])), strict=True):
                    spent[name].append(value)
                ratios.append(sum(service[1:]) / sum(floor[1:]))
        return {
            **{name: statistics.median(values) for name, values in spent.items()},
            "deliveries": heard / posted,
            "ratio": statistics.median(ratios),
        }

    async def _turn(self, side: Side, *used: Any, until_told: bool = False) -> tuple[Any, ...]:
        """How many posts were answered in a turn, and the milliseconds that each took of these."""
        before = [process.cpu() for process in used]
        answers = await turn(Measured(_AT_ONCE), side.port, side.make, self._seconds, side.status)
        if until_told:
            await self._scene.quiet(600)
        after = [process.cpu() for process in used]
        count = len(answers)
        return count, *(1000 * (b - a) / count for a, b in zip(before, after, strict=True))

    async def two_processes(self) -> dict[str, Any]:
        """Referrals a second of one process and of two, in turns; each has a core of its own, load
        and database have the other cores, or, where there are too few, the last one.
        """
        cores = sorted(os.sched_getaffinity(0))
        others = cores[2:] if len(cores) >= _ENOUGH else cores[-1:]
        port = free_port()
        rates: list[tuple[float, float]] = []
        async with self._scene.serving(port) as second:
            first = (await self._sides.decisions())[0]
            places = (
                (self._scene.postgres, others),
                (first.process, cores[:1]),
                (second, cores[1:2] or cores),
            )
            with pinned(others, *places):
                await self._rate(port, seconds=self._seconds / 2)  # its connections, its statements
                for _ in range(self._turns):
                    one = await self._rate(first.port)
                    rates.append((one, await self._rate(first.port, port)))
        return {
            "one": statistics.median(one for one, _ in rates),
            "two": statistics.median(two for _, two in rates),
            "cores": len(cores), "shown": len(cores) >= _ENOUGH,
            "ratio": statistics.median(two / one for one, two in rates),
        }  # fmt: skip

    async def _rate(self, *ports: int, seconds: float | None = None) -> float:
        """Referrals a second at these ports together, with as many connections at each."""
        make = await self._sides.post()
        began = time.perf_counter()
        turns = (turn(Measured(_AT_ONCE), p, make, seconds or self._seconds, 201) for p in ports)
        answers = await asyncio.gather(*turns)
        return sum(map(len, answers)) / (time.perf_counter() - began)
