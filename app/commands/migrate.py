"""Brings a database to the schema that this code expects (`app.store.schema`), as its owner.

Then `reindex` fills the search words of versions that were stored before words were kept. Each
batch is a transaction of its own, and finished work is not repeated: `reindex` may be stopped and
repeated, and several processes may run it at once. It needs the owner, because the service must not
change a version; it does not change the content of a version.
"""

from typing import Any

from alembic import command
from alembic.util import CommandError
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from app.base.errors import Stopped
from app.base.settings import Settings
from app.fhir.r4.strict_json import parse
from app.store.database import database_url, sqlstate, until_it_answers
from app.store.directory.index import INSERT, TYPES, travelling, words
from app.store.reading.words import words as found_by
from app.store.schema import configuration, grant


async def upgrade(url: str, revision: str = "head") -> None:
    """Migrates the database in one transaction, with the service's role and its grants.

    Does nothing if the database is up to date. Afterwards `reindex` runs, in its own transactions.
    `url` is the owner's. Several processes may call this at once, but one process only once at a
    time. Raises the driver's error if the database is away, or if the owner lacks a right.
    """
    engine = create_async_engine(database_url(url), poolclass=NullPool)
    async with engine.begin() as connection:
        await connection.run_sync(_upgrade, revision)
    if revision == "head":
        await reindex(engine)


async def upgrade_when_it_answers(url: str, chosen: Settings) -> None:
    """Runs `upgrade` for a command: waits for the database first, and explains a failure.

    Raises `DatabaseAway`, or `Stopped` if the owner lacks a right or the schema is unknown.
    """
    # As the owner, because the migration makes the restricted role of the service's sessions.
    owner = chosen.model_copy(update={"database_url": url, "migration_database_url": url})
    await until_it_answers(owner)
    try:
        await upgrade(url)
    except (DBAPIError, CommandError) as error:
        raise Stopped(
            f"The database was not migrated ({sqlstate(error) or type(error).__name__}). The "
            "owner must be allowed to create tables, roles and the extension btree_gist, which "
            "comes with PostgreSQL, and the schema must not be newer than this code."
        ) from error


def _upgrade(connection: Connection, revision: str) -> None:
    command.upgrade(configuration(connection), revision)
    if revision == "head":
        grant(connection)


# The search words of earlier versions

_BATCH = 500
_UNREAD = f"""SELECT plan, type, id, version, referral_id, body FROM resource_version
WHERE words IS NULL LIMIT {_BATCH} FOR UPDATE SKIP LOCKED"""
_READ = """UPDATE resource_version v SET words = k.words
FROM unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::text[])
    k(plan, type, id, version, words)
WHERE v.plan = k.plan AND v.type = k.type AND v.id = k.id AND v.version = k.version"""
_FORGET = """DELETE FROM directory_index d
USING unnest($1::text[], $2::text[], $3::text[]) k(plan, type, id)
WHERE d.plan = k.plan AND d.type = k.type AND d.id = k.id"""
_LATEST = """SELECT DISTINCT ON (v.plan, v.type, v.id) v.body, v.plan
FROM unnest($1::text[], $2::text[], $3::text[]) k(plan, type, id)
JOIN resource_version v USING (plan, type, id) ORDER BY v.plan, v.type, v.id, v.version DESC"""


async def reindex(engine: AsyncEngine) -> int:
    """Fills the words of every version without words; returns the number of versions."""
    done = 0
    while True:
        async with engine.begin() as connection:
            count = await _reindex_batch(connection)
        if not count:
            return done
        done += count


async def _reindex_batch(connection: AsyncConnection) -> int:
    rows: Any = (await connection.exec_driver_sql(_UNREAD)).fetchall()
    if not rows:
        return 0
    read = [(*row[:4], found_by(parse(row[5]))) for row in rows]
    await connection.exec_driver_sql(_READ, _columns(read, 5))
    keys = sorted({tuple(row[:3]) for row in rows if row[4] is None and row[1] in TYPES})
    if keys:
        await _reindex_directory(connection, keys)
    return len(rows)


async def _reindex_directory(connection: AsyncConnection, keys: list[Any]) -> None:
    """Rebuilds the index rows of these directory resources from their current versions."""
    columns = _columns(keys, 3)
    current: Any = (await connection.exec_driver_sql(_LATEST, columns)).fetchall()
    await connection.exec_driver_sql(_FORGET, columns)
    rows = [
        (plan, resource["resourceType"], resource["id"], travelling(entries))
        for resource, plan in ((parse(body), plan) for body, plan in current)
        if (entries := sorted(words(resource, found_by(resource))))
    ]
    await connection.exec_driver_sql(INSERT, _columns(rows, 4))


def _columns(rows: list[Any], width: int) -> tuple[list[Any], ...]:
    return tuple([row[index] for row in rows] for index in range(width))
