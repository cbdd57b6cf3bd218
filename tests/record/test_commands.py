"""`python -m app audit …`, as an operator runs it."""

import asyncio
import os
import subprocess
import sys

import orjson

from app.base.settings import Settings
from app.fhir.r4.check import check_resource
from app.store.database import opened
from tests.postgres import execute
from tests.record.scene import a_chain


async def audit(url, *words, status=0):
    """Runs a command; returns what it printed, after checking its exit status."""
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "app", "audit", *words],
        env=os.environ | {"DATABASE_URL": url, "MIGRATION_DATABASE_URL": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stderr
    return done.stdout if status == 0 else done.stderr


async def test_the_record_is_verified_kept_exported_and_retired(fresh_database, tmp_path):
    async with opened(Settings(database_url=fresh_database), size=1) as database:
        first, *_ = await a_chain(database)
        await a_chain(database, "*", events=1)
    assert await audit(fresh_database, "verify") == "*: whole, 1 events\nHPSM: whole, 6 events\n"
    heads = await audit(fresh_database, "head")
    kept = tmp_path / "heads"
    kept.write_text(heads)
    assert [line.split()[:2] for line in heads.splitlines()] == [["*", "1"], ["HPSM", "6"]]
    days = ("--from", "2020-01-01", "--to", "2099-01-01")
    lines = (await audit(fresh_database, "export", "--plan", "HPSM", *days)).splitlines()
    events = [orjson.loads(line) for line in lines]
    assert len(events) == 6
    assert [fault for event in events for fault in check_resource(event)] == []
    refused = await audit(fresh_database, "retire", "--before", "2026-01", status=1)
    assert "six years" in refused
    assert await audit(fresh_database, "retire", "--before", "2020-01") == ""
    whole = await audit(fresh_database, "verify", "--head", str(kept), "--plan", "HPSM")
    assert whole == "HPSM: whole, 7 events\n"
    await execute(fresh_database, f"DELETE FROM audit_event WHERE id = '{first}'")
    broken = await audit(fresh_database, "verify", status=1)
    assert broken == f"HPSM: event 1 ({first}) is missing: it was deleted\n"


async def test_months_that_were_taken_away_are_no_fault(fresh_database):
    """Events of seven years ago; nobody may say so of those within six years."""
    old = "016f0000-0000-7000-8000-00000000000"  # in 2019
    async with opened(Settings(database_url=fresh_database), size=1) as database:
        await a_chain(database, events=4, ids=[f"{old}{number}" for number in range(4)])
    await audit(fresh_database, "retire", "--before", "2020-01")
    await execute(fresh_database, "DELETE FROM audit_event WHERE id < '01800000'")
    assert await audit(fresh_database, "verify") == "HPSM: whole, 5 events\n"
    less = "UPDATE audit_event SET about = '{before/2019-01-01T00:00:00+00:00}'"
    await execute(fresh_database, less)
    assert "is missing" in await audit(fresh_database, "verify", status=1)
