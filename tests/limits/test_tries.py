"""Who guesses at the token endpoint is locked out, and nobody else is."""

import pytest

from tests.faults.conftest import ending, settings_for
from tests.journeys.service import furnish, serving

__all__ = ["ending"]

HERE, ELSEWHERE = {"X-Forwarded-For": "198.51.100.7"}, {"X-Forwarded-For": "203.0.113.9"}


@pytest.fixture
async def guarded(fresh_database, ending):
    """Two processes behind a proxy that tells the caller's address."""
    await furnish(settings_for(fresh_database))
    settings = settings_for(fresh_database)
    return [await ending.enter_async_context(serving(settings)) for _ in range(2)]


async def login(service, client, secret, headers, path="/oauth/token"):
    form = {"grant_type": "client_credentials", "token": "x"}
    return await service.http.post(path, data=form, auth=(client, secret), headers=headers)


async def guess(service, client):
    return (await login(service, client, "guess-1", HERE)).status_code


async def test_failures_lock_out_their_source_alone(guarded, caplog):
    tried = [
        (await login(guarded[n % 2], "hospital", f"guess-{n}", HERE)).status_code for n in range(14)
    ]
    assert tried == [401] * 11 + [429] * 3
    for path in ("/oauth/token", "/oauth/introspect"):
        locked = await login(guarded[0], "hospital", "demo-hospital", HERE, path)
        assert locked.status_code == 429
        assert 0 < int(locked.headers["retry-after"]) <= 60
        assert locked.headers["cache-control"] == "no-store"
        assert locked.json()["error"] == "temporarily_unavailable"
    for client, where in (("hospital", ELSEWHERE), ("practice", HERE)):
        assert (await login(guarded[0], client, f"demo-{client}", where)).status_code == 200
    lines = [record for record in caplog.records if record.getMessage() == "locked out"]
    assert {(line.peer, line.limit) for line in lines} == {("198.51.100.7", "token")}
    assert "guess-" not in caplog.text


async def test_who_succeeds_is_never_locked_out(guarded):
    for number in range(25):
        answer = await login(guarded[number % 2], "hospital", "demo-hospital", HERE)
        assert answer.status_code == 200


async def test_many_clients_tried_from_one_address_lock_that_address(guarded):
    tried = 0
    while await guess(guarded[tried % 2], f"client-{tried % 40}") == 401:
        tried += 1
    assert tried > 100  # and a few more: of the quota some comes back meanwhile
    assert (await login(guarded[0], "hospital", "demo-hospital", HERE)).status_code == 429
    assert (await login(guarded[0], "hospital", "demo-hospital", ELSEWHERE)).status_code == 200
