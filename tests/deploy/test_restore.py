"""A backup, restored on a server that has never seen the service; a month that is taken away: with
the page's own commands.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from app.base.errors import Stopped
from app.base.settings import Settings
from app.commands.migrate import upgrade, upgrade_when_it_answers
from app.store.database import driver_url
from demo.place import program_folder, server_account
from demo.postgres import EmbeddedPostgres
from demo.throwaway import home
from tests.journeys.payloads import EXTRA, a_referral, because, hopeless, parameters
from tests.journeys.service import furnish, id_of, serving
from tests.postgres import programs
from tests.receiver import Receiver

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "operating.md").read_text()


def commands(heading: str = "Backup and restore") -> list[str]:
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"^    (.+)$", section, re.MULTILINE)


def run(command: str, **told: str) -> None:
    """A command of the page: PostgreSQL's as the account of its server, ours as the test's."""
    account = server_account()
    path = f"{programs() or program_folder(account)}:{Path(sys.executable).parent}"
    ours = command.startswith("python ")
    done = subprocess.run(
        command,
        shell=True,
        cwd=ROOT if ours else "/",
        env={**os.environ, "PATH": f"{path}:{os.environ['PATH']}", **told},
        capture_output=True,
        check=False,
        **({} if ours else account.run_as),
    )
    assert done.returncode == 0, done.stderr.decode()


def owned(server: EmbeddedPostgres, name: str) -> Path:
    """A new folder beside the server's own, which its account may write."""
    folder = server.home / name
    server._make(folder)
    return folder


async def test_a_backup_is_restored_on_a_server_that_is_new(own_postgres):
    await furnish(Settings(database_url=own_postgres.url))
    with home() as folder:
        server = EmbeddedPostgres(folder, durable=False, programs=programs())
        server.start()
        told = {
            "OLD": driver_url(own_postgres.url),
            "NEW": driver_url(server.url),
            "DATABASE_URL": server.url,
            "BACKUP": str(owned(server, "backup") / "nwd.dump"),
        }
        assert len(commands()) == 3
        for command in commands():
            run(command, **told)
        settings = Settings(database_url=server.url, database_pool_size=1)
        await furnish(settings)  # in the role: what is there is found, and nothing is refused
        connection = await asyncpg.connect(driver_url(server.url))
        await connection.execute("SET ROLE nwd_service")
        assert await connection.fetchval("SELECT count(*) FROM member") > 0
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("UPDATE resource_set SET version = 9")
        await connection.close()


async def test_a_server_goes_back_to_a_point_in_time():
    page = commands("Back to a point in time")
    archive, keep, back = page[:3], page[3:5], page[5:]
    early, late = (a_referral(cin, identifier=f"sent-{cin}") for cin in EXTRA[:2])
    with home() as folder, home() as another:
        old = EmbeddedPostgres(folder, programs=programs())
        new = EmbeddedPostgres(another, programs=programs())
        new._make(new._data)
        told = {
            "OLD": driver_url(old.url),
            "WAL": str(owned(old, "wal")),
            "BASE": str(owned(old, "base")),
            "DATA": str(new._data),
            "DATABASE_URL": new.url,
        }
        old.start()
        await upgrade(old.url)
        settings = Settings(
            database_url=old.url, database_pool_size=2, token_secret="back in time " * 4
        )
        await furnish(settings)
        for command in archive:
            run(command, **told)
        old.stop()
        old.start()
        run(keep[0], **told)  # what comes now is in no copy, but in the archive
        async with serving(settings) as service:
            before = await service.refer(early)
            seen = await service.read("ServiceRequest", before)
            run(keep[1], **told)
            after = await service.refer(late)
            await service.store.execute("DELETE FROM referral_history; UPDATE member SET cin = id")
        old.stop()
        for command in back[:-1]:
            run(command, **told)
        new.start()
        run(back[-1], **told)
        async with serving(settings.model_copy(update={"database_url": new.url})) as service:
            assert await service.read("ServiceRequest", before) == seen
            assert len(await service.history(before)) > 0
            gone = await service.ask("hospital", "GET", f"/fhir/ServiceRequest/{after}")
            assert gone.status_code == 404
            again = await service.post(late)
            assert again.status_code == 201
            assert await service.words(id_of(again)) == await service.words(before)
            assert not await service.rows("SELECT 1 FROM member WHERE cin = id")
            repeated = await service.post(early)
            assert (repeated.status_code, id_of(repeated)) == (200, before)


async def test_a_month_is_taken_away(fresh_database):
    """Of its referrals everything that is left is shown, and they are moved as before."""
    page = commands("Months, and how long they are kept")
    assert len(page) == 4
    async with Receiver() as receiver:
        settings = Settings(
            database_url=fresh_database, database_pool_size=4, token_secret="taken away " * 4,
            webhook_allow_private=receiver.allowed,
        )  # fmt: skip
        await furnish(settings)
        async with serving(settings) as service:
            await service.listen(receiver, "hospital", "hook")
            month = f"{service.clock.now():%Y_%m}"
            decided = await service.refer(a_referral(EXTRA[0], identifier="decided"))
            waiting = await service.refer(hopeless(EXTRA[1], identifier="waiting"))
            async with service.delivering():
                await receiver.count(2)
            sent = len(receiver.received)
            first, *_ = await service.found(f"Provenance?target=ServiceRequest/{decided}")
            with home() as folder:
                kept = owned(EmbeddedPostgres(folder, programs=programs()), "kept")
                told = {
                    "MONTH": month,
                    "OLD": driver_url(fresh_database),
                    "BACKUP": str(kept / "month.dump"),
                    "LIST": str(kept / "list"),
                }
                for command in (*page, 'pg_restore --list --file="$LIST" "$BACKUP"'):
                    run(command, **told)
                dumped = (kept / "list").read_text()
            for table in ("attempt", "message", "referral_history"):
                assert f"TABLE DATA public {table}_{month} " in dumped
            assert await service.history(waiting) == []
            given = parameters(reason=because("no-population"), note="Spoke with the clinic.")
            assert (await service.do("staff-hpsm", "deny", waiting, given)).status_code == 200
            assert [row[1] for row in await service.history(waiting)] == ["deny"]
            async with service.delivering():
                await receiver.count(sent + 1)
            for referral in (decided, waiting):
                for by in ("hospital", "staff-hpsm"):
                    await shown_without_history(service, referral, by)
                moves = await service.found(f"Provenance?target=ServiceRequest/{referral}")
                assert len(moves) == len(await service.history(referral))
            gone = await service.ask("hospital", "GET", f"/fhir/Provenance/{first['id']}")
            assert gone.status_code == 404
        await upgrade(fresh_database)


async def shown_without_history(service, referral, by):
    for path in (
        f"/fhir/ServiceRequest/{referral}",
        f"/fhir/ServiceRequest/{referral}/_history",
        f"/v1/referrals/{referral}/timeline",
        f"/v1/referrals/{referral}/timeline.html",
        f"/v1/deliveries?referral={referral}",
        "/v1/deliveries",
    ):
        answer = await service.ask(by, "GET", path)
        assert answer.status_code == 200, (path, answer.text)


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
    connection = await asyncpg.connect(driver_url(fresh_database))
    seen = """SELECT table_name, privilege_type FROM information_schema.role_table_grants
        WHERE grantee = 'nwd_service' ORDER BY 1, 2"""
    before = await connection.fetch(seen)
    await connection.execute(broken)
    assert await connection.fetch(seen) != before
    await upgrade(fresh_database)
    assert await connection.fetch(seen) == before
    await connection.close()


async def test_who_does_not_own_the_tables_is_told_that_nothing_was_granted(own_postgres):
    connection = await asyncpg.connect(driver_url(own_postgres.url))
    await connection.execute("CREATE ROLE helper LOGIN CREATEROLE")
    await connection.execute("GRANT nwd_service TO helper WITH ADMIN OPTION")
    await connection.execute("GRANT SELECT ON alembic_version TO helper")
    await connection.execute("REVOKE INSERT ON referral FROM nwd_service")
    await connection.close()
    url = own_postgres.url.replace("//nwd@", "//helper@", 1)
    settings = Settings(database_url=url)
    with pytest.raises(Stopped, match="owner"):
        await upgrade_when_it_answers(url, settings)
