"""The delivery worker's own connections: straight asyncpg, each statement its own transaction.

A lost connection is made again at the next statement; waiting between tries is the caller's. The
engine of the requests is `app.store.database`'s.
"""

import asyncio
import logging
from types import TracebackType
from typing import Any

import asyncpg
from sqlalchemy.engine import make_url

from app.base.settings import Settings
from app.store.database import AWAY, LOCKED, ROLE

#: The channel on which a commit is hinted at (`wake.py`).
CHANNEL = "nwd_deliver"

#: What comes from the database through asyncpg, whether it is away or refuses a statement.
RAISED = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    # What the driver says of a connection that was lost while it was being tried.
    asyncpg.InternalClientError,
)
#: The statement is as good as before, and is worth another try.
_WORTH_WAITING = (*AWAY, *LOCKED)


class DatabaseLost(ConnectionError):
    """No connection could be made."""


def lost(error: BaseException) -> bool:
    """Whether the database is away or busy, so that the same may be tried again as it is.

    Else it has refused what it was asked, or is not done with it in time: that is the fault of the
    statement or of a value in it, and comes again however often it is tried.
    """
    if isinstance(error, asyncpg.PostgresError):
        return str(error.sqlstate or "08").startswith(_WORTH_WAITING)
    if isinstance(error, (TimeoutError, ValueError)):  # ValueError: a value that cannot be sent
        return False
    return isinstance(error, RAISED)


def report(log: logging.Logger, error: BaseException, **about: str) -> None:
    """Says what came from the database: in a line while it is lost, else with where it happened.

    Neither holds a value: what PostgreSQL says of a row is not written (`app.base.logs`).
    """
    said = {**about, "error": type(error).__name__}
    if lost(error):
        log.warning("database lost; trying again", extra=said)
    else:
        log.error("refused by the database; trying again", extra=said, exc_info=error)


#: A queue's statistics are always wrong: full one minute, empty the next. So the plan is made once
#: (planning a claim costs several times what running it does), of index probes and nothing else.
_PROBES = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}


async def connect(settings: Settings, name: str) -> Any:
    """A connection in the service's restricted role, autocommit, at most 5 s in the making."""
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
    """One connection, made when first needed and again after a loss; one statement at a time."""

    def __init__(self, settings: Settings, name: str) -> None:
        self._settings = settings
        self._name = name
        self._connection: Any = None
        self._lock = asyncio.Lock()

    async def __aenter__(self) -> Any:
        """The connection, for this task alone until it leaves. Raises `DatabaseLost`."""
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
            if error is not None:  # its state is not known: begin with a fresh one
                self._drop()
        finally:
            self._lock.release()

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    async def close(self) -> None:
        self._drop()
