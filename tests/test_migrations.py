"""Migrations and tables say the same, and a database can be told from one that is behind."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import asyncpg
import orjson
import pytest
from alembic import command
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from app.base.settings import Settings
from app.commands.migrate import as_owner, upgrade
from app.store.database import driver_url, opened
from app.store.schema import configuration, current_revision, head_revision, migrating_url
from app.store.tables.metadata import metadata
from tests.postgres import execute, token

ROOT = Path(__file__).resolve().parent.parent

#: What PostgreSQL itself says about a schema: columns, constraints (CHECKs too), indexes, and by
#: what tables are partitioned. Partitions are left out: a migration makes those of its own time.
SCHEMA = {
    "columns": """
        SELECT table_name, column_name, data_type, udt_name, is_nullable, column_default,
               col_description(format('%I', table_name)::regclass, ordinal_position::int)
        FROM information_schema.columns
        WHERE table_schema = 'public' AND table_name <> ALL ('{alembic_version,resource_version}')
          AND NOT (SELECT relispartition FROM pg_class
                   WHERE oid = format('%I', table_name)::regclass) ORDER BY 1, 2""",
    "constraints": """
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace AND contype <> 'n' AND conparentid = 0
          AND NOT (SELECT relispartition FROM pg_class WHERE oid = conrelid)
          AND conrelid::regclass::text <> 'alembic_version' ORDER BY 1, 2""",
    "indexes": """
        SELECT tablename, indexname, indexdef FROM pg_indexes
        WHERE schemaname = 'public' AND tablename <> 'alembic_version'
          AND NOT (SELECT relispartition FROM pg_class
                   WHERE oid = format('%I', tablename)::regclass) ORDER BY 1, 2""",
    "partitioned": """
        SELECT partrelid::regclass::text, pg_get_partkeydef(partrelid)
        FROM pg_partitioned_table ORDER BY 1""",
}


#: Another database of this server may have made the service's role, which then is not the owner's.
SERVICE_ROLE = """
DO $$ BEGIN CREATE ROLE nwd_service NOLOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
GRANT nwd_service TO {} WITH ADMIN OPTION"""


def upgrade_on(connection):
    command.upgrade(configuration(connection), "head")


async def schema(url: str) -> dict[str, list[tuple]]:
    connection = await asyncpg.connect(driver_url(url))
    try:
        return {k: [tuple(r) for r in await connection.fetch(q)] for k, q in SCHEMA.items()}
    finally:
        await connection.close()


async def revision(url: str) -> str | None:
    async with opened(as_owner(Settings(), url), size=1) as database:
        return await current_revision(database)


async def test_migrations_build_exactly_the_tables(fresh_database, bare_database):
    engine = create_async_engine(migrating_url(bare_database), poolclass=NullPool)
    await execute(bare_database, "CREATE EXTENSION btree_gist")
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    migrated, declared = await schema(fresh_database), await schema(bare_database)
    assert migrated["columns"]
    for kind in SCHEMA:
        assert migrated[kind] == declared[kind]


async def test_a_database_knows_its_revision(fresh_database, bare_database):
    assert await revision(bare_database) is None
    assert await revision(fresh_database) == head_revision()
    assert head_revision() is not None


async def test_migrating_again_changes_nothing(fresh_database):
    before = await schema(fresh_database)
    await upgrade(fresh_database)
    assert await schema(fresh_database) == before


async def test_what_was_stored_before_is_read_for_searches(fresh_database):
    """A version without words, and a row of the index in an older form."""
    await execute(
        fresh_database,
        """INSERT INTO directory_version (plan, type, id, version, updated_at, body) VALUES
        ('*', 'Organization', 'o', 1, now(), convert_to(
        '{"resourceType": "Organization", "id": "o", "name": "Álvarez"}', 'UTF8'));
        INSERT INTO directory_index (plan, type, name, value, id)
        VALUES ('*', 'Organization', 'name', 'old', 'o')""",
    )
    await upgrade(fresh_database)
    connection = await asyncpg.connect(driver_url(fresh_database))
    try:
        words = await connection.fetchval("SELECT words FROM directory_version")
        index = await connection.fetch("SELECT value FROM directory_index ORDER BY value")
    finally:
        await connection.close()
    assert words == "\x1ename\x1f\x1ename\x1f alvarez\x1e"
    assert sorted(row["value"] for row in index) == ["", " alvarez"]


BEFORE_LABELS = """INSERT INTO resource_set (plan, referral_id, version, number, updated_at, names,
    versions, bodies, words)
VALUES ('HPSM', 'r', 1, '0', now(), ARRAY['Condition.1e0', 'Condition.1e1'], ARRAY[1, 1], ARRAY[
    convert_to('{"resourceType":"Condition","id":"r.1e0","code":{"coding":[{"code":"F10.2"}]}}',
        'UTF8'),
    convert_to('{"resourceType":"Condition","id":"r.1e1","code":{"coding":[{"code":"J45.9"}]}}',
        'UTF8')], ARRAY['', ''])"""


async def test_what_tells_and_was_stored_before_is_labelled(fresh_database):
    """The statement of the migration, and what `migrate` does after it."""
    await execute(fresh_database, BEFORE_LABELS)
    (file,) = (ROOT / "migrations" / "versions").glob("*consent_rules.py")
    await execute(fresh_database, runpy.run_path(str(file))["UNREAD"])
    await upgrade(fresh_database)
    connection = await asyncpg.connect(driver_url(fresh_database))
    try:
        told, plain = await connection.fetch("SELECT body, words FROM resource_version ORDER BY id")
    finally:
        await connection.close()
    assert [each["code"] for each in orjson.loads(told["body"])["meta"]["security"]] == ["SUD", "R"]
    assert "_withheld" in told["words"]
    assert b"meta" not in plain["body"]
    assert "_withheld" not in plain["words"]


async def test_the_databases_owner_need_not_be_a_superuser(bare_database):
    """As in production: may create roles, owns the database, and the extension is trusted."""
    owner = f"owner_{token()}"
    name = make_url(bare_database).database
    await execute(bare_database, f"CREATE ROLE {owner} CREATEROLE; {SERVICE_ROLE.format(owner)}")
    await execute(bare_database, f'ALTER DATABASE "{name}" OWNER TO {owner}')
    engine = create_async_engine(migrating_url(bare_database), poolclass=NullPool)
    async with engine.begin() as connection:
        await connection.exec_driver_sql(f"SET ROLE {owner}")
        await connection.run_sync(upgrade_on)
    assert await revision(bare_database) == head_revision()
    await execute(bare_database, f'ALTER DATABASE "{name}" OWNER TO CURRENT_USER')
    await execute(bare_database, f"DROP OWNED BY {owner}; DROP ROLE {owner}")


@pytest.mark.timeout(60)
def test_several_processes_may_migrate_at_once(bare_database):
    code = (
        "import asyncio, sys; from app.commands.migrate import upgrade; "
        "asyncio.run(upgrade(sys.argv[1]))"
    )
    both = [
        subprocess.Popen([sys.executable, "-c", code, bare_database], cwd=ROOT) for _ in range(2)
    ]
    assert [process.wait() for process in both] == [0, 0]


@pytest.mark.parametrize(
    "arguments",
    [["check"], ["upgrade", "head", "--sql"]],
    ids=["no change is left without a migration", "the SQL can be read beforehand"],
)
def test_the_command_alembic_agrees(fresh_database, arguments):
    done = subprocess.run(
        [sys.executable, "-m", "alembic", *arguments],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": fresh_database, "MIGRATION_DATABASE_URL": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_migration_gives_up_waiting_for_a_lock():
    for file in (ROOT / "migrations" / "versions").glob("*.py"):
        assert "SET LOCAL lock_timeout" in file.read_text(), file.name


INFINITE = """
INSERT INTO referral (plan, id, version, state, organization_id, priority, intent, received_at,
    decision_due, holds_place, moves, announced, created_at, updated_at, details)
VALUES ('HPSM', 'r', 1, 'approved', 'o', 'routine', 'order', now(), '{due}', false, 1, 1, now(),
    now(), '{{}}');
INSERT INTO service_authorization (plan, referral_id, number, cin, service, starts_on, ends_on,
    status, created_at, updated_at)
VALUES ('HPSM', 'r', 'N-1', '9', 'ECM', '9999-01-01', '{ends}', 'open', now(), now())"""


@pytest.mark.parametrize(("due", "ends"), [("infinity", "9999-12-30"), ("9999-12-30", "infinity")])
async def test_no_day_is_after_the_calendar(fresh_database, due, ends):
    with pytest.raises(asyncpg.CheckViolationError):
        await execute(fresh_database, INFINITE.format(due=due, ends=ends))
    await execute(fresh_database, INFINITE.format(due="9999-12-30", ends="9999-12-30"))
