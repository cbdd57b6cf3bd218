"""Nobody's large body keeps another client waiting: the service in a process of its own."""

import asyncio
import gc
import time

import httpx
import pytest

from tests.edge.worst import HOSTILE, WORST, of

#: What another client may wait at most beyond what it waits on this machine just now, in seconds.
_LONGEST = 0.1
#: A machine that is busy with other tests makes everybody wait, now and then.
_TRIES = 6
_FHIR = {"Content-Type": "application/fhir+json"}
#: Those that are posted as referrals, too: all that is stored is written.
_CREATED = ("encounters of one reason", "answers with items", "supporting information", "notes")


@pytest.fixture
async def clients(service_url, tokens):
    """The sender of large bodies, and another client; no rest for their own garbage between."""
    signed = _FHIR | {"Authorization": f"Bearer {tokens.of('hospital')}"}
    async with (
        httpx.AsyncClient(base_url=service_url, timeout=60, headers=signed) as sender,
        httpx.AsyncClient(base_url=service_url, timeout=60) as other,
    ):
        gc.collect()
        gc.disable()
        yield sender, other
        gc.enable()


async def _longest_wait(other, stop: asyncio.Event) -> float:
    longest = 0.0
    while not stop.is_set():
        began = time.perf_counter()
        answer = await other.get("/health/live")
        longest = max(longest, time.perf_counter() - began)
        assert answer.status_code == 200
        await asyncio.sleep(0.001)
    return longest


async def _wait(other, work) -> float:
    """The longest wait of another client while this is done."""
    stop = asyncio.Event()
    asking = asyncio.create_task(_longest_wait(other, stop))
    try:
        await work
    finally:
        stop.set()
    return await asking


async def _holds_nobody_up(clients, path: str, body: bytes) -> None:
    sender, other = clients

    async def sent() -> None:
        answer = await sender.post(path, content=body)
        assert answer.status_code < 500, answer.text

    waits = []
    for _ in range(_TRIES):
        usual = await _wait(other, asyncio.sleep(0.2))
        waits.append(await _wait(other, sent()) - usual)
        if waits[-1] <= _LONGEST:
            return
    pytest.fail(f"another client waited {waits}")


@pytest.mark.parametrize("name", [*WORST, *HOSTILE])
async def test_no_question_holds_up_another_client(clients, name):
    body = HOSTILE[name] if name in HOSTILE else of(WORST[name])
    await _holds_nobody_up(clients, "/fhir/ServiceRequest/$check", body)


@pytest.mark.parametrize("name", _CREATED)
async def test_no_referral_holds_up_another_client(clients, name):
    await _holds_nobody_up(clients, "/fhir/ServiceRequest", of(WORST[name]))


async def test_what_takes_too_much_to_read_is_refused_as_such(clients):
    got = await clients[0].post("/fhir/ServiceRequest", content=HOSTILE["decimals"])
    (issue,) = got.json()["issue"]
    assert (got.status_code, issue["code"]) == (422, "too-costly")


async def test_a_list_that_was_cut_is_open_and_noted(clients):
    body = of(WORST["visits and stays"])
    got = (await clients[0].post("/fhir/ServiceRequest/$check", content=body)).json()
    assert {"name": "outcome", "valueCode": "pending"} in got["parameter"]
