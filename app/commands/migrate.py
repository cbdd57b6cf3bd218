"""Brings a database to the schema that this code expects (`app.store.schema`), as its owner.

Then `make_months` makes the partitions of this month and the next ones: by the machine's clock,
since ids have its time. And `reindex` fills the search words of versions that were stored before
words were kept. Each batch is a transaction of its own, and finished work is not repeated:
`reindex` may be stopped and repeated, and several processes may run it at once. It needs the owner,
because the service must not change a version; of the content it changes the labels alone.
"""

from typing import Any

from alembic import command
from alembic.util import CommandError
from sqlalchemy import Connection
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from app.base.clock import ServiceClock
from app.base.errors import Stopped
from app.base.settings import Settings
from app.fhir.r4.strict_json import dumps, parse
from app.fhir.sensitive import label
from app.store.database import Database, Row, Source, opened, until_it_answers
from app.store.database_errors import DATABASE_ERRORS, sqlstate
from app.store.directory.index import INSERT, TYPES, travelling, words
from app.store.months import make_months
from app.store.reading.words import words as found_by
from app.store.schema import admit, configuration, grant, migrating_url, put_settings_on


async def upgrade(url: str, revision: str = "head") -> None:
    """Migrates the database in one transaction, with the service's role and its grants.

    Does nothing if the database is up to date. Afterwards `make_months` and `reindex` run, in
    transactions of their own. `url` is the owner's. Several processes may call this at once, but
    one process only once at a time. Raises the driver's error if the database is away, or if the
    owner lacks a right.
    """
    engine = create_async_engine(migrating_url(url), poolclass=NullPool)
    async with engine.begin() as connection:
        await connection.run_sync(_upgrade, revision)
    if revision == "head":
        async with opened(as_owner(Settings(), url), size=1) as database:
            await make_months(database, ServiceClock().now().date())
            await reindex(database)


def as_owner(chosen: Settings, url: str) -> Settings:
    """Returns the settings of a process that works as the owner, not in the restricted role."""
    urls = {"database_url": url, "migration_database_url": url, "database_pooled": False}
    return chosen.model_copy(update=urls)


async def upgrade_when_it_answers(url: str, chosen: Settings) -> None:
    """Runs `upgrade` for a command: waits for the database first, and explains a failure.

    A login of the service's own it then makes a member of the service's role, and sets on it what
    its sessions need behind a pooler. Raises
    `DatabaseAway`, or `Stopped` if the owner lacks a right or the schema is unknown.
    """
    if chosen.database_pooled and not chosen.migration_database_url:
        raise Stopped(
            "Behind a pooler the service needs a login of its own, and migrations a connection "
            "without the pooler: set MIGRATION_DATABASE_URL to the owner's."
        )
    # As the owner, because the migration makes the restricted role of the service's sessions.
    await until_it_answers(as_owner(chosen, url))
    try:
        await upgrade(url)
    except (DBAPIError, *DATABASE_ERRORS, CommandError) as error:
        what = sqlstate(getattr(error, "orig", error)) or type(error).__name__
        raise Stopped(
            f"The database was not migrated ({what}). The owner must be allowed to create tables, "
            "roles and the extension btree_gist, which comes with PostgreSQL, and the schema must "
            "be of version 0.2.0 or later, and not newer than this code."
        ) from error
    if chosen.migration_database_url:
        login = make_url(chosen.database_url).username or ""
        async with opened(as_owner(chosen, url), size=1) as owner:
            await admit(login, owner)
            if chosen.database_pooled:
                await put_settings_on(login, owner)


def _upgrade(connection: Connection, revision: str) -> None:
    command.upgrade(configuration(connection), revision)
    if revision == "head":
        grant(connection)


# The search words of earlier versions

#: Versions of the directory in a batch, and rows of resources, each of which may have many.
_BATCH, _SETS = 500, 20
_UNREAD_SETS = """SELECT plan, referral_id, version, number, bodies FROM resource_set
WHERE words IS NULL LIMIT $1::int FOR UPDATE SKIP LOCKED"""
_READ_SET = """UPDATE resource_set SET words = $5, bodies = $6
WHERE plan = $1 AND referral_id = $2 AND version = $3 AND number = $4"""
_UNREAD = """SELECT plan, type, id, version, body FROM directory_version
WHERE words IS NULL LIMIT $1::int FOR UPDATE SKIP LOCKED"""
_READ = """UPDATE directory_version v SET words = k.words
FROM unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::text[])
    k(plan, type, id, version, words)
WHERE v.plan = k.plan AND v.type = k.type AND v.id = k.id AND v.version = k.version"""
_FORGET = """DELETE FROM directory_index d
USING unnest($1::text[], $2::text[], $3::text[]) k(plan, type, id)
WHERE d.plan = k.plan AND d.type = k.type AND d.id = k.id"""
_LATEST = """SELECT DISTINCT ON (v.plan, v.type, v.id) v.body, v.plan
FROM unnest($1::text[], $2::text[], $3::text[]) k(plan, type, id)
JOIN directory_version v USING (plan, type, id) ORDER BY v.plan, v.type, v.id, v.version DESC"""


async def reindex(database: Database) -> int:
    """Fills the words of every row without words; returns the number of rows."""
    done = 0
    for step in (_reindex_sets, _reindex_listed):
        while True:
            async with database.begin() as connection:
                count = await step(connection)
            if not count:
                break
            done += count
    return done


async def _reindex_sets(source: Source) -> int:
    """Reads resources of referrals, and labels those that tell (`app.fhir.sensitive`)."""
    rows = await source.fetch(_UNREAD_SETS, _SETS)
    for row in rows:
        read = [_labelled(body) for body in row["bodies"]]
        bodies, found = [body for body, _ in read], [found for _, found in read]
        key = (row["plan"], row["referral_id"], row["version"], row["number"])
        await source.execute(_READ_SET, *key, found, bodies)
    return len(rows)


def _labelled(body: bytes) -> tuple[bytes, str]:
    """Returns a body, labelled if it tells and had no label, and its words."""
    resource = parse(body)
    labelled = label(resource)
    return body if labelled is resource else dumps(labelled), found_by(labelled)


async def _reindex_listed(source: Source) -> int:
    """Reads resources of the directory."""
    rows = await source.fetch(_UNREAD, _BATCH)
    if not rows:
        return 0
    read = [(*_key(row), row["version"], found_by(parse(row["body"]))) for row in rows]
    await source.execute(_READ, *_columns(read, 5))
    keys = sorted({_key(row) for row in rows if row["type"] in TYPES})
    if keys:
        await _reindex_directory(source, keys)
    return len(rows)


async def _reindex_directory(source: Source, keys: list[Any]) -> None:
    """Rebuilds the index rows of these directory resources from their current versions."""
    columns = _columns(keys, 3)
    current = await source.fetch(_LATEST, *columns)
    await source.execute(_FORGET, *columns)
    rows = [
        (plan, resource["resourceType"], resource["id"], travelling(entries))
        for resource, plan in ((parse(row["body"]), row["plan"]) for row in current)
        if (entries := sorted(words(resource, found_by(resource))))
    ]
    await source.execute(INSERT, *_columns(rows, 4))


def _key(row: Row) -> tuple[str, str, str]:
    return row["plan"], row["type"], row["id"]


def _columns(rows: list[Any], width: int) -> tuple[list[Any], ...]:
    return tuple([row[index] for row in rows] for index in range(width))
