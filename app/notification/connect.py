"""The delivery worker's own connections: straight asyncpg, each statement its own transaction.

A lost connection is made again at the next statement; waiting between tries is the caller's. The
engine of the requests is `app.database`'s.
"""

import asyncio
from types import TracebackType
from typing import Any

import asyncpg
from sqlalchemy.engine import make_url

from app.database import ROLE
from app.settings import Settings

#: The channel on which a commit is hinted at (`wake.py`).
CHANNEL = "nwd_deliver"

#: What a database that is away, or going away, raises through asyncpg.
LOST = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    # What the driver says of a connection that was lost while it was being tried.
    asyncpg.InternalClientError,
)


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
        """The connection, for this task alone until it leaves; raises one of `LOST`."""
        await self._lock.acquire()
        try:
            if self._connection is None or self._connection.is_closed():
                self._connection = await connect(self._settings, self._name)
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
