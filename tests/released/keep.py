"""Keeps what later versions are tried against: contract, code and a database of this version.

    .venv/bin/python -m tests.released.keep

The code is that of the last commit, without the files of the page `/docs`. The database has what a
few referrals leave: decided, waiting, denied, taken back; with their letters and messages.
"""

import asyncio
import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import orjson

from app.api.contract.breaking import outline
from app.base.settings import VERSION, Settings
from app.commands.migrate import upgrade
from app.store.database import driver_url
from demo.place import program_folder, server_account
from demo.referral import hospital_bundle, new_member, roster_entry
from demo.throwaway import throwaway
from tests.journeys.payloads import EXTRA, a_referral, because, hopeless, incomplete, parameters
from tests.journeys.service import Service, furnish, serving
from tests.receiver import Receiver

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(__file__).resolve().parent
#: The statements that make the database, beside the code.
DATABASE = "database.sql"
CODE = ("app", "migrations", "openapi/examples", ":(exclude)app/api/contract/static")


def main() -> None:
    contract = orjson.loads((ROOT / "openapi" / "openapi.json").read_bytes())
    (ROOT / "openapi" / "released" / f"{VERSION}.json").write_bytes(orjson.dumps(outline(contract)))
    kept = FOLDER / f"{VERSION}.zip"
    code = ["git", "archive", "-9", f"--output={kept}", "HEAD", *CODE]
    subprocess.run(code, cwd=ROOT, check=True)
    with throwaway() as server, ZipFile(kept, "a", ZIP_DEFLATED, compresslevel=9) as archive:
        asyncio.run(lived(server.url))
        archive.writestr(DATABASE, dumped(server.url))


def dumped(url: str) -> str:
    """The database as statements that any PostgreSQL takes in one go."""
    program = program_folder(server_account()) / "pg_dump"
    how = ("--inserts", "--rows-per-insert=100", "--no-owner", "--no-privileges", "--no-comments")
    done = subprocess.run(
        [program, *how, driver_url(url)],
        capture_output=True, text=True, check=True, env={**os.environ, "TZ": "UTC"},
    )  # fmt: skip
    lines = done.stdout.splitlines()
    return "\n".join(line for line in lines if line and not line.startswith(("--", "SET ", "\\")))


async def lived(url: str) -> None:
    """Leaves in a new database what a service of this version does."""
    await upgrade(url)
    settings = Settings(database_url=url, token_secret="released " * 8)
    member = new_member()
    known = [one for one in roster_entry(member) if one["id"].endswith(member.cin.lower())]
    async with Receiver() as receiver:
        settings = settings.model_copy(update={"webhook_allow_private": receiver.allowed})
        await furnish(settings, more=known)
        async with serving(settings) as service, service.delivering():
            for client in ("hospital", "ecm-provider"):
                await service.listen(receiver, client, f"/{client}")
            await service.refer(hospital_bundle(member, datetime.now(UTC)))
            await moved(service)
            waiting = "SELECT count(*) FROM delivery WHERE state = 'pending'"
            while await service.rows(waiting) != [(0,)]:  # noqa: ASYNC110  the worker is at work
                await asyncio.sleep(0.05)


async def moved(service: Service) -> None:
    """Refers, and leaves each referral in another state."""
    waits, looked_at, denied, taken_back = [
        await service.refer(make(cin))
        for make, cin in zip((incomplete, hopeless, hopeless, a_referral), EXTRA, strict=False)
    ]
    why = parameters(reason=because("no-population"), note="Spoke with the clinic.")
    for by, operation, referral, body in (
        ("staff-hpsm", "deny", denied, why),
        ("hospital", "cancel", taken_back, None),
    ):
        answer = await service.do(by, operation, referral, body)
        assert answer.status_code == 200, answer.text
    for referral, state in ((waits, "information-needed"), (looked_at, "in-review")):
        assert await service.words(referral) == ["pending", state]


if __name__ == "__main__":
    main()
