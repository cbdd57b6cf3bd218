"""Says which route holds the event loop: times every step of every request (development).

A request runs in steps: from the moment at which its coroutine goes on to the moment at which it
waits again. During a step the process does nothing else. `LOOP_MONITOR_MS` sets the limit; without
it this layer is not there. The times of all steps are metrics by method and route template; each
step over the limit is a line of the log, with the milliseconds that passed and those of the
processor. A step that took much longer than its processor time waited for the machine, or for a
thread that kept Python's lock. What holds the loop beside requests shows in `app.base.lateness`.

asyncio's own `slow_callback_duration` needs the debug mode, which uvloop ignores here and which
costs more than what it measures.
"""

import logging
import time
from collections.abc import Callable, Coroutine, Generator
from typing import Any, NamedTuple

from prometheus_client import Histogram
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.web.envelope import METHODS, route_template
from app.base.lateness import HOLDS

log = logging.getLogger("app.loop")


class LoopTime(NamedTuple):
    """A reading of two clocks, in seconds: of the wall, and of this thread's processor time."""

    wall: float
    cpu: float


def read_clocks() -> LoopTime:
    """Reads both clocks of this machine."""
    return LoopTime(time.perf_counter(), time.thread_time())


class LoopMonitor:
    """ASGI middleware within `Envelope`, which has set the ids of the request."""

    def __init__(
        self, app: ASGIApp, limit_ms: float, clock: Callable[[], LoopTime] = read_clocks
    ) -> None:
        self._app = app
        self._limit_s = limit_ms / 1000
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        timed = _Timed(self._app(scope, receive, send), self._clock)  # type: ignore[arg-type]
        try:
            await timed
        finally:  # only now the route is known for certain
            self._tell(scope, timed.steps)

    def _tell(self, scope: Scope, steps: list[LoopTime]) -> None:
        method = scope["method"] if scope["method"] in METHODS else "other"
        route = route_template(scope)
        series = _STEPS.labels(method, route)
        for step in steps:
            series.observe(step.wall)
            if step.wall > self._limit_s:
                fields = {
                    "request_id": scope["state"]["request_id"],
                    "method": method,
                    "route": route,
                    "ms": round(step.wall * 1000, 2),
                    "cpu_ms": round(step.cpu * 1000, 2),
                }
                log.warning("held the event loop", extra=fields)


class _Timed:
    """Drives a coroutine in the place of whoever awaits this, and notes how long each step took."""

    def __init__(self, inner: Coroutine[Any, Any, None], clock: Callable[[], LoopTime]) -> None:
        self._inner = inner
        self._clock = clock
        self.steps: list[LoopTime] = []

    def __await__(self) -> Generator[Any, Any, None]:
        thrown: BaseException | None = None
        while True:
            began = self._clock()
            try:
                waits_for = self._inner.throw(thrown) if thrown else self._inner.send(None)
            except StopIteration:
                return
            finally:
                thrown = None  # an error that held this frame would hold itself
                ended = self._clock()
                self.steps.append(LoopTime(ended.wall - began.wall, ended.cpu - began.cpu))
            try:
                yield waits_for
            except BaseException as error:  # noqa: BLE001 - whatever it is, it is the coroutine's
                thrown = error


_STEPS = Histogram(
    "nwd_loop_step_seconds",
    "How long requests held the event loop at a stretch (LOOP_MONITOR_MS)",
    ["method", "route"],
    buckets=HOLDS,
)
