"""How often an intake asks the database: counted on the wire, not in our own code."""

import pytest

from tests.journeys.payloads import EXTRA, a_bundle, a_referral, hopeless, incomplete

GATHER = TAKE = WRITE = READ = "statement"


def transaction(service):
    (found,) = [told for told in service.wire.round_trips.values() if told[0] == "BEGIN"]
    return found


async def trips(service, body, **headers):
    """The round trips of one post; what it asks was asked before, and so is prepared."""
    service.wire.round_trips.clear()
    answer = await service.post(body, **headers)
    assert answer.status_code in (200, 201), answer.text
    return transaction(service)


KINDS = {
    "approved": (a_referral, ["BEGIN", GATHER, TAKE, WRITE, "COMMIT"]),
    "for a person": (hopeless, ["BEGIN", GATHER, WRITE, "COMMIT"]),
    "incomplete": (incomplete, ["BEGIN", GATHER, WRITE, "COMMIT"]),
}


@pytest.mark.parametrize(("make", "expected"), KINDS.values(), ids=KINDS.keys())
async def test_an_intake_asks_the_database_so_often(wired, make, expected):
    for number in range(2):
        await wired.refer(
            make(EXTRA[number], identifier=f"W-{number}"), Idempotency_Key=f"w{number}"
        )
    body = make(EXTRA[5], identifier="W-5")
    assert await trips(wired, body, Idempotency_Key="w5") == expected


async def test_a_bundle_asks_no_more_often(wired):
    for number in range(2):
        await wired.refer(a_bundle(a_referral(EXTRA[number]), {"resourceType": "Patient"}))
    bundle = a_bundle(a_referral(EXTRA[5]), {"resourceType": "Patient"})
    assert await trips(wired, bundle) == ["BEGIN", GATHER, TAKE, WRITE, "COMMIT"]


async def test_a_replayed_answer_is_one_question(wired):
    for _ in range(2):
        await wired.refer(a_referral(identifier="W-1"), Idempotency_Key="w1")
    again = await trips(wired, a_referral(identifier="W-1"), Idempotency_Key="w1")
    assert again == ["BEGIN", GATHER, "COMMIT"]


async def test_a_repeat_by_identifier_is_two(wired):
    for _ in range(2):
        await wired.refer(a_referral(identifier="W-1"))
    assert await trips(wired, a_referral(identifier="W-1")) == ["BEGIN", GATHER, READ, "COMMIT"]


async def test_a_token_is_verified_without_the_database(wired):
    """What is asked for a read is the read alone."""
    for _ in range(2):
        wired.wire.round_trips.clear()
        answer = await wired.ask("hospital", "GET", "/fhir/ServiceRequest/x")
        assert answer.status_code == 404
    told = [trip for trips in wired.wire.round_trips.values() for trip in trips]
    assert told.count("statement") == 1
