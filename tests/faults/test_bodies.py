"""What no client should send, sent to the running service: told what is wrong, nothing written."""

import time

import orjson
import pytest

from tests.journeys.payloads import a_referral

WHOLE = orjson.dumps(a_referral(identifier="B-1"))
DEEP = 10_000


def instead(old: bytes, new: bytes) -> bytes:
    assert WHOLE.count(old) >= 1
    return WHOLE.replace(old, new, 1)


BODIES = {
    "nothing": (b"", 400),
    "half of it": (WHOLE[: len(WHOLE) // 2], 400),
    "not JSON": (b"<ServiceRequest/>", 400),
    "not UTF-8": (instead(b"order", b"\xff\xfe"), 400),
    "objects 10,000 deep": (b'{"a":' * DEEP + b"1" + b"}" * DEEP, 400),
    "lists 10,000 deep": (b"[" * DEEP + b"]" * DEEP, 400),
    "a NUL character": (instead(b"B-1", b"B\\u0000"), 400),
    "a lone surrogate": (instead(b"B-1", b"B\\ud800"), 400),
    "a key twice": (instead(b'"intent"', b'"intent":"plan","intent"'), 400),
    "not a number": (instead(b'"intent"', b'"quantityQuantity":{"value":NaN},"intent"'), 400),
    "a number out of range": (
        instead(b'"intent"', b'"quantityQuantity":{"value":1e999999999},"intent"'),
        400,
    ),
    "a date out of range": (instead(b'"intent"', b'"authoredOn":"2026-13-45","intent"'), 400),
    "6 MB": (instead(b'"intent"', b'"note":[{"text":"' + b"x" * 6_291_456 + b'"}],"intent"'), 413),
}


@pytest.mark.parametrize("name", BODIES)
async def test_a_body_that_cannot_be_taken_is_told_so_and_leaves_nothing(service, name):
    body, status = BODIES[name]
    before = await service.counts()
    began = time.perf_counter()
    answer = await service.ask("hospital", "POST", "/fhir/ServiceRequest", body)
    assert time.perf_counter() - began < 5
    assert answer.status_code == status, answer.text
    outcome = answer.json()
    assert outcome["resourceType"] == "OperationOutcome"
    assert all(issue["diagnostics"] for issue in outcome["issue"])
    assert "x" * 100 not in answer.text
    assert await service.counts() == before


@pytest.mark.parametrize("media", ["text/plain", "application/xml", "multipart/form-data", ""])
async def test_another_media_type_is_415(service, media):
    headers = {"Content-Type": media}
    answer = await service.ask("hospital", "POST", "/fhir/ServiceRequest", WHOLE, headers=headers)
    assert answer.status_code == 415
    assert (await service.counts())["referral"] == 0
