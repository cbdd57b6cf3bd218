"""The schema that this code expects, and the one that a database has.

The migrations themselves are in `migrations/`, which lies beside the package `app` in a checkout,
in the image and where the package is installed.
"""

from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.base.settings import CHECKOUT
from app.store.database import sqlstate

_MIGRATIONS = CHECKOUT / "migrations"
_UNDEFINED_TABLE = "42P01"


def configuration(connection: Connection | None = None) -> Config:
    """Alembic's configuration for our migrations, on `connection` where one is given."""
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def head_revision() -> str | None:
    """The revision that this code expects; None before the first migration. Reads files."""
    return ScriptDirectory.from_config(configuration()).get_current_head()


async def current_revision(connection: AsyncConnection) -> str | None:
    """The revision of the database; None where nothing has been migrated.

    After None the connection's transaction is over: PostgreSQL ends it with the error.
    """
    try:
        row = await connection.execute(text("SELECT version_num FROM alembic_version"))
    except ProgrammingError as error:
        if sqlstate(error) != _UNDEFINED_TABLE:
            raise
        return None
    revision: str | None = row.scalar()
    return revision
