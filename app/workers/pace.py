"""Says how much one worker takes on, and where it looks next.

`Pace` says how often a worker looks, how much it takes on and how long it waits. `Room` counts what
is under way to each endpoint. `Hints` says which plans the worker looks at next: plans with a hint,
and all plans now and then. A hint is a NOTIFY (`app.journey.notification.wake`), or the worker's
own knowledge that a plan has more to send. A delivery needs no hint: the poll finds it.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.base.settings import Settings
from app.journey.notification.claim import Claim, plans_waiting
from app.journey.notification.deliver import TOTAL_S
from app.journey.notification.wake import CHANNEL
from app.store.database import Database, listening


@dataclass(frozen=True, slots=True)
class Pace:
    """The pace of one worker, times in seconds. The lease outlasts connect, send and record.

    A worker has at most `at_once` deliveries under way, to one endpoint `per_endpoint`, and to one
    whose last attempt succeeded within `quick_s`, `per_quick_endpoint`. Results wait `gather_s`
    for others that are about to come, if most are still under way.
    """

    poll_s: float = 1.0
    sweep_s: float = 15.0
    clocks_s: float = 5.0
    lease_s: float = 60.0
    total_s: float = TOTAL_S
    grace_s: float = 8.0
    at_once: int = 512
    per_endpoint: int = 8
    per_quick_endpoint: int = 64
    quick_s: float = 0.1
    gather_s: float = 0.002
    longest_backoff_s: float = 5.0


#: How many endpoints are remembered as quick: those that answered last.
_QUICK = 64


class Room:
    """The deliveries that one worker has under way, and how many more it may send.

    An endpoint that answers quickly gets more at once: claims and records are then larger and
    fewer. One that has not answered yet, answers slowly or fails has the smaller share: a slow
    receiver is not given more than it can answer in time, and one that goes away fails few.
    """

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._under_way: Counter[str] = Counter()
        self._quick: dict[str, None] = {}

    def free(self) -> int:
        return self._pace.at_once - self._under_way.total()

    def begin(self, claimed: Claim) -> None:
        self._under_way[claimed.endpoint_id] += 1

    def end(self, claimed: Claim) -> None:
        self._under_way[claimed.endpoint_id] -= 1
        if not self._under_way[claimed.endpoint_id]:
            del self._under_way[claimed.endpoint_id]

    def answered(self, claimed: Claim, success: bool, duration_ms: int) -> None:
        """Notes whether an attempt succeeded, and how long it took."""
        self._quick.pop(claimed.endpoint_id, None)
        if success and duration_ms <= 1000 * self._pace.quick_s:
            self._quick[claimed.endpoint_id] = None
            if len(self._quick) > _QUICK:
                del self._quick[next(iter(self._quick))]

    def shares(self) -> list[tuple[str, int, int]]:
        """Lists endpoint, deliveries under way and share, where not (0, `per_endpoint`)."""
        known = {*self._under_way, *self._quick}
        return [(each, self._under_way[each], self._share(each)) for each in known]

    def full(self, claimed: Claim) -> bool:
        """Whether the endpoint may have more due deliveries than this worker had room for.

        It counts as full with the smaller share: it may have become quick since the claim.
        """
        share = self._pace.per_endpoint if claimed.failing_since is None else 1
        return self._under_way[claimed.endpoint_id] >= share

    def _share(self, endpoint: str) -> int:
        return self._pace.per_quick_endpoint if endpoint in self._quick else self._pace.per_endpoint


class Hints:
    """The hints of one worker. `plans`: the plans served; if empty, every plan with deliveries."""

    def __init__(self, plans: Sequence[str], poll_s: float) -> None:
        self._plans = plans
        self._poll_s = poll_s
        self._hinted: set[str] = set()
        self._awake = asyncio.Event()
        self._next_poll = 0.0

    def wake(self, *plans: str) -> None:
        """Notes that these plans may have something due; an empty name means all plans."""
        if "" in plans:
            self._next_poll = 0.0
        self._hinted.update(plans)
        self._awake.set()

    async def listen(self, settings: Settings) -> None:
        """Takes notifications until the connection is lost; then raises `DatabaseLost`."""
        async with listening(settings, CHANNEL, self._on_notify) as ended:
            self.wake("")  # for commits while nobody listened
            await ended.wait()
            raise ConnectionError("the listening connection ended")

    def _on_notify(self, _connection: Any, _pid: int, _channel: str, payload: str) -> None:
        self.wake(*payload.split(","))

    async def plans(self, database: Database) -> list[str]:
        """Returns the hinted plans; when a poll is due, also every plan with deliveries."""
        self._awake.clear()
        hinted, self._hinted = self._hinted, set()
        now = asyncio.get_running_loop().time()
        if now < self._next_poll:
            return sorted(hinted - {""})
        self._next_poll = now + self._poll_s
        served = self._plans or await plans_waiting(database)
        return sorted({*served, *hinted} - {""})

    async def wait(self) -> None:
        """Waits for a hint, or the next poll."""
        left = self._next_poll - asyncio.get_running_loop().time()
        if left > 0 and not self._awake.is_set():
            try:
                async with asyncio.timeout(left):
                    await self._awake.wait()
            except TimeoutError:
                return
