"""Brings a database to the schema that this code expects (`app.store.schema`)."""

from alembic import command
from alembic.util import CommandError
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from app.base.errors import Stopped
from app.base.settings import Settings
from app.commands.reindex import reindex
from app.store.database import database_url, sqlstate
from app.store.grants import grant
from app.store.schema import configuration
from app.store.waiting import until_it_answers


async def upgrade(url: str, revision: str = "head") -> None:
    """Migrates the database in one transaction, the service's role and its grants with it; does
    nothing where it is done already. Then what was stored before is read for searches, in
    transactions of its own.

    `url` is the owner's. Several processes may call it at once, but one process only once at a
    time. Raises what the driver raises when the database is away or the owner may not do it.
    """
    engine = create_async_engine(database_url(url), poolclass=NullPool)
    async with engine.begin() as connection:
        await connection.run_sync(_upgrade, revision)
    if revision == "head":
        await reindex(engine)


async def upgrade_when_it_answers(url: str, chosen: Settings) -> None:
    """`upgrade` for a command: waits for the database, and says what went wrong in a sentence.

    Raises `DatabaseAway`, and `Stopped` where the owner may not do it or the schema is another's.
    """
    # As the owner: the restricted role that sessions take is made on the way.
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
