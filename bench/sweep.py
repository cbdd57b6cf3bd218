"""What it takes to look at one plan's clocks when nothing is due: `python -m bench.sweep SECONDS`
prints milliseconds.
"""

import asyncio
import sys
import time
from datetime import datetime
from itertools import pairwise
from statistics import median

import uvloop

from app.base.clock import ServiceClock
from app.base.settings import settings
from app.store.database import Database
from app.workers.clocks import run_clocks


class _Looked(ServiceClock):
    """Notes when each plan is looked at: it is asked for the present moment once for each."""

    def __init__(self) -> None:
        super().__init__()
        self.looks: list[float] = []

    def now(self) -> datetime:
        self.looks.append(time.perf_counter())
        return super().now()


async def sweep(seconds: float) -> float:
    """Sweeps all plans again and again for so long; the milliseconds of one plan, the median."""
    clock, stop, chosen = _Looked(), asyncio.Event(), settings()
    database = Database(chosen, size=1)
    running = asyncio.create_task(run_clocks(chosen, database, clock, stop=stop, every=0.0))
    await asyncio.sleep(seconds)
    stop.set()
    await running
    await database.close()
    return 1000 * median(then - now for now, then in pairwise(clock.looks))


if __name__ == "__main__":
    sys.stdout.write(str(uvloop.run(sweep(float(sys.argv[1])))))
