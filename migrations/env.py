"""Runs migrations: on the connection that app/commands/migrate.py hands over, or, for the command
`alembic`, on one to MIGRATION_DATABASE_URL (else DATABASE_URL). All in one transaction.
"""

import asyncio

from alembic import context
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from app.base.settings import settings
from app.store.schema import migrating_url
from app.store.tables.metadata import metadata

#: Several processes may migrate at once (a rolling deployment); any number that is always the same.
LOCK = 6_930_021


def is_ours(name: str | None, kind: str, _parents: object) -> bool:
    """Leaves partitions, and months that were taken away, out of what Alembic compares."""
    return kind != "table" or name in metadata.tables


def migrate(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=metadata, include_name=is_ours)
    with context.begin_transaction():
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        context.run_migrations()


async def migrate_by_command() -> None:
    chosen = settings().migration_database_url or settings().database_url
    engine = create_async_engine(migrating_url(chosen), poolclass=NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(migrate)
        await connection.commit()


def print_sql() -> None:
    context.configure(dialect_name="postgresql", target_metadata=metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()


handed_over = context.config.attributes.get("connection")
if context.is_offline_mode():
    print_sql()
elif handed_over is not None:
    migrate(handed_over)
else:
    asyncio.run(migrate_by_command())
