"""Sends hints to the delivery workers that a delivery was committed. The workers also poll.

The NOTIFY goes out after the commit, on a connection of its own and never inside a transaction (a
notification pending at commit takes a lock over the whole database server). Hints that arrive while
another is on its way are joined.
"""

import asyncio
import logging
from typing import Any

from app.base.settings import Settings
from app.store.connect import CHANNEL, RAISED, connect

_log = logging.getLogger(__name__)

#: The shortest time between two NOTIFYs, in seconds; the first hint goes at once.
GAP_S = 0.005
#: The pause after the database refused a hint, in seconds.
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
