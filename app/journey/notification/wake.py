"""Sends hints to the delivery workers that a delivery was committed. The workers also poll.

The NOTIFY goes out after the commit, as a statement of its own and never inside a transaction (a
notification pending at commit takes a lock over the whole database server). Hints that arrive while
another is on its way are joined.
"""

import asyncio
import logging

from app.store.database import Database
from app.store.database_errors import DATABASE_ERRORS

_log = logging.getLogger(__name__)

#: The channel of the hints.
CHANNEL = "nwd_deliver"
#: The shortest time between two NOTIFYs, in seconds; the first hint goes at once.
GAP_S = 0.005
#: The pause after the database refused a hint, in seconds.
PAUSE_S = 1.0


class Waker:
    """Sends hints in the background, from the first hint until `close`.

    It takes the hint of every commit of `database` that makes deliveries due.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._plans: set[str] = set()
        self._hinted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        database.on_due = self.hint

    def hint(self, plan: str = "") -> None:
        """Hints that a delivery of this plan (of some plan, if empty) may be due.

        Call after the commit. Returns at once and never fails, even without a database.
        """
        self._plans.add(plan)
        self._hinted.set()
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="waker")

    async def close(self) -> None:
        """Drops the hints that still wait, because the workers poll."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None

    async def _run(self) -> None:
        while True:
            await self._hinted.wait()
            self._hinted.clear()
            plans, self._plans = self._plans, set()
            payload = ",".join(sorted(plans)) if "" not in plans else ""
            try:
                await self._database.execute("SELECT pg_notify($1, $2)", CHANNEL, payload)
                await asyncio.sleep(GAP_S)
            except DATABASE_ERRORS as error:
                _log.warning("hint not sent", extra={"error": type(error).__name__})
                await asyncio.sleep(PAUSE_S)
