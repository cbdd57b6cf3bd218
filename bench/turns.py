"""Turns: service and floor, one after the other, so that what else the machine does meets both."""

import statistics
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from bench.load import Measured, turn
from bench.sides import Side, Sides


@dataclass(frozen=True, slots=True)
class Length:
    """How long things take: seconds of a turn, turns of each kind, seconds of paced sending; how
    many requests of a class are counted, how many members are searched for, how many copies are
    stored before the first and the second turns with a stock, and how many are posted at the end to
    watch the memory.
    """

    turn_s: float
    turns: int
    paced_s: float
    counted: int
    searched: int
    few: int
    stock: int
    soak: int = 0

    @property
    def soaks(self) -> int:
        """How many times the memory is taken in the soak."""
        return min(10, self.soak)


@dataclass(frozen=True, slots=True)
class Turns:
    """Takes turns. `on_step` is told when a step is done, and of which kind."""

    sides: Sides
    length: Length
    on_step: Callable[[str], None]

    async def of(
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
        self.on_step(f"{connections} connections")
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
            self.sides.note(side.name, answers)
        return (len(measured.times) - before) / (measured.seconds - began)


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
