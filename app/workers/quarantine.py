"""Sets work aside that fails for a reason of its own, so that all other work goes on.

One poisoned message must not hold up the messages that are made or recorded with it, nor one plan
the other plans. A database that is away is no such reason: the worker waits for it
(`app.store.database_errors.worth_waiting`).
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from app.store.database_errors import worth_waiting

_log = logging.getLogger(__name__)

T = TypeVar("T")
R = TypeVar("R")


async def split_on_failure(
    items: Sequence[T],
    work: Callable[[Sequence[T]], Awaitable[R]],
    at_fault: Callable[[T, Exception], Awaitable[None]],
) -> list[R]:
    """Does the work for all items at once; if that fails, for each half, down to the item at fault.

    Returns the results of the work, in order, and calls `at_fault` for each item that fails alone.
    Example: of four items the third fails; the work runs for 1–4, 1–2, 3–4, 3 and 4. The work must
    succeed or fail as a whole, and be safe to repeat. Raises when the database is lost.
    """
    try:
        return [await work(items)]
    except Exception as error:
        if worth_waiting(error):
            raise
        if len(items) == 1:
            await at_fault(items[0], error)
            return []
    middle = len(items) // 2
    return [
        *await split_on_failure(items[:middle], work, at_fault),
        *await split_on_failure(items[middle:], work, at_fault),
    ]


class Quarantine:
    """Names that are left alone, each for the same time. The caller passes the time in."""

    def __init__(self, wait: timedelta) -> None:
        self._wait = wait
        self._until: dict[str, datetime] = {}

    def put(self, name: str, now: datetime) -> None:
        """Sets a name aside from `now` on."""
        self._until[name] = now + self._wait

    def still(self, now: datetime) -> set[str]:
        """Returns the names that are still set aside at `now`; forgets the others."""
        self._until = {name: until for name, until in self._until.items() if until > now}
        return set(self._until)

    async def unless(
        self, work: Callable[[str], Awaitable[None]], plan: str, now: datetime
    ) -> None:
        """Runs `work(plan)` unless the plan is set aside; sets the plan aside if its work fails.

        A timeout does not set the plan aside: the database may be gone, and the next query shows
        that. Raises when the database is lost.
        """
        if plan in self.still(now):
            return
        try:
            await work(plan)
        except Exception as error:
            if worth_waiting(error):
                raise
            if not isinstance(error.__cause__, TimeoutError):
                self.put(plan, now)
            _log.exception("plan passed over", extra={"plan": plan, "error": type(error).__name__})
