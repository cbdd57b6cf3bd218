"""A database of each released version is brought to this one while the released version serves."""

import asyncio
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import asyncpg
import httpx
import orjson
import pytest

from app.base.settings import Settings
from app.commands.migrate import as_owner, upgrade
from app.store.database import driver_url, opened
from app.store.schema import current_revision, head_revision
from tests.faults.processes import ROOT, process, token
from tests.journeys.payloads import EXTRA, because, incomplete, parameters
from tests.journeys.service import serving
from tests.postgres import execute
from tests.released.keep import DATABASE

FOLDER = Path(__file__).parent
VERSIONS = sorted(file.stem for file in FOLDER.glob("*.zip"))
STATIC = "app/api/contract/static"
STORED = "SELECT DISTINCT type, id FROM resource_version WHERE plan = 'HPSM'"
DENIED = parameters(reason=because("no-population"), note="Spoke with the clinic.")


def test_each_release_is_kept_whole():
    contracts = {file.stem for file in (ROOT / "openapi" / "released").glob("*.json")}
    assert VERSIONS
    assert set(VERSIONS) <= contracts


@pytest.fixture(params=VERSIONS)
def code(request, tmp_path):
    """The folder with the code of a release; the page `/docs` is this version's."""
    folder = tmp_path / request.param
    with zipfile.ZipFile(FOLDER / f"{request.param}.zip") as kept:
        kept.extractall(folder)
    folder.joinpath(STATIC).symlink_to(ROOT / STATIC)
    return folder


@pytest.fixture
async def url(code, bare_database):
    """The URL of a database that this release has left, and looks after."""
    await execute(bare_database, code.joinpath(DATABASE).read_text())
    run(bare_database, code, "migrate")
    return bare_database


def run(url, code, *command):
    """Runs a command of this code on the database; it must succeed."""
    told = {**os.environ, "DATABASE_URL": url, "MIGRATION_DATABASE_URL": ""}
    subprocess.run([sys.executable, "-m", "app", *command], cwd=code, env=told, check=True)


def asks(base, headers):
    return httpx.AsyncClient(base_url=f"{base}/fhir", headers=headers, timeout=30)


async def bodies(http, places):
    """Type/id → the resource, as it is sent."""
    answers = {place: await http.get(f"/{place}") for place in places}
    assert {answer.status_code for answer in answers.values()} == {200}
    return {place: without_labels(answer.json()) for place, answer in answers.items()}


def without_labels(resource):
    """As it is sent, but for the labels that this version puts (`app.fhir.sensitive`)."""
    meta = {name: value for name, value in resource["meta"].items() if name != "security"}
    return orjson.dumps({**resource, "meta": meta})


async def refer_until(stop, http):
    """Posts one referral after another, and moves each; returns their ids."""
    posted = []
    while not (posted and stop.is_set()):
        body = orjson.dumps(incomplete(EXTRA[len(posted) % 40]))
        answer = await http.post("/ServiceRequest", content=body)
        assert answer.status_code == 201, answer.text
        posted.append(answer.json()["id"])
        answer = await http.post(f"/ServiceRequest/{posted[-1]}/$cancel")
        assert answer.status_code == 200, answer.text
    return posted


@pytest.mark.timeout(120)
async def test_it_is_brought_here_while_the_release_serves(code, url, tmp_path):
    connection = await asyncpg.connect(driver_url(url))
    places = ["/".join(row) for row in await connection.fetch(STORED)]
    waits = await connection.fetchval(
        "SELECT id FROM referral WHERE plan = 'HPSM' AND business_status = 'in-review'"
    )
    await connection.close()
    assert len(places) > 30
    async with process(url, tmp_path / "log", code=code) as old:
        await old.answering()
        staff, hospital = [await token(old.base, name) for name in ("staff-hpsm", "hospital")]
        async with asks(old.base, staff) as reads, asks(old.base, hospital) as refers:
            before = await bodies(reads, places)
            stop = asyncio.Event()
            posting = asyncio.create_task(refer_until(stop, refers))
            await upgrade(url)
            async with opened(as_owner(Settings(), url), size=1) as database:
                assert await current_revision(database) == head_revision()
            assert await bodies(reads, places) == before
            stop.set()
            posted = await posting
    async with serving(Settings(database_url=url, token_secret="released " * 8)) as service:
        base = str(service.http.base_url).rstrip("/")
        async with asks(base, await token(base, "staff-hpsm")) as reads:
            assert await bodies(reads, places) == before
        named = await service.rows("SELECT families FROM member WHERE cin = '9000001XA'")
        assert named == [(["Samplewood"],)]
        for referral in posted:
            assert await service.words(referral) == ["cancelled"]
        answer = await service.do("staff-hpsm", "deny", waits, DENIED)
        assert answer.status_code == 200, answer.text
        timeline = await service.ask("hospital", "GET", f"/v1/referrals/{waits}/timeline")
        assert timeline.status_code == 200, timeline.text
    run(url, ROOT, "check-places")
