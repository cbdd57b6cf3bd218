"""Marked data goes through every journey, and is in nothing that the processes write: their logs,
PostgreSQL's own, the metrics, the errors that callers read.
"""

import asyncio
from datetime import UTC, datetime

import asyncpg
import httpx
import pytest

from app.base.settings import Settings
from app.main import create_app
from app.store.database import driver_url
from tests.faults.processes import SECRET, Process, process
from tests.faults.test_quiet import CIN, PLANTED, about, decided, refused
from tests.journeys.payloads import a_bundle, a_referral, hopeless
from tests.journeys.service import Service, furnish
from tests.postgres import execute

#: Number, birth date, phone, names of the roster and of the examples, and what callers wrote.
MARKED = (PLANTED, CIN, "1990-10-02", "650-555-0171", "Luis", "Ejemplo", "9000000XA", "123-45-6789")
START = datetime.fromisoformat("2026-11-20T10:00-08:00")


@pytest.fixture
async def processes(own_postgres, tmp_path):
    """`serve` twice and `deliver`, on a server whose log is read afterwards."""
    url = own_postgres.url
    await furnish(Settings(database_url=url, token_secret=SECRET))
    offset = (START - datetime.now(UTC)).total_seconds()
    worker = Process(url, tmp_path / "deliver.log", command="deliver", clock_offset_s=offset)
    async with (
        process(url, tmp_path / "one.log", clock_offset_s=offset, log_level="DEBUG") as one,
        process(url, tmp_path / "two.log", clock_offset_s=offset) as two,
    ):
        await worker.begin()
        await one.answering()
        await two.answering()
        yield one, two
        await worker.end()


async def test_marked_data_is_in_nothing_that_is_written(processes, own_postgres, tmp_path):
    one, two = processes
    errors = []

    async def keep(answer: httpx.Response) -> None:
        if answer.status_code >= 400:
            errors.append((await answer.aread()).decode())

    hooks = {"response": [keep]}
    store = await asyncpg.connect(driver_url(own_postgres.url))
    async with (
        httpx.AsyncClient(base_url=one.base, event_hooks=hooks, timeout=60) as http,
        httpx.AsyncClient(base_url=two.base, event_hooks=hooks, timeout=60) as other,
    ):
        settings = Settings(database_url=own_postgres.url, token_secret=SECRET)
        first, second = (Service(settings, create_app(settings), h, store) for h in (http, other))
        approved, _ = await decided(first)
        await refused(first)
        await odd(first)
        raced = await asyncio.gather(*(races(service) for service in (first, second)))
        assert {status for statuses in raced for status in statuses} <= {200, 201, 409}
        read = await first.ask("hospital", "GET", f"/v1/referrals/{approved}/timeline")
        assert read.status_code == 200
        metrics = (await http.get("/metrics")).text
    await store.close()
    with pytest.raises(asyncpg.UniqueViolationError):  # so that its log has something to tell
        await execute(own_postgres.url, f"{TWICE}; {TWICE}")

    written = {path.name: path.read_text() for path in tmp_path.glob("*.log")}
    written["PostgreSQL"] = (own_postgres.home / "server" / "log").read_text()
    assert "duplicate key value violates unique constraint" in written["PostgreSQL"]
    assert all("request" in written[name] for name in ("one.log", "two.log"))
    written |= {"metrics": metrics, "errors": "\n".join(errors)}
    assert len(errors) > 15
    found = [(name, value) for name, text in written.items() for value in MARKED if value in text]
    assert found == []


TWICE = f"""INSERT INTO referral_identifier (organization_id, system, value, plan, referral_id,
    fingerprint, locations)
VALUES ('{PLANTED}', '{PLANTED}', '{CIN}', 'HPSM', '{PLANTED}', '{PLANTED}', '')"""


async def races(service):
    """The same posts at once, by another process too: of each the losers write nothing."""
    posts = [
        service.post(about(make, priority="routine"), Idempotency_Key=f"{PLANTED}-{number}")
        for number, make in enumerate((hopeless, a_referral))
        for _ in range(6)
    ]
    return [answer.status_code for answer in await asyncio.gather(*posts)]


async def odd(service):
    """What stands where nobody looks for it: names of elements, of parameters, of ids."""
    for change in ({f"{CIN}": 1}, {f"x{CIN}": 1}, {"note": [{f"n{CIN}": PLANTED}]}):
        await service.post({**about(a_referral), **change})
    twice = f'{{"resourceType":"ServiceRequest","a{CIN}":1,"a{CIN}":2}}'
    await service.ask("hospital", "POST", "/fhir/ServiceRequest", twice.encode())
    await service.post({**about(a_referral), "resourceType": f"R{CIN}"})
    await service.post(a_bundle({**about(a_referral), f"b{CIN}": 1}))
    body = {"url": "https://hooks.example.org/", f"f{CIN}": PLANTED}
    more = {"headers": {"Content-Type": "application/json"}}
    await service.ask("hospital", "POST", "/v1/webhook-endpoints", body, **more)
    for number in ("9000012XA", "123-45-6789"):
        ids = {"X-Request-ID": f"visit-{number}", "X-Correlation-ID": number}
        await service.ask("hospital", "GET", "/fhir/Task/x", headers=ids)
    strict = {"headers": {"Prefer": "handling=strict"}}
    await service.ask("hospital", "GET", f"/fhir/Task?p{CIN}=x", **strict)
    await service.ask("hospital", "GET", f"/fhir/Task?patient:m{CIN}=x", **strict)
    for header in ("If-Match", "If-None-Exist", "Prefer", "Accept", "Content-Type"):
        await service.post(about(a_referral), **{header.replace("-", "_"): f"{PLANTED}/{CIN}"})
