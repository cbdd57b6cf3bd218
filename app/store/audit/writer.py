"""Writes the record of accesses before they are answered: many accesses, one statement.

Requests of a process that end in the same moment share one INSERT (group commit): while it is under
way, the next ones gather, and the next INSERT takes them all. So a read costs a share of one
statement more, and no read is answered whose row is not committed.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from app.base.errors import Refusal, unavailable
from app.store.audit.access import CURRENT
from app.store.database import Database, Source
from app.store.database_errors import report
from app.store.statement import column_types
from app.store.tables.audit import audit_event

_log = logging.getLogger(__name__)

_COLUMNS = ", ".join(f'"{column.name}"' for column in audit_event.columns)
_TYPED = ", ".join(f'"{name}" {type_}' for name, type_ in column_types(audit_event))
_INSERT = f"""INSERT INTO audit_event ({_COLUMNS})
SELECT {_COLUMNS} FROM json_to_recordset($1::json) AS given({_TYPED})"""
#: At most so many rows wait in a process, and so many go with one statement.
_MOST_WAITING, _MOST_AT_ONCE = 10_000, 500

Rows = Sequence[Mapping[str, Any]]


async def insert_events(source: Source, rows: Rows) -> None:
    """Writes rows of the record with one statement, or within the caller's transaction."""
    await source.execute(_INSERT, orjson.dumps(rows).decode())


async def record_within(transaction: Source) -> None:
    """Writes the rows of the present access in the transaction of the change that it makes."""
    access = CURRENT.get()
    if access is not None and access.by_plan:
        await insert_events(transaction, access.rows(200))
        access.written = True


class RecordWriter:
    """The one writer of a process. `write` returns when the rows are committed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[tuple[Rows, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def write(self, rows: Rows) -> None:
        """Writes the rows. Raises the errors of the database, and 503 where too many wait."""
        if len(self._waiting) >= _MOST_WAITING:
            raise unavailable()
        committed = asyncio.get_running_loop().create_future()
        self._waiting.append((rows, committed))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_all())
        await committed

    async def _write_all(self) -> None:
        while self._waiting:
            batch = self._waiting[:_MOST_AT_ONCE]
            del self._waiting[:_MOST_AT_ONCE]
            error = await self._try([row for rows, _ in batch for row in rows])
            for rows, committed in batch:
                if type(error) is Refusal and len(batch) > 1:  # refused are another's rows, maybe
                    error = await self._try(rows)
                if committed.done():  # its request was cut off
                    continue
                if error is None:
                    committed.set_result(None)
                else:
                    committed.set_exception(error)

    async def _try(self, rows: Rows) -> Refusal | None:
        try:
            await insert_events(self._database, rows)
        except Refusal as refusal:
            return refusal
        except Exception as error:  # noqa: BLE001 - every request that waits has to get it
            report(_log, error)
            return unavailable()
        return None
