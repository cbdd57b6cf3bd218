"""A client that sends too much is told so, and the others notice nothing."""

import re

import orjson
import pytest

from tests.faults.conftest import ending, settings_for
from tests.journeys.payloads import EXTRA, a_referral
from tests.journeys.service import furnish, serving

__all__ = ["ending"]

MOST = 40


@pytest.fixture
async def limited(fresh_database, ending):
    """Two processes on one database, which let a client send forty requests a minute."""
    await furnish(settings_for(fresh_database))
    settings = settings_for(fresh_database, requests_per_minute=MOST)
    return [await ending.enter_async_context(serving(settings)) for _ in range(2)]


async def test_a_client_is_limited_over_all_processes(limited):
    one, two = limited
    answers = [
        await service.ask("hospital", "GET", "/fhir/Task?_count=1")
        for _ in range(MOST)
        for service in (one, two)
    ]
    assert sum(answer.status_code == 200 for answer in answers) == MOST
    for answer in answers:
        assert answer.headers["ratelimit-policy"] == f'"requests";q={MOST};w=60'
        left, reset = map(
            int, re.fullmatch(r'"requests";r=(\d+);t=(\d+)', answer.headers["ratelimit"]).groups()
        )
        assert 0 <= left < MOST
        assert 1 <= reset <= 60
        if answer.status_code == 429:
            assert left == 0
            assert int(answer.headers["retry-after"]) >= reset
            (issue,) = answer.json()["issue"]
            assert issue["code"] == "throttled"
    # The others keep their own.
    assert (await one.ask("practice", "GET", "/fhir/Task?_count=1")).status_code == 200
    assert (await two.http.get("/health/live")).status_code == 200
    assert "ratelimit" not in (await two.http.get("/fhir/metadata")).headers


async def test_a_refused_body_is_not_kept_and_nothing_is_stored(limited):
    service, _ = limited
    for _ in range(MOST):
        await service.ask("hospital", "GET", "/v1/catalog/plans")
    large = orjson.dumps(a_referral(EXTRA[0], note=[{"text": "x" * 4_000_000}]))
    assert (await service.post(large)).status_code == 429
    found = await service.ask("staff-hpsm", "GET", "/fhir/ServiceRequest?_summary=count")
    assert found.json()["total"] == 0


async def test_zero_is_no_limit(fresh_database, ending):
    await furnish(settings_for(fresh_database))
    settings = settings_for(fresh_database, requests_per_minute=0)
    service = await ending.enter_async_context(serving(settings))
    answer = await service.ask("hospital", "GET", "/fhir/Task?_count=1")
    assert answer.status_code == 200
    assert "ratelimit" not in answer.headers
