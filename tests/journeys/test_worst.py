"""Nobody's large body keeps another client waiting."""

import asyncio
import time

import orjson
import pytest

from tests.edge.worst import HOSTILE, WORST, of

#: What another client may wait at most beyond what it waits on this machine just now, in seconds.
#: It shares its process with the sender here, so twice what a client of the service would see.
_LONGEST = 0.2
_TRIES = 3
#: Those that are posted as referrals, too: all that is stored is written.
_CREATED = ("encounters of one reason", "answers with items", "supporting information", "notes")


async def _another_client(service, stop: asyncio.Event) -> float:
    """Asks again and again; its longest wait."""
    longest = 0.0
    while not stop.is_set():
        began = time.perf_counter()
        answer = await service.http.get("/health/live")
        longest = max(longest, time.perf_counter() - began)
        assert answer.status_code == 200
        await asyncio.sleep(0.001)
    return longest


async def _wait(service, work) -> float:
    """The longest wait of another client while this is done."""
    stop = asyncio.Event()
    other = asyncio.create_task(_another_client(service, stop))
    try:
        await work
    finally:
        stop.set()
    return await other


async def _holds_nobody_up(service, path: str, body: bytes) -> None:
    async def sent() -> None:
        answer = await service.ask("hospital", "POST", path, body, timeout=60)
        assert answer.status_code < 500, answer.text

    waits = []
    for _ in range(_TRIES):
        usual = await _wait(service, asyncio.sleep(0.2))
        waits.append(await _wait(service, sent()) - usual)
        if waits[-1] <= _LONGEST:
            return
    pytest.fail(f"another client waited {waits}")


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", [*WORST, *HOSTILE])
async def test_no_question_holds_up_another_client(service, name):
    body = HOSTILE[name] if name in HOSTILE else of(WORST[name])
    await _holds_nobody_up(service, "/fhir/ServiceRequest/$check", body)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", _CREATED)
async def test_no_referral_holds_up_another_client(service, name):
    await _holds_nobody_up(service, "/fhir/ServiceRequest", of(WORST[name]))


async def test_what_takes_too_much_to_read_is_refused_as_such(service):
    got = await service.ask("hospital", "POST", "/fhir/ServiceRequest", HOSTILE["decimals"])
    (issue,) = got.json()["issue"]
    assert (got.status_code, issue["code"]) == (422, "too-costly")


async def test_a_list_that_was_cut_is_open_and_noted(service):
    body = orjson.loads(of(WORST["visits and stays"]))
    asked = await service.check(body)
    assert asked.outcome == "pending"
