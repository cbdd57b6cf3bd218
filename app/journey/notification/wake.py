"""Hints to the delivery workers that something was committed. Only a hint: they poll as well.

The NOTIFY goes out after the commit, on a connection of its own and never inside a transaction
(a notification pending at commit takes a lock over the whole database server). Hints that come
while one is on its way are put together.
"""

import asyncio
import logging
from typing import Any

from app.base.settings import Settings
from app.store.connect import CHANNEL, RAISED, connect

_log = logging.getLogger(__name__)

#: At most one NOTIFY in this many seconds while hints keep coming; the first goes at once.
GAP_S = 0.005
#: How long to leave the database alone after it refused a hint.
PAUSE_S = 1.0


class Waker:
    """Sends hints in the background, from the first hint until `close`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._plans: set[str] = set()
        self._hinted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._connection: Any = None

    def hint(self, plan: str = "") -> None:
        """Call after the commit: a delivery of this plan (of some plan, if empty) may be due.

        Returns at once and never fails, database or no database.
        """
        self._plans.add(plan)
        self._hinted.set()
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="waker")

    async def close(self) -> None:
        """Forgets the hints that are still waiting: the workers poll."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None
        self._drop()

    async def _run(self) -> None:
        while True:
            await self._hinted.wait()
            self._hinted.clear()
            plans, self._plans = self._plans, set()
            try:
                await self._notify(",".join(sorted(plans)) if "" not in plans else "")
                await asyncio.sleep(GAP_S)
            except RAISED as error:
                _log.warning("hint not sent", extra={"error": type(error).__name__})
                self._drop()
                await asyncio.sleep(PAUSE_S)

    async def _notify(self, payload: str) -> None:
        if self._connection is None or self._connection.is_closed():
            self._connection = await connect(self._settings, "hints")
        await self._connection.execute("SELECT pg_notify($1, $2)", CHANNEL, payload)

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()
