"""How often each request asks the database: counted on the wire, not in our own code."""

import pytest

from tests.journeys.payloads import (
    EXTRA,
    REASON,
    a_bundle,
    a_referral,
    because,
    hopeless,
    incomplete,
    parameters,
    responses,
)
from tests.service.scene import put, service_task

GATHER = OPEN = WRITE = READ = RECORD = "statement"


async def trips(service, body, **headers):
    """The round trips of one post; what it asks was asked before, and so is prepared."""
    service.wire.round_trips.clear()
    answer = await service.post(body, **headers)
    assert answer.status_code in (200, 201), answer.text
    (found,) = service.wire.round_trips.values()
    return found


KINDS = {"approved": a_referral, "for a person": hopeless, "incomplete": incomplete}


@pytest.mark.parametrize("make", KINDS.values(), ids=KINDS.keys())
async def test_an_intake_asks_the_database_twice(wired, make):
    for number in range(2):
        await wired.refer(
            make(EXTRA[number], identifier=f"W-{number}"), Idempotency_Key=f"w{number}"
        )
    body = make(EXTRA[5], identifier="W-5")
    assert await trips(wired, body, Idempotency_Key="w5") == [GATHER, WRITE]


async def test_a_bundle_asks_no_more_often(wired):
    for number in range(2):
        await wired.refer(a_bundle(a_referral(EXTRA[number]), {"resourceType": "Patient"}))
    bundle = a_bundle(a_referral(EXTRA[5]), {"resourceType": "Patient"})
    assert await trips(wired, bundle) == [GATHER, WRITE]


async def test_a_replayed_answer_is_one_question(wired):
    for _ in range(2):
        await wired.refer(a_referral(identifier="W-1"), Idempotency_Key="w1")
    again = await trips(wired, a_referral(identifier="W-1"), Idempotency_Key="w1")
    assert again == [GATHER, RECORD]


async def test_a_repeat_by_identifier_is_two(wired):
    for _ in range(2):
        await wired.refer(a_referral(identifier="W-1"))
    assert await trips(wired, a_referral(identifier="W-1")) == [GATHER, READ, RECORD]


#: A token is verified without the database: a read is the read, and its share of the record.
READS = {
    "/fhir/ServiceRequest/{id}": "hospital",
    "/fhir/ServiceRequest/{id}/_history": "hospital",
    "/fhir/ServiceRequest/{id}/_history/1": "hospital",
    "/fhir/ServiceRequest/unknown": "hospital",
    "/fhir/ServiceRequest?status=active": "hospital",
    "/fhir/ServiceRequest?patient.identifier=9100000XA&_count=5": "hospital",
    "/fhir/Task/{id}": "ecm-provider",
    "/fhir/Task?focus=ServiceRequest/{id}": "ecm-provider",
    "/fhir/ClaimResponse/{id}": "hospital",
    "/fhir/Communication?about=ServiceRequest/{id}": "hospital",
    "/fhir/Provenance?target=ServiceRequest/{id}": "hospital",
    "/fhir/Patient?_count=5": "staff-hpsm",
}
#: What shows nothing about a member is not recorded.
UNRECORDED = {"/fhir/HealthcareService?_count=5": "hospital"}


async def asked(service, ask):
    """The round trips of the last of three equal requests."""
    for number in range(3):
        service.wire.round_trips.clear()
        answer = await ask(number)
        assert answer.status_code in (200, 404), answer.text
    (found,) = service.wire.round_trips.values() or [[]]
    return [trip.partition(" ")[0] for trip in found]


async def test_a_read_or_a_search_is_one_question_and_its_record(wired):
    referral = await wired.refer(a_referral(EXTRA[0]))
    found = {}
    for path, by in (READS | UNRECORDED).items():
        address = path.format(id=referral)
        found[path] = await asked(wired, lambda _, by=by, at=address: wired.ask(by, "GET", at))
    recorded = {path: [READ, RECORD] for path in READS}
    assert found == recorded | {path: [READ] for path in UNRECORDED}


async def test_what_is_in_memory_asks_nothing(wired):
    for path in ("/v1/catalog/plans", "/fhir/metadata", "/fhir/Questionnaire", "/health/live"):
        assert await asked(wired, lambda _, at=path: wired.ask("hospital", "GET", at)) == [], path


async def test_asking_first_is_one_question_counted_and_recorded(wired):
    path = "/fhir/ServiceRequest/$check"
    ask = await asked(wired, lambda _: wired.ask("hospital", "POST", path, a_referral(EXTRA[9])))
    assert ask == [WRITE, GATHER, RECORD]


EXCEPTION = {"valueCoding": {"system": REASON, "code": "exception-granted"}}
ANSWER = {"name": "resource", "resource": responses({"homeless": True})}
MOVES = {
    "approve": (hopeless, "staff-hpsm", parameters(reason=EXCEPTION, note="Seen."), 3),
    "deny": (hopeless, "staff-hpsm", parameters(reason=because("no-population")), 2),
    "cancel": (a_referral, "hospital", None, 7),
    "request-information": (hopeless, "staff-hpsm", parameters(question="Since when?"), 2),
    "add-information": (
        incomplete,
        "hospital",
        {"resourceType": "Parameters", "parameter": [ANSWER]},
        4,
    ),
}


async def test_a_move_asks_the_database_so_often(wired):
    """Read and write; the rules ask for what they need between. A place that is freed is handed on
    in a transaction: write, release, lock the offer, look who waits.
    """
    found = {}
    for first, (operation, (make, by, body, _)) in enumerate(MOVES.items()):
        mine = [await wired.refer(make(EXTRA[3 * first + number])) for number in range(3)]
        ask = await asked(
            wired, lambda n, o=operation, m=mine, a=(by, body): wired.do(a[0], o, m[n], a[1])
        )
        found[operation] = len(ask)
    assert found == {name: move[3] for name, move in MOVES.items()}


async def test_a_performers_move_asks_no_more_often(wired):
    tasks = [
        await service_task(wired, await wired.refer(a_referral(EXTRA[number])), "ecm-provider")
        for number in range(3)
    ]
    found = await asked(wired, lambda n: put(wired, "ecm-provider", tasks[n], "accepted"))
    assert found == [OPEN, WRITE]


async def test_pages_for_people_ask_a_fixed_number_of_questions(wired):
    """However many referrals and entries they show; the last is the record."""
    for many in (1, 6):
        referrals = [await wired.refer(hopeless(EXTRA[many + n])) for n in range(many)]
        address = f"/v1/referrals/{referrals[0]}/timeline"
        timeline = await asked(wired, lambda _, at=address: wired.ask("hospital", "GET", at))
        queue = await asked(wired, lambda _: wired.ask("staff-hpsm", "GET", "/v1/work-queue"))
        outbox = await asked(wired, lambda _: wired.ask("staff-hpsm", "GET", "/v1/correspondence"))
        assert (len(timeline), len(queue), len(outbox)) == (8, 6, 2)
