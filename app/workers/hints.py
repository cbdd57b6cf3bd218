"""What a delivery worker looks at next: plans it was hinted at, and all of them now and then.

A hint is a NOTIFY (`wake.py`), or the worker's own knowledge that a plan has more to send. None is
needed for a delivery to be found: the poll finds it.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from app.journey.notification.claim import plans_waiting
from app.store.connect import CHANNEL, Link


class Hints:
    """The hints of one worker. `plans`: those it serves; none named: whichever have something."""

    def __init__(self, plans: Sequence[str], poll_s: float) -> None:
        self._plans = plans
        self._poll_s = poll_s
        self._hinted: set[str] = set()
        self._awake = asyncio.Event()
        self._next_poll = 0.0

    def wake(self, *plans: str) -> None:
        """Something may be due for these plans; for all of them where one is empty."""
        if "" in plans:
            self._next_poll = 0.0
        self._hinted.update(plans)
        self._awake.set()

    async def listen(self, link: Link) -> None:
        """Takes what is notified until the connection is lost; raises `ConnectionError` then."""
        lost = asyncio.Event()
        async with link as connection:
            connection.add_termination_listener(lambda _: lost.set())
            await connection.add_listener(CHANNEL, self._heard)
            self.wake("")  # what was committed while nobody listened
            await lost.wait()
            raise ConnectionError("the listening connection ended")

    def _heard(self, _connection: Any, _pid: int, _channel: str, payload: str) -> None:
        self.wake(*payload.split(","))

    async def plans(self, link: Link) -> list[str]:
        """The hinted plans; when a poll is due, every plan with something waiting."""
        self._awake.clear()
        hinted, self._hinted = self._hinted, set()
        now = asyncio.get_running_loop().time()
        if now < self._next_poll:
            return sorted(hinted - {""})
        self._next_poll = now + self._poll_s
        async with link as connection:
            served = self._plans or await plans_waiting(connection)
        return sorted({*served, *hinted} - {""})

    async def wait(self) -> None:
        """Until a hint, or the next poll."""
        left = self._next_poll - asyncio.get_running_loop().time()
        if left > 0 and not self._awake.is_set():
            try:
                async with asyncio.timeout(left):
                    await self._awake.wait()
            except TimeoutError:
                return
