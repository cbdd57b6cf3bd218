"""Sends statements that act for a caller: the database then shows the rows of this caller alone.

Row security (the migration of that name) holds beside the conditions of our own statements
(`app.store.reading.access`): a statement that forgot them would find nothing more. For whom a
statement acts is told with the statement itself, as the setting `nwd.acts_for` of its own
transaction. So it costs no round trip, and no session keeps it, in front of a pooler or not.

A statement that says nothing acts for the service: intake asks the rosters of all plans, a move
tells organizations that the caller knows nothing of.
"""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any

from app.store.database import Database, Row, Source, Transaction

#: Organization, staff plans and roster plans of a caller (`app.store.reading.access.Visibility`).
_WHO = re.compile(r"[A-Za-z0-9.-]*\|[A-Za-z0-9_,-]*\|[A-Za-z0-9_,-]*")

#: How statements begin that cannot stand within another.
_WRITES = ("INSERT", "UPDATE", "DELETE")


class Acting:
    """The database as one caller sees it. `who` is `Visibility.who`."""

    def __init__(self, database: Database, who: str) -> None:
        if not _WHO.fullmatch(who):
            raise ValueError("no caller has such an organization or plan")
        self._database = database
        self._who = who

    async def fetch(self, sql: str, *values: Any) -> list[Row]:
        """Reads the rows of one statement, which is its own transaction."""
        if sql.lstrip().startswith(_WRITES):
            async with self.begin() as transaction:
                return await transaction.fetch(sql, *values)
        return await self._database.fetch(_told(sql, len(values)), *values, self._who)

    async def fetch_one(self, sql: str, *values: Any) -> Row | None:
        """Reads the first row of one statement; None if there is none."""
        if sql.lstrip().startswith(_WRITES):
            async with self.begin() as transaction:
                return await transaction.fetch_one(sql, *values)
        return await self._database.fetch_one(_told(sql, len(values)), *values, self._who)

    async def execute(self, sql: str, *values: Any) -> None:
        """Runs one statement that writes, in a transaction."""
        async with self.begin() as transaction:
            await transaction.execute(sql, *values)

    def deliveries_due(self) -> None:
        """Hints that deliveries are due: a statement that made them so has committed."""
        self._database.deliveries_due()

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Transaction]:
        """Opens a transaction that acts for the caller to its end."""
        opening = f"BEGIN; SELECT set_config('nwd.acts_for', '{self._who}', true)"
        async with self._database.begin(opening) as transaction:
            yield transaction


def for_caller(source: Source, who: str) -> Source:
    """Returns the source as a caller sees it; a transaction acts for whom it was opened."""
    return Acting(source, who) if isinstance(source, Database) else source


@lru_cache(maxsize=1024)
def _told(sql: str, values: int) -> str:
    """Puts before a SELECT for whom it acts, as its last parameter.

    The SELECT depends on the row that says so, and cannot be joined with it (`OFFSET 0`): so
    PostgreSQL says it first, and reads afterwards.
    """
    return (
        f"SELECT q.* FROM (SELECT set_config('nwd.acts_for', ${values + 1}::text, true) AS told"
        f" OFFSET 0) a CROSS JOIN LATERAL (SELECT s.* FROM ({sql}) s"
        " WHERE a.told IS NOT NULL OFFSET 0) q"
    )
