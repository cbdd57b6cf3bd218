"""Setting aside what fails for a reason of its own, so that all the rest goes on.

One poisoned message must not hold up the others that are made or recorded with it, nor one plan the
other plans. A database that is away is no such reason: it is waited for (`connect.lost`).
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from app.store.connect import lost

_log = logging.getLogger(__name__)

T = TypeVar("T")
R = TypeVar("R")


async def halving(
    items: Sequence[T],
    work: Callable[[Sequence[T]], Awaitable[R]],
    at_fault: Callable[[T, Exception], Awaitable[None]],
) -> list[R]:
    """Does the work for all at once; where that fails, for each half, down to the one at fault.

    Returns what the work came to, in order, and hands who is at fault to `at_fault`. The work is
    done or fails as a whole, and may be repeated. Raises when the database is lost.
    """
    try:
        return [await work(items)]
    except Exception as error:
        if lost(error):
            raise
        if len(items) == 1:
            await at_fault(items[0], error)
            return []
    middle = len(items) // 2
    return [
        *await halving(items[:middle], work, at_fault),
        *await halving(items[middle:], work, at_fault),
    ]


class Quarantine:
    """What is left alone for a while, each for the same time. The clock is the caller's."""

    def __init__(self, wait: timedelta) -> None:
        self._wait = wait
        self._until: dict[str, datetime] = {}

    def put(self, name: str, now: datetime) -> None:
        """Sets it aside from now on."""
        self._until[name] = now + self._wait

    def still(self, now: datetime) -> set[str]:
        """What is set aside at this moment; the others are forgotten."""
        self._until = {name: until for name, until in self._until.items() if until > now}
        return set(self._until)

    async def unless(
        self, work: Callable[[str], Awaitable[None]], plan: str, now: datetime
    ) -> None:
        """Does a plan's work unless it is set aside; where it fails for a reason of its own, it is.

        What only took too long is not: the database may be gone, and the next to ask finds out.
        Raises when the database is lost.
        """
        if plan in self.still(now):
            return
        try:
            await work(plan)
        except Exception as error:
            if lost(error):
                raise
            if not isinstance(error, TimeoutError):
                self.put(plan, now)
            _log.exception("plan passed over", extra={"plan": plan, "error": type(error).__name__})
