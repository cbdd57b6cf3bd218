"""The database is away: at the start, in the middle, and back again."""

import asyncio

import asyncpg
import httpx
import pytest

from app.store.database import driver_url
from tests.faults.conftest import settings_for
from tests.faults.processes import Process, process
from tests.journeys.payloads import EXTRA, a_referral
from tests.journeys.service import furnish, serving


async def test_a_start_without_a_database_ends_with_a_sentence(tmp_path):
    url = f"postgresql://nobody@/none?host={tmp_path}"
    log = tmp_path / "log"
    service = Process(url, log, database_start_wait_s=0.5)
    await service.begin()
    async with asyncio.timeout(30):
        assert await service.child.wait() == 1
    said = log.read_text()
    assert "The database did not answer within 0.5 s" in said
    assert "DATABASE_URL" in said
    assert "Traceback" not in said


async def test_a_start_waits_for_the_database(own_postgres, tmp_path):
    own_postgres.stop()
    async with process(own_postgres.url, tmp_path / "log", database_start_wait_s=30) as service:
        async with asyncio.timeout(30):
            said = service.log.read_text
            while "waiting for the database" not in said():  # noqa: ASYNC110  another process
                await asyncio.sleep(0.02)
        assert service.child.returncode is None
        await asyncio.to_thread(own_postgres.start)
        await service.answering()


@pytest.fixture
async def alone(own_postgres, ending):
    """A service on a server of its own."""
    settings = settings_for(own_postgres.url, database_pool_size=4, database_wait_s=1.0)
    await furnish(settings)
    service = await ending.enter_async_context(serving(settings))
    service.at("2026-11-20T10:00-08:00")
    await service.token("hospital")
    return service


async def test_in_the_middle_it_is_503_and_recovers_by_itself(alone, own_postgres):
    posts = [
        asyncio.create_task(alone.post(a_referral(cin), Idempotency_Key=f"m-{cin}"))
        for cin in EXTRA[:16]
    ]
    await asyncio.wait(posts, return_when=asyncio.FIRST_COMPLETED)  # the others are under way
    await asyncio.to_thread(own_postgres.stop, immediately=True)
    first = await asyncio.gather(*posts)
    assert {answer.status_code for answer in first} <= {201, 503}
    away = await alone.post(a_referral(EXTRA[20]), Idempotency_Key="m-away")
    assert (away.status_code, away.headers["retry-after"]) == (503, "2")
    assert away.json()["issue"][0]["code"] == "transient"
    assert (await alone.http.get("/health/live")).status_code == 200
    assert (await alone.http.get("/health/ready")).status_code == 503
    await asyncio.to_thread(own_postgres.start)
    again = [await settled(alone, cin) for cin in EXTRA[:16]]
    assert {answer.status_code for answer in again} == {201}
    for before, after in zip(first, again, strict=True):
        if before.status_code == 201:
            assert after.content == before.content
    assert (await alone.http.get("/health/ready")).status_code == 200
    await consistent(alone, own_postgres.url, 16)


async def test_a_read_does_not_notice_that_the_database_was_away(alone, own_postgres):
    path = f"/fhir/ServiceRequest/{await alone.refer(a_referral(EXTRA[0]))}"
    reads = [alone.ask("hospital", "GET", path) for _ in range(4)]
    assert {answer.status_code for answer in await asyncio.gather(*reads)} == {200}
    await asyncio.to_thread(own_postgres.stop, immediately=True)
    away = await alone.ask("hospital", "GET", path)
    assert (away.status_code, away.headers["retry-after"]) == (503, "2")
    await asyncio.to_thread(own_postgres.start)
    assert (await alone.ask("hospital", "GET", path)).status_code == 200


async def test_a_standby_answers_what_leaves_no_record(alone, own_postgres):
    path = f"/fhir/ServiceRequest/{await alone.refer(a_referral(EXTRA[0]))}"
    store = await asyncpg.connect(driver_url(own_postgres.url))
    await store.execute("ALTER SYSTEM SET default_transaction_read_only = on")
    await store.close()
    await asyncio.to_thread(own_postgres.stop)
    await asyncio.to_thread(own_postgres.start)
    for _ in range(2):  # the first may still meet a connection of before
        refused = await alone.post(a_referral(EXTRA[1]))
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
    assert (await alone.ask("hospital", "GET", path)).status_code == 503
    network = await alone.ask("hospital", "GET", "/fhir/HealthcareService?_count=1")
    assert network.status_code == 200


async def settled(service, cin) -> httpx.Response:
    """Repeats as a client does that is told to: until it is not 503."""
    for _ in range(8):
        answer = await service.post(a_referral(cin), Idempotency_Key=f"m-{cin}")
        if answer.status_code != 503:
            return answer
    return answer


async def consistent(service, url, wanted):
    """Every referral is whole: as many authorizations, places and histories as referrals."""
    service.store = await asyncpg.connect(driver_url(url))
    counts = await service.counts()
    placed = await service.rows("SELECT sum(taken)::int FROM offer")
    await service.store.close()
    assert counts["referral"] == counts["service_authorization"] == wanted
    assert counts["referral_history"] == 2 * wanted
    assert counts["idempotency_key"] == wanted
    assert placed == [(wanted,)]
