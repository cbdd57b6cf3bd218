"""Makes the engine, sends statements (in a transaction, or as a single read), names driver errors.

No other module turns the driver's errors into answers. `app.api.deployment` opens the transaction
of a request. A process that starts before its database waits here for a limited time.
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
#: SQLSTATEs of a database that is busy with other transactions.
LOCKED = ("55P03", "40001", "40P01")
#: The SQLSTATE class of an error inside PostgreSQL: answered like a database that is away.
_GIVEN_UP = ("XX",)
#: The SQLSTATE of a statement that took longer than the limit.
_TOO_LONG = "57014"
#: The key in `AsyncConnection.info` under which a transaction notes that it wrote deliveries.
_DUE = "nwd_due_deliveries"


def database_url(url: str) -> str:
    """Returns the URL with the driver that the service uses, whatever driver it names."""
    return make_url(url).set(drivername="postgresql+asyncpg").render_as_string(hide_password=False)


def create_engine(settings: Settings, *, pool_size: int | None = None) -> AsyncEngine:
    """Makes an engine whose sessions wait at most 2 s for a lock and 10 s for a statement."""
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
    """Takes the restricted role: owner and service have one URL, and so connect as the owner."""
    cursor = connection.cursor()
    cursor.execute(f"SET ROLE {ROLE}")
    cursor.close()
    connection.commit()


def sqlstate(error: BaseException) -> str:
    """Returns the SQLSTATE of a driver error, or an empty string."""
    cause: Any = error
    while cause is not None:
        state = getattr(cause, "sqlstate", None)
        if isinstance(state, str):
            return state
        cause = getattr(cause, "orig", None) or cause.__cause__
    return ""


def constraint(error: BaseException) -> str:
    """Returns the name of the constraint that a driver error is about, or an empty string."""
    cause: Any = error
    while cause is not None:
        name = getattr(cause, "constraint_name", None)
        if isinstance(name, str):
            return name
        cause = getattr(cause, "orig", None) or cause.__cause__
    return ""


@contextmanager
def named_errors() -> Iterator[None]:
    """Turns the driver's errors into answers on which a caller can act."""
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
    """Tells whether the connection was lost; otherwise the statement failed."""
    if isinstance(error, DBAPIError):
        kinds = (InterfaceError, OperationalError)
        return isinstance(error, kinds) or error.connection_invalidated
    return isinstance(error, asyncpg.PostgresConnectionError)


class Reader:
    """Runs single statements that read, without a transaction around them.

    Each statement sees one snapshot by itself, and so needs no BEGIN and no COMMIT: one round trip
    instead of three. It holds a connection of the engine's pool only while it runs. Code in which
    two statements must see one snapshot uses a transaction (`begin`) instead.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def fetch(self, sql: str, parameters: Sequence[Any]) -> Sequence[Sequence[Any]]:
        """Reads the rows. Raises the refusals of `named_errors`."""
        with named_errors():
            pooled = await self._engine.raw_connection()
            while _closed(pooled):  # the server was restarted meanwhile; the next connection is new
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


#: The ways to send a statement that reads: in a transaction, or without one.
ReadSource = AsyncConnection | Reader


async def fetch(
    source: ReadSource, sql: str, parameters: Sequence[Any] = ()
) -> Sequence[Sequence[Any]]:
    """Reads the rows of a statement in the driver's own form (`$1`, `$2` …), not SQLAlchemy's."""
    if isinstance(source, Reader):
        return await source.fetch(sql, parameters)
    result: CursorResult[Any] = await source.exec_driver_sql(sql, tuple(parameters))
    return result.fetchall()


async def fetch_one(
    source: ReadSource, sql: str, parameters: Sequence[Any] = ()
) -> Sequence[Any] | None:
    """Reads the first row of a statement; None if there is none."""
    rows = await fetch(source, sql, parameters)
    return rows[0] if rows else None


@asynccontextmanager
async def begin(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Opens a transaction: committed when its block ends, rolled back if the block raises."""
    with named_errors():
        async with engine.connect() as connection:
            connection.info.pop(_DUE, None)  # left by the transaction before on this connection
            yield connection
            await connection.commit()


def note_due_deliveries(connection: AsyncConnection) -> None:
    """Notes that this transaction makes deliveries due.

    Every function that writes such rows calls this one. So none of its callers has to think of
    waking the delivery workers (`app.api.deployment`).
    """
    connection.info[_DUE] = True


def has_due_deliveries(connection: AsyncConnection) -> bool:
    """Tells whether this transaction makes deliveries due."""
    return _DUE in connection.info


# Waiting for the database at the start

log = logging.getLogger(__name__)


class DatabaseAway(Stopped):
    """The database did not answer in time."""


async def database_answers(engine: AsyncEngine) -> bool:
    """Tells whether the database answers at all."""
    try:
        async with begin(engine) as connection:
            await connection.exec_driver_sql("SELECT 1")
    except (Refusal, DBAPIError):
        return False
    return True


async def wait_for_database(engine: AsyncEngine, seconds: float) -> None:
    """Waits until the database answers. Raises `DatabaseAway` after so many seconds."""
    deadline = time.monotonic() + seconds
    pause = 0.1
    while not await database_answers(engine):
        if time.monotonic() + pause > deadline:
            raise DatabaseAway(
                f"The database did not answer within {seconds:g} s. Check that it runs, that "
                "DATABASE_URL names it, and that `python -m app migrate` has been run."
            )
        log.warning("waiting for the database")
        await asyncio.sleep(pause)
        pause = min(pause * 2, 2.0)


async def until_it_answers(chosen: Settings) -> None:
    """Waits at most DATABASE_START_WAIT_S, in a process that has no engine yet."""
    engine = create_engine(chosen, pool_size=1)
    try:
        await wait_for_database(engine, chosen.database_start_wait_s)
    finally:
        await engine.dispose()
