"""The service is killed in the middle of its work; clients repeat what was not answered."""

import asyncio
from datetime import UTC, datetime

import asyncpg
import httpx
import orjson

from app.store.database import driver_url
from tests.faults.conftest import settings_for
from tests.faults.processes import process, token
from tests.journeys.payloads import EXTRA, a_referral, example, visits_before
from tests.journeys.service import furnish
from tests.postgres import execute

FOUND = """SELECT (SELECT count(*) FROM referral), (SELECT count(*) FROM idempotency_key),
(SELECT count(*) FROM referral WHERE holds_place), (SELECT sum(taken) FROM offer)"""
#: Words of FHIR and of ours among the texts of a Patient.
WORDS = {"home", "mobile", "phone", "official", "Patient", "female", "HPSM"}
RECENT = visits_before(datetime.now(UTC))


async def attempt(http, headers, number):
    """One post, or None where the connection broke."""
    body = a_referral(EXTRA[number % 40], visits=RECENT, identifier=f"K-{number}")
    try:
        return await http.post(
            "/fhir/ServiceRequest",
            content=orjson.dumps(body),
            headers={**headers, "Idempotency-Key": f"kill-{number}"},
        )
    except httpx.TransportError:
        return None


async def one_after_another(http, headers, numbers, answers):
    for number in numbers:
        answers[number] = await attempt(http, headers, number)


async def test_killed_and_repeated_every_referral_is_there_once(fresh_database, tmp_path):
    await furnish(settings_for(fresh_database))
    answers = {}
    async with process(fresh_database, tmp_path / "log") as service:
        await service.answering()
        headers = await token(service.base, "hospital")
        limits = httpx.Limits(max_connections=16)
        async with httpx.AsyncClient(base_url=service.base, limits=limits, timeout=20) as http:
            clients = [
                asyncio.create_task(one_after_another(http, headers, range(first, 400, 8), answers))
                for first in range(8)
            ]
            async with asyncio.timeout(20):
                while len(answers) < 60:  # noqa: ASYNC110  the clients are at work
                    await asyncio.sleep(0.01)
            await service.kill()
            await asyncio.gather(*clients)
    first = {number: answer for number, answer in answers.items() if answer is not None}
    assert {answer.status_code for answer in first.values()} == {201}
    assert 60 <= len(first) < 400
    tried = max(first) + 9
    async with process(fresh_database, tmp_path / "log") as service:
        await service.answering()
        async with httpx.AsyncClient(base_url=service.base, timeout=20) as http:
            headers = await token(service.base, "hospital")
            for number in range(tried):
                again = await attempt(http, headers, number)
                assert again.status_code == 201, again.text
                if number in first:
                    assert again.json()["id"] == first[number].json()["id"]
    connection = await asyncpg.connect(driver_url(fresh_database))
    rows = await connection.fetch(FOUND)
    await connection.close()
    referrals, keys, holding, taken = rows[0]
    assert referrals == keys == tried
    assert holding == taken


def strings(tree):
    """Every text of a resource."""
    if isinstance(tree, dict):
        for value in tree.values():
            yield from strings(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from strings(value)
    elif isinstance(tree, str):
        yield tree


async def test_the_log_never_quotes_a_payload(fresh_database, tmp_path):
    await furnish(settings_for(fresh_database))
    bundle = example("01")
    people = [e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Patient"]
    texts = {text for text in strings(people) if len(text) > 3} - WORDS
    secret = {text for text in texts if not text.startswith(("http", "urn:"))}
    assert {"9000001XA", "Samplewood", "1979-01-15", "101 Example Street"} <= secret
    log = tmp_path / "log"
    async with process(fresh_database, log, log_level="DEBUG") as service:
        await service.answering()
        headers = await token(service.base, "hospital")
        async with httpx.AsyncClient(base_url=service.base, timeout=20) as http:
            ask = {"headers": {**headers, "Idempotency-Key": "log-1"}}
            taken = await http.post("/fhir", content=orjson.dumps(bundle), **ask)
            assert taken.status_code == 200, taken.text
            broken = orjson.dumps(bundle).replace(b'"1979-01-15"', b'"Samplewood"')
            assert (await http.post("/fhir", content=broken, headers=headers)).status_code == 400
            await http.post("/fhir", content=broken[:-2], headers=headers)
            await http.get("/fhir/Patient?family=Samplewood&identifier=9000001XA", headers=headers)
            await http.get("/fhir/Patient/9000001XA", headers=headers)
            await http.get("/Samplewood/9000001XA", headers=headers)
            await execute(fresh_database, "ALTER TABLE referral ADD CHECK (version < 0) NOT VALID")
            other = orjson.dumps(example("02"))
            failed = await http.post("/fhir/ServiceRequest", content=other, headers=headers)
            assert failed.status_code == 500
            assert not [text for text in secret if text in failed.text]
    said = log.read_text()
    assert said.count('"message":"request"') >= 7
    assert '"message":"unexpected"' in said
    assert [text for text in secret if text in said] == []
