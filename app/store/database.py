"""The engine, and how a statement is sent: in a transaction, or as a single read.

Driver errors are named here and nowhere else. A request's own transaction is
`app.api.deployment`'s.

A process that starts before its database waits for it, but not for ever.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import asyncpg
from sqlalchemy import CursorResult, PoolProxiedConnection, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from app.base.errors import Refusal, Stopped, busy, too_costly, unavailable
from app.base.settings import Settings

#: The restricted role that the migration creates: it may not change history.
ROLE = "nwd_service"

#: SQLSTATE classes and codes of a database that is away, out of room, or a standby (25006).
AWAY = ("08", "25006", "53", "57P", "58")
#: Of one that is busy with others.
LOCKED = ("55P03", "40001", "40P01")
#: A statement that met an error inside PostgreSQL is also given up.
_GIVEN_UP = ("XX",)
#: One that took longer than a statement may.
_TOO_LONG = "57014"
#: The key in `AsyncConnection.info` under which a transaction notes that it wrote deliveries.
_DUE = "nwd_due_deliveries"


def database_url(url: str) -> str:
    """The URL with the driver that the service uses, whichever way it was written."""
    return make_url(url).set(drivername="postgresql+asyncpg").render_as_string(hide_password=False)


def create_engine(settings: Settings, *, pool_size: int | None = None) -> AsyncEngine:
    """An engine whose sessions wait at most 2 s for a lock and 10 s for a statement."""
    engine = create_async_engine(
        database_url(settings.database_url),
        pool_size=pool_size or settings.database_pool_size,
        max_overflow=0,
        pool_timeout=settings.database_wait_s,
        pool_pre_ping=False,  # a round trip per request; a dead connection is answered 503 once
        connect_args={
            "server_settings": {
                "application_name": "no-wrong-door",
                "lock_timeout": "2000",
                "statement_timeout": "10000",
                "idle_in_transaction_session_timeout": "30000",
                "jit": "off",
                "plan_cache_mode": "force_generic_plan",
                "timezone": "UTC",
            },
            "timeout": 5,
            "command_timeout": 15,
        },
    )
    if not settings.migration_database_url:
        event.listen(engine.sync_engine, "connect", _take_role)
    return engine


def _take_role(connection: Any, _record: Any) -> None:
    """One URL for owner and service: the service steps down to the restricted role."""
    cursor = connection.cursor()
    cursor.execute(f"SET ROLE {ROLE}")
    cursor.close()
    connection.commit()


def sqlstate(error: BaseException) -> str:
    """The SQLSTATE of a driver error, or an empty string."""
    cause: Any = error
    while cause is not None:
        state = getattr(cause, "sqlstate", None)
        if isinstance(state, str):
            return state
        cause = getattr(cause, "orig", None) or cause.__cause__
    return ""


def constraint(error: BaseException) -> str:
    """The name of the constraint that a driver error is about, or an empty string."""
    cause: Any = error
    while cause is not None:
        name = getattr(cause, "constraint_name", None)
        if isinstance(name, str):
            return name
        cause = getattr(cause, "orig", None) or cause.__cause__
    return ""


@contextmanager
def named_errors() -> Iterator[None]:
    """Turns what the driver raises into the answers that a caller can act on."""
    try:
        yield
    except (PoolTimeout, OSError, TimeoutError, asyncpg.InterfaceError) as error:
        raise unavailable() from error
    except (DBAPIError, asyncpg.PostgresError) as error:
        state = sqlstate(error)
        if state in LOCKED:
            raise busy() from error
        if state == _TOO_LONG:
            raise too_costly() from error
        if _lost(error) or not state or state.startswith((*AWAY, *_GIVEN_UP)):
            raise unavailable() from error
        raise


def _lost(error: Exception) -> bool:
    """Whether the connection went, not the statement."""
    if isinstance(error, DBAPIError):
        kinds = (InterfaceError, OperationalError)
        return isinstance(error, kinds) or error.connection_invalidated
    return isinstance(error, asyncpg.PostgresConnectionError)


class Reader:
    """Single statements that read. Each sees one snapshot by itself, so that it needs no BEGIN and
    no COMMIT: one round trip of three, on a connection of the engine's pool that is held for it
    only. Whoever needs two statements to agree takes `Connection`.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def fetch(self, sql: str, parameters: Sequence[Any]) -> Sequence[Sequence[Any]]:
        """The rows. Refusals as `named_errors` words them."""
        with named_errors():
            pooled = await self._engine.raw_connection()
            while _closed(pooled):  # the server has gone since; its next connection is new
                pooled.invalidate()
                pooled = await self._engine.raw_connection()
            driver: Any = pooled.driver_connection
            try:
                rows: list[asyncpg.Record] = await driver.fetch(sql, *parameters)
            except BaseException as error:
                if _closed(pooled):
                    pooled.invalidate(error)
                raise
            finally:
                pooled.close()
            return rows


def _closed(pooled: PoolProxiedConnection) -> bool:
    driver: Any = pooled.driver_connection
    closed: bool = driver.is_closed()
    return closed


#: What a statement may be sent over: the request's transaction, or none.
ReadSource = AsyncConnection | Reader


async def fetch(
    source: ReadSource, sql: str, parameters: Sequence[Any] = ()
) -> Sequence[Sequence[Any]]:
    """The rows of one statement, written for the driver: `$1`, `$2` … and no layer between."""
    if isinstance(source, Reader):
        return await source.fetch(sql, parameters)
    result: CursorResult[Any] = await source.exec_driver_sql(sql, tuple(parameters))
    return result.fetchall()


async def fetch_one(
    source: ReadSource, sql: str, parameters: Sequence[Any] = ()
) -> Sequence[Any] | None:
    """The first row, or None."""
    rows = await fetch(source, sql, parameters)
    return rows[0] if rows else None


@asynccontextmanager
async def begin(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """One transaction: committed where its block ends, rolled back where the block raises."""
    with named_errors():
        async with engine.connect() as connection:
            connection.info.pop(_DUE, None)  # of the transaction before, on the same connection
            yield connection
            await connection.commit()


def note_due_deliveries(connection: AsyncConnection) -> None:
    """Notes that this transaction makes deliveries due. Each function that writes such rows calls
    this, so that none of its callers has to think of the delivery workers (`app.api.deployment`).
    """
    connection.info[_DUE] = True


def has_due_deliveries(connection: AsyncConnection) -> bool:
    """Whether this transaction makes deliveries due."""
    return _DUE in connection.info


log = logging.getLogger(__name__)


class DatabaseAway(Stopped):
    """The database did not answer in time."""


async def answers(engine: AsyncEngine) -> bool:
    """Whether the database answers at all."""
    try:
        async with begin(engine) as connection:
            await connection.exec_driver_sql("SELECT 1")
    except (Refusal, DBAPIError):
        return False
    return True


async def wait_for_database(engine: AsyncEngine, seconds: float) -> None:
    """Returns when the database answers; raises `DatabaseAway` when it does not in time."""
    deadline = time.monotonic() + seconds
    pause = 0.1
    while not await answers(engine):
        if time.monotonic() + pause > deadline:
            raise DatabaseAway(
                f"The database did not answer within {seconds:g} s. Check that it runs, that "
                "DATABASE_URL names it, and that `python -m app migrate` has been run."
            )
        log.warning("waiting for the database")
        await asyncio.sleep(pause)
        pause = min(pause * 2, 2.0)


async def until_it_answers(chosen: Settings) -> None:
    """The same for a process that has no engine yet, with DATABASE_START_WAIT_S."""
    engine = create_engine(chosen, pool_size=1)
    try:
        await wait_for_database(engine, chosen.database_start_wait_s)
    finally:
        await engine.dispose()
