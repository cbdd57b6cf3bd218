"""Notices that something held the event loop, whatever it was: a timer that comes late tells it.

A development tool, switched on with `LOOP_MONITOR_MS`, for service and delivery worker alike. It
sees what no request does by itself: the driver that reads rows, the garbage collector, a thread
that keeps Python's lock, work in the background. It cannot say which. Lateness is the sum of all
that ran in the meantime, so it is no less than the longest of it.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from prometheus_client import Histogram

_log = logging.getLogger("app.loop")

#: Seconds between two looks.
_BEAT_S = 0.01
#: Upper limits of the classes of a time in which the event loop was held, in seconds.
HOLDS = (0.001, 0.002, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.25, 1.0)

_LATE = Histogram(
    "nwd_loop_late_seconds",
    "How late a timer of the event loop came (LOOP_MONITOR_MS)",
    ["process"],
    buckets=HOLDS,
)


@asynccontextmanager
async def lateness_watched(process: str, limit_ms: float) -> AsyncIterator[None]:
    """Watches while the block runs: `process` names it in the metrics. Nothing if the limit is 0.

    A lateness of more than `limit_ms` milliseconds is logged.
    """
    if not limit_ms:
        yield
        return
    task = asyncio.create_task(watch(process, limit_ms), name="lateness")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def watch(
    process: str,
    limit_ms: float,
    *,
    clock: Callable[[], float] = time.perf_counter,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Takes the lateness of a timer, again and again. Never returns."""
    series = _LATE.labels(process)
    while True:
        due = clock() + _BEAT_S
        await sleep(_BEAT_S)
        late = max(0.0, clock() - due)
        series.observe(late)
        if late * 1000 > limit_ms:
            _log.warning("the event loop was late", extra={"ms": round(late * 1000, 2)})
