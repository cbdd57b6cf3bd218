"""PostgreSQL for the tests: one throwaway cluster a run, one migrated database a worker.

The cluster starts when the first worker needs it. `DATABASE_URL` names another server to use (its
user must be allowed to create databases and roles); `POSTGRES_PROGRAMS` another PostgreSQL's
programs for the clusters that tests start themselves.
"""

import asyncio
import fcntl
import os
import uuid
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy.engine import make_url

from app.commands.migrate import upgrade
from app.store.database import Database, Transaction, driver_url
from app.store.statement import compiled
from app.store.tables.metadata import metadata
from demo.postgres import EmbeddedPostgres

TEMPLATE = "template"


def programs() -> Path | None:
    named = os.environ.get("POSTGRES_PROGRAMS")
    return Path(named) if named else None


def in_database(url: str, name: str) -> str:
    return make_url(url).set(database=name).render_as_string(hide_password=False)


class Cluster:
    """The run's server, as one worker sees it; `home` is shared by all workers of the run."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.prefix = f"nwd_{home.name.rpartition('-')[2]}_"
        self._url = ""

    @property
    def url(self) -> str:
        """The owner's connection to the server; starts it and migrates the template, once a run."""
        if not self._url:
            with self._alone():
                noted = self.home / "url"
                if not noted.exists():
                    noted.write_text(self._begin())
                self._url = noted.read_text()
        return self._url

    def create(self, name: str, *, template: str | None = TEMPLATE) -> str:
        """A new database, migrated unless `template` is None; returns its URL."""
        source = f'"{self.prefix}{template}"' if template else "template0"
        url = self.url
        asyncio.run(execute(url, f'CREATE DATABASE "{self.prefix}{name}" TEMPLATE {source}'))
        return in_database(url, self.prefix + name)

    def drop(self, name: str) -> None:
        asyncio.run(
            execute(self.url, f'DROP DATABASE IF EXISTS "{self.prefix}{name}" WITH (FORCE)')
        )

    def end(self) -> None:
        """Drops what this run made on a server that is not ours; ours goes with its folder."""
        if os.environ.get("DATABASE_URL") and (self.home / "url").exists():
            asyncio.run(drop_all(self.url, self.prefix))

    def _begin(self) -> str:
        url = os.environ.get("DATABASE_URL", "")
        if not url:
            server = EmbeddedPostgres(self.home, durable=False, programs=programs())
            server.start()
            url = server.url
        name = self.prefix + TEMPLATE
        asyncio.run(execute(url, f'CREATE DATABASE "{name}" TEMPLATE template0'))
        asyncio.run(upgrade(in_database(url, name)))
        return url

    @contextmanager
    def _alone(self):
        with (self.home / "starting").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


async def execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(driver_url(url))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def drop_all(url: str, prefix: str) -> None:
    connection = await asyncpg.connect(driver_url(url))
    try:
        names = "SELECT datname FROM pg_database WHERE starts_with(datname, $1)"
        for row in await connection.fetch(names, prefix):
            await connection.execute(f'DROP DATABASE IF EXISTS "{row["datname"]}" WITH (FORCE)')
    finally:
        await connection.close()


async def run(source, expression) -> None:
    """Sends a Core expression with its values, as the service's own statements are sent."""
    await source.execute(*compiled(expression).called())


@contextmanager
def statements():
    """Lists the text of every statement that this process sends meanwhile, transactions apart; and
    what every service does once a second, whoever asks.
    """
    sent = []
    ways = [
        (kind, name)
        for kind in (Database, Transaction)
        for name in ("fetch", "fetch_one", "execute")
    ]

    def noting(way):
        async def noted(source, sql, *values):
            if "token_series FROM client" not in sql:
                sent.append(sql)
            return await way(source, sql, *values)

        return noted

    with pytest.MonkeyPatch.context() as patch:
        for kind, name in ways:
            patch.setattr(kind, name, noting(getattr(kind, name)))
        yield sent


def emptying() -> str:
    """Empties every table; several times faster than TRUNCATE on tables with a few rows."""
    return ";".join(f'DELETE FROM "{t.name}"' for t in reversed(metadata.sorted_tables))


def token() -> str:
    """A name that no other database of the run has."""
    return uuid.uuid4().hex[:12]
