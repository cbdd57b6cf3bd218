"""Connections of the delivery worker: plain asyncpg, and each statement its own transaction.

A lost connection is made anew at the next statement; the caller waits between tries. The HTTP
requests use the engine of `app.store.database` instead.
"""

import asyncio
import logging
from types import TracebackType
from typing import Any

import asyncpg
from sqlalchemy.engine import make_url

from app.base.settings import Settings
from app.store.database import AWAY, LOCKED, ROLE

#: The channel on which a commit sends a hint (`app.journey.notification.wake`).
CHANNEL = "nwd_deliver"

#: The errors that asyncpg raises, both if the database is away and if it refuses a statement.
RAISED = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    # The driver raises this error for a connection that is lost while it is made.
    asyncpg.InternalClientError,
)
#: SQLSTATEs after which the unchanged statement is worth another try.
_WORTH_WAITING = (*AWAY, *LOCKED)


class DatabaseLost(ConnectionError):
    """No connection could be made."""


def lost(error: BaseException) -> bool:
    """Tells whether the database is away or busy, so that the unchanged statement may be retried.

    Otherwise the database has refused the statement, or did not finish it in time: the fault is in
    the statement or in a value, and every retry would fail, too.
    """
    if isinstance(error, asyncpg.PostgresError):
        return str(error.sqlstate or "08").startswith(_WORTH_WAITING)
    if isinstance(error, (TimeoutError, ValueError)):  # ValueError: a value that cannot be sent
        return False
    return isinstance(error, RAISED)


def report(log: logging.Logger, error: BaseException, **about: str) -> None:
    """Logs an error of the database: one line while the database is lost, else with a traceback.

    Neither has a value of a row: the log leaves out PostgreSQL's details (`app.base.logs`).
    """
    fields = {**about, "error": type(error).__name__}
    if lost(error):
        log.warning("database lost; trying again", extra=fields)
    else:
        log.error("refused by the database; trying again", extra=fields, exc_info=error)


#: A queue's statistics are always wrong: the table is full one minute and empty the next. So the
#: database makes the plan once (planning a claim costs several times as much as running it), and
#: only of index probes.
_PROBES = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}


async def connect(settings: Settings, name: str) -> Any:
    """Connects within 5 s, in the service's restricted role and with autocommit."""
    role = {} if settings.migration_database_url else {"role": ROLE}
    return await asyncpg.connect(
        make_url(settings.database_url)
        .set(drivername="postgresql")
        .render_as_string(hide_password=False),
        timeout=5,
        command_timeout=15,
        server_settings={
            "application_name": f"no-wrong-door {name}",
            "lock_timeout": "5000",
            "jit": "off",
            "timezone": "UTC",
            **_PROBES,
            **role,
        },
    )


class Link:
    """One connection, made at first use and again after a loss; one statement at a time."""

    def __init__(self, settings: Settings, name: str) -> None:
        self._settings = settings
        self._name = name
        self._connection: Any = None
        self._lock = asyncio.Lock()

    async def __aenter__(self) -> Any:
        """Gives the connection to this task alone, until the block ends. Raises `DatabaseLost`."""
        await self._lock.acquire()
        try:
            if self._connection is None or self._connection.is_closed():
                self._connection = await connect(self._settings, self._name)
        except RAISED as error:
            self._lock.release()
            raise DatabaseLost(type(error).__name__) from error
        except BaseException:
            self._lock.release()
            raise
        return self._connection

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is not None:  # the connection's state is unknown: begin with a fresh one
                self._drop()
        finally:
            self._lock.release()

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    async def close(self) -> None:
        self._drop()
