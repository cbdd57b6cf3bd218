"""The one way to the database: a pool of connections for the service, the clocks and the workers.

A `Database` sends single statements, each its own transaction, or opens a `Transaction` for several
that must hold together. Rows are read by name. Statements are constants in the driver's own form
(`$1`, `$2` …); those whose shape varies come from `app.store.statement`.

Settings of a session go with each new connection. Behind a pooler that gives a connection to
another client after every transaction (`DATABASE_POOLED`) they cannot: there they are set on the
role, by `python -m app migrate`. A process that starts before its database waits for it here.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol

import asyncpg
from sqlalchemy.engine import make_url

from app.base.errors import Stopped
from app.base.settings import Settings
from app.store.database_errors import (
    DATABASE_ERRORS,
    DRIVER_ERRORS,
    DatabaseLost,
    named_errors,
    raise_named,
)

#: The restricted role that the migration creates: it may not change history.
ROLE = "nwd_service"
#: The settings of every session, as PostgreSQL shows them: it waits at most 2 s for a lock and 10 s
#: for a statement.
SESSION: Mapping[str, str] = {
    "lock_timeout": "2s",
    "statement_timeout": "10s",
    "idle_in_transaction_session_timeout": "30s",
    "jit": "off",
    "plan_cache_mode": "force_generic_plan",
    "timezone": "UTC",
}

_log = logging.getLogger(__name__)


class Row(Protocol):
    """One row of a result, read by the names of its columns."""

    def __getitem__(self, name: str, /) -> Any: ...

    def keys(self) -> Iterable[str]: ...


def driver_url(url: str) -> str:
    """Returns the URL as the driver reads it, whatever driver of SQLAlchemy's it names."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


async def _keep(_connection: Any) -> None:
    """Takes a connection back into the pool as it is.

    Nothing here changes a session, so that nothing has to be reset, which is a round trip.
    """


class Database:
    """A pool of connections to one database, opened with the first statement.

    `name` is what the server calls its sessions, `planner` holds settings besides those of every
    session. `on_due` is called after each commit that makes deliveries due
    (`app.journey.notification.wake`).
    """

    def __init__(
        self,
        settings: Settings,
        *,
        size: int | None = None,
        name: str = "",
        planner: Mapping[str, str] | None = None,
    ) -> None:
        self._settings = settings
        self._planner = planner or {}
        self._size = size or settings.database_pool_size
        self._name = f"no-wrong-door {name}".rstrip()
        self._opened: asyncpg.Pool | None = None
        #: Connections of the pool that it believes to be in use, and how many wait for the pool.
        self._at_hand: list[Any] = []
        self._waiting = 0
        self.on_due: Callable[[], None] = lambda: None

    async def fetch(self, sql: str, *values: Any) -> list[Row]:
        """Reads the rows of one statement, which is its own transaction."""
        async with _Taken(self) as connection:
            rows: list[Row] = await connection.fetch(sql, *values)
        return rows

    async def fetch_one(self, sql: str, *values: Any) -> Row | None:
        """Reads the first row of one statement; None if there is none."""
        async with _Taken(self) as connection:
            row: Row | None = await connection.fetchrow(sql, *values)
        return row

    async def execute(self, sql: str, *values: Any) -> None:
        """Runs one statement without reading rows."""
        async with _Taken(self) as connection:
            await connection.execute(sql, *values)

    def deliveries_due(self) -> None:
        """Hints that deliveries are due: a statement that made them so has committed."""
        self.on_due()

    @asynccontextmanager
    async def begin(self, opening: str = "BEGIN") -> AsyncIterator["Transaction"]:
        """Opens a transaction: committed when its block ends, rolled back if the block raises.

        `opening` may say more than BEGIN, in the same round trip (`app.store.acting`).
        """
        connection = await self.take()
        whole = False
        try:
            transaction = Transaction(connection)
            with named_errors():
                await connection.execute(opening)
            try:
                yield transaction
            except BaseException:
                with suppress(*DRIVER_ERRORS):  # the connection may be lost, and all with it
                    await connection.execute("ROLLBACK")
                raise
            with named_errors():
                await connection.execute("COMMIT")
            whole = True
        finally:
            await self.give_back(connection, whole=whole)
        if transaction.due:
            self.on_due()

    async def take(self) -> Any:
        """Takes a connection at hand, else from the pool: waits as long as a request may wait."""
        if self._opened is None:
            self._opened = await self._open()
        while self._at_hand:
            connection = self._at_hand.pop()
            if _is_open(connection):
                return connection
            await self._release(connection)
        self._waiting += 1
        try:
            async with asyncio.timeout(self._settings.database_wait_s):
                return await self._opened.acquire()
        except (TimeoutError, *DRIVER_ERRORS) as error:
            raise DatabaseLost from error
        finally:
            self._waiting -= 1

    async def give_back(self, connection: Any, *, whole: bool) -> None:
        """Keeps a connection at hand if nobody waits for one, else gives it to the pool.

        To give it and to take it again costs more than many a statement. The pool also gets a
        connection that is not `whole`, and sees to what a statement that broke off has left.
        """
        if whole and not self._waiting and self._opened is not None:
            self._at_hand.append(connection)
        else:
            await self._release(connection)

    async def _release(self, connection: Any) -> None:
        if self._opened is not None:
            with named_errors():
                await self._opened.release(connection)

    async def _open(self) -> asyncpg.Pool:
        pooled = self._settings.database_pooled
        return await asyncpg.create_pool(
            driver_url(self._settings.database_url),
            min_size=0,
            max_size=self._size,
            reset=_keep,
            max_inactive_connection_lifetime=0,
            timeout=5,
            # Without a limit on statements, the driver sets none either.
            command_timeout=None if "statement_timeout" in self._planner else 15,
            # A pooler may run each statement in another session: none knows what one prepared.
            statement_cache_size=0 if pooled else 256,
            max_cacheable_statement_size=0,  # the statement of a move is long; 0 is no limit
            server_settings={
                "application_name": self._name,
                **({} if pooled else {**session_settings(self._settings), **self._planner}),
            },
        )

    async def close(self) -> None:
        """Closes the connections; those still in use after 2 s are cut off."""
        pool, self._opened = self._opened, None
        at_hand, self._at_hand = self._at_hand, []
        if pool is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(2):
                    for connection in at_hand:
                        await pool.release(connection)
                    await pool.close()


def _is_open(connection: Any) -> bool:
    try:
        return not connection.is_closed()
    except asyncpg.InterfaceError:  # it was cut, and the pool has taken it back by itself
        return False


class _Taken:
    """A connection for one statement; the driver's errors become those of `database_errors`."""

    __slots__ = ("_connection", "_database")

    def __init__(self, database: Database) -> None:
        self._database = database

    async def __aenter__(self) -> Any:
        self._connection = await self._database.take()
        return self._connection

    async def __aexit__(self, _kind: Any, error: BaseException | None, _trace: Any) -> None:
        await self._database.give_back(self._connection, whole=error is None)
        if isinstance(error, DRIVER_ERRORS):
            raise_named(error)


class Transaction:
    """Statements that hold together, on one connection. `due`: they make deliveries due."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.due = False

    async def fetch(self, sql: str, *values: Any) -> list[Row]:
        """Reads the rows of a statement."""
        try:
            rows: list[Row] = await self._connection.fetch(sql, *values)
        except DRIVER_ERRORS as error:
            raise_named(error)
        return rows

    async def fetch_one(self, sql: str, *values: Any) -> Row | None:
        """Reads the first row of a statement; None if there is none."""
        try:
            row: Row | None = await self._connection.fetchrow(sql, *values)
        except DRIVER_ERRORS as error:
            raise_named(error)
        return row

    async def execute(self, sql: str, *values: Any) -> None:
        """Runs a statement without reading rows."""
        try:
            await self._connection.execute(sql, *values)
        except DRIVER_ERRORS as error:
            raise_named(error)

    def deliveries_due(self) -> None:
        """Notes that this transaction makes deliveries due; the hint follows its commit."""
        self.due = True


class Source(Protocol):
    """A way to send a statement: by itself, or in a transaction; for the service or a caller."""

    async def fetch(self, sql: str, *values: Any) -> list[Row]: ...

    async def fetch_one(self, sql: str, *values: Any) -> Row | None: ...

    async def execute(self, sql: str, *values: Any) -> None: ...

    def deliveries_due(self) -> None: ...


def session_settings(settings: Settings) -> dict[str, str]:
    """Lists the settings of a session; the role only where owner and service have one URL."""
    role = {} if settings.migration_database_url else {"role": ROLE}
    return {**SESSION, **role}


@asynccontextmanager
async def listening(
    settings: Settings, channel: str, take: Callable[..., None]
) -> AsyncIterator[asyncio.Event]:
    """Takes notifications of a channel, on a connection of its own, while the block runs.

    Yields the event that is set when the connection is lost.
    """
    ended = asyncio.Event()
    with named_errors():
        connection = await asyncpg.connect(
            driver_url(settings.listen_url),
            timeout=5,
            command_timeout=15,
            server_settings={"application_name": "no-wrong-door listens"},
        )
        try:
            connection.add_termination_listener(lambda _: ended.set())
            await connection.add_listener(channel, take)
            yield ended
        finally:
            connection.terminate()


# Waiting for the database at the start


class DatabaseAway(Stopped):
    """The database did not answer in time."""


async def database_answers(database: Database) -> bool:
    """Tells whether the database answers at all."""
    try:
        await database.execute("SELECT 1")
    except DATABASE_ERRORS:
        return False
    return True


async def wait_for_database(database: Database, seconds: float) -> None:
    """Waits until the database answers. Raises `DatabaseAway` after so many seconds."""
    deadline = time.monotonic() + seconds
    pause = 0.1
    while not await database_answers(database):
        if time.monotonic() + pause > deadline:
            raise DatabaseAway(
                f"The database did not answer within {seconds:g} s. Check that it runs, that "
                "DATABASE_URL names it, and that `python -m app migrate` has been run."
            )
        _log.warning("waiting for the database")
        await asyncio.sleep(pause)
        pause = min(pause * 2, 2.0)


async def until_it_answers(chosen: Settings) -> None:
    """Waits at most DATABASE_START_WAIT_S, in a process that has no pool yet.

    Raises `Stopped` if a pooler's sessions lack settings, which this process cannot set.
    """
    async with opened(chosen, size=1) as database:
        await wait_for_database(database, chosen.database_start_wait_s)
        if chosen.database_pooled:
            await _check_session(database)


_UNSET = """SELECT s.name FROM unnest($1::text[], $2::text[]) AS s(name, value)
WHERE current_setting(s.name) <> s.value"""


async def _check_session(database: Database) -> None:
    wanted = {"role": ROLE, **SESSION}
    rows = await database.fetch(_UNSET, list(wanted), list(wanted.values()))
    if rows:
        raise Stopped(
            "Behind a pooler the login of DATABASE_URL brings the settings of its sessions, and "
            f"these are not set: {', '.join(row['name'] for row in rows)}. `python -m app migrate` "
            "sets them; let the pooler connect anew then (PgBouncer: RECONNECT)."
        )


@asynccontextmanager
async def opened(
    settings: Settings, *, size: int, name: str = "", planner: Mapping[str, str] | None = None
) -> AsyncIterator[Database]:
    """Opens a pool for the block, and closes it."""
    database = Database(settings, size=size, name=name, planner=planner)
    try:
        yield database
    finally:
        await database.close()
