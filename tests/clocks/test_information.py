"""What is asked, of whom, in which words; and what becomes of a referral when it is answered."""

import base64

import pytest

from tests.clocks.scene import asked, at, due, told
from tests.journeys.payloads import (
    BORN,
    CIN,
    EXTRA,
    SERVICE,
    VISITS,
    a_bundle,
    a_coverage,
    a_referral,
    adding,
    example,
    incomplete,
    parameters,
    responses,
)

ENOUGH = responses({}, VISITS)


def patient(cin=EXTRA[0], **more):
    named = [{"system": CIN, "value": cin}]
    return {"resourceType": "Patient", "identifier": named, "birthDate": BORN, **more}


def document(data=b"Discharged.", kind="text/plain"):
    attachment = {"contentType": kind, "data": base64.b64encode(data).decode()}
    return {
        "resourceType": "DocumentReference",
        "status": "current",
        "content": [{"attachment": attachment}],
    }


async def test_the_missing_facts_are_asked_for_in_words(service):
    referral = await service.refer(incomplete())
    (request,) = await asked(service, referral)
    assert request["status"] == "active"
    assert request["recipient"] == [{"reference": "Organization/org-harbor-lantern"}]
    assert request["requester"] == {"reference": "Organization/plan-hpsm"}
    assert request["occurrencePeriod"]["end"] == "2026-12-02T07:59:59.000Z"
    questions = request["payload"]
    assert all(" " in question["contentString"] for question in questions)
    facts = {question["extension"][0]["valueString"] for question in questions}
    assert "homeless" in facts
    task = await service.read("Task", referral)
    (named,) = task["input"]
    assert named["valueReference"] == {"reference": f"CommunicationRequest/{request['id']}"}


async def test_a_request_is_read_by_the_parties_alone(service):
    referral = await service.refer(incomplete())
    (request,) = await asked(service, referral, "staff-hpsm")
    for client, status in (("hospital", 200), ("staff-ccah", 404), ("practice", 404)):
        answer = await service.ask(client, "GET", f"/fhir/CommunicationRequest/{request['id']}")
        assert answer.status_code == status, client


async def test_answered_in_part_one_request_is_completed_and_the_next_opened(service):
    referral = await service.refer(incomplete())
    service.later(hours=1)
    part = adding(responses({"homeless": False}))
    assert (await service.do("hospital", "add-information", referral, part)).status_code == 200
    first, second = await asked(service, referral)
    assert (first["status"], second["status"]) == ("completed", "active")
    facts = {question["extension"][0]["valueString"] for question in second["payload"]}
    assert "homeless" not in facts
    task = await service.read("Task", referral)
    assert [each["valueReference"]["reference"] for each in task["input"]] == [
        f"CommunicationRequest/{second['id']}"
    ]


@pytest.mark.parametrize("how", ["cancel", "approve", "clock"])
async def test_a_request_that_nobody_answered_is_revoked(service, how):
    referral = await service.refer(incomplete())
    if how == "clock":
        await at(service, "2026-12-05T00:00-08:00")
    else:
        by = "hospital" if how == "cancel" else "staff-hpsm"
        assert (await service.do(by, how, referral)).status_code == 200
    assert [each["status"] for each in await asked(service, referral)] == ["revoked"]
    assert "input" not in await service.read("Task", referral)


async def test_asked_again_by_staff_the_first_request_gives_way(service):
    referral = await service.refer(incomplete())
    service.at("2026-11-23T10:00-08:00")
    again = parameters(question="Who is the member's physician?")
    assert (await service.do("staff-hpsm", "request-information", referral, again)).is_success
    first, second = await asked(service, referral)
    assert (first["status"], second["status"]) == ("revoked", "active")
    assert second["payload"] == [{"contentString": "Who is the member's physician?"}]
    assert await due(service, referral) == "2026-12-02 23:59:59"


async def test_no_request_is_empty_who_the_member_is_is_asked_first(service):
    referral = await service.refer(a_referral("9999999XA"))
    (request,) = await asked(service, referral)
    assert request["payload"][0]["contentString"].startswith("Who is the member?")


async def test_a_service_named_in_the_answer_is_the_service(service):
    referral = await service.refer(a_referral(service=None))
    assert await service.words(referral) == ["pending", "information-needed"]
    named = [{"valueCoding": {"system": SERVICE, "code": "ECM"}}]
    response = {
        "resourceType": "QuestionnaireResponse",
        "status": "completed",
        "item": [{"linkId": "service", "answer": named}],
    }
    answer = await service.do("hospital", "add-information", referral, adding(response))
    assert answer.status_code == 200, answer.text
    assert (await service.words(referral))[0] == "approved"


@pytest.mark.parametrize("kind", ["transaction", "batch", "collection"])
async def test_a_bundle_of_resources_decides_at_once(service, kind):
    referral = await service.refer(incomplete())
    body = a_bundle(ENOUGH, document())
    body["type"] = kind
    if kind == "collection":
        for entry in body["entry"]:
            del entry["request"]
    answer = await service.do("hospital", "add-information", referral, body)
    assert answer.status_code == 200, answer.text
    assert (await service.words(referral))[0] == "approved"
    (kept,) = await service.found(f"DocumentReference?referral=ServiceRequest/{referral}")
    assert kept["content"] == document()["content"]


@pytest.mark.parametrize(
    ("what", "element"),
    [
        (document(kind="application/x-msdownload"), "contentType"),
        (document(b"x" * 3_670_020), "data"),
        ({"resourceType": "Task", "status": "requested", "intent": "order"}, "parameter[0]"),
    ],
)
async def test_what_is_no_information_is_refused_and_changes_nothing(service, what, element):
    referral = await service.refer(incomplete())
    before = await service.counts()
    answer = await service.do("hospital", "add-information", referral, adding(what))
    assert answer.status_code == 422, answer.text
    assert element in answer.json()["issue"][0]["expression"][0]
    assert await service.counts() == before


async def test_the_largest_document_is_kept(service):
    referral = await service.refer(incomplete())
    answer = await service.do(
        "hospital", "add-information", referral, adding(document(b"x" * 3_670_016))
    )
    assert answer.status_code == 200, answer.text


async def test_documents_of_a_referral_are_held_to_the_same(service):
    bundle = a_bundle(incomplete(), document(kind="text/html"))
    answer = await service.post(bundle)
    assert answer.status_code == 422
    assert answer.json()["issue"][0]["expression"] == [
        "Bundle.entry[0].resource.content[0].attachment.contentType"
    ]


async def unplanned(service, **more):
    """A referral whose plan nobody knows."""
    referral = await service.refer(a_referral(None, plan=None, **more))
    rows = await service.rows("SELECT plan FROM referral WHERE id = $1", referral)
    assert rows == [("unassigned",)]
    return referral


async def test_identified_a_referral_moves_to_the_plan_with_its_id_and_history(service, receiver):
    await service.listen(receiver, "hospital", "/hospital")
    referral = await unplanned(service, asks_for="org-tidepool", identifier="moves")
    async with service.delivering():
        await receiver.count(2)
    versions = len((await service.ask("hospital", "GET", history(referral))).json()["entry"])
    assert await service.words(referral, "staff-ccah") == ["pending", "information-needed"]
    service.later(hours=1)
    answer = await service.do("hospital", "add-information", referral, adding(patient()))
    assert answer.status_code == 200, answer.text
    assert await service.words(referral) == ["approved", "assigned"]
    assert await service.words(referral, "staff-hpsm") == ["approved", "assigned"]
    hidden = await service.ask("staff-ccah", "GET", f"/fhir/ServiceRequest/{referral}")
    assert hidden.status_code == 404
    await in_one_place(service, referral)
    found = (await service.ask("hospital", "GET", history(referral))).json()["entry"]
    assert len(found) == versions + 1
    first = await service.ask("hospital", "GET", f"{history(referral)}/1")
    assert first.status_code == 200
    events = [event for _, event, *_ in await service.history(referral)]
    assert events == ["receive", "request-information", "add-information", "approve"]
    async with service.delivering():
        heard = await receiver.count(5)
    assert [each.data["data"]["sequence"] for each in heard] == [1, 2, 3, 4, 5]
    assert [each.data["data"]["plan"] for each in heard] == ["unassigned"] * 2 + ["HPSM"] * 3
    rows = await service.rows(
        "SELECT d.plan, d.state, count(a.*) FROM delivery d LEFT JOIN attempt a"
        " ON a.plan = d.plan AND a.message_id = d.message_id WHERE d.referral_id = $1"
        " GROUP BY 1, 2",
        referral,
    )
    assert rows == [("HPSM", "delivered", 5)]


def history(referral):
    return f"/fhir/ServiceRequest/{referral}/_history"


async def in_one_place(service, referral):
    """The plan has everything of the referral, nobody else anything that can be found."""
    for table in ("referral_history", "determination", "party", "task", "message", "correspondence",
                  "information_request", "locator", "referral_identifier",
                  "referral_business_identifier", "service_authorization"):  # fmt: skip
        rows = await service.rows(
            f"SELECT DISTINCT plan FROM {table} WHERE referral_id = $1", referral
        )
        assert rows == [("HPSM",)], table
    for client in ("hospital", "staff-hpsm"):
        for kind in ("ServiceRequest?identifier=moves", "Task?status=accepted"):
            found = await service.found(kind, client)
            assert [each["id"] for each in found].count(referral) == 1, kind
    assert await service.found("ServiceRequest?status=active", "staff-ccah") == []
    requests = await asked(service, referral)
    assert [each["status"] for each in requests] == ["completed"]


async def test_a_coverage_with_the_birth_date_sent_before_says_who_the_member_is(service):
    body = a_referral(None, plan=None)
    body["contained"][0]["birthDate"] = BORN
    referral = await service.refer(body)
    coverage = a_coverage("HPSM", subscriberId=EXTRA[0])
    coverage["beneficiary"] = {"display": "the member"}
    del coverage["id"]
    answer = await service.do("hospital", "add-information", referral, adding(coverage))
    assert answer.status_code == 200, answer.text
    assert (await service.words(referral))[0] == "approved"


async def test_facts_about_the_patient_added_are_about_the_member(service):
    referral = await unplanned(service, visits=())
    name = "urn:uuid:3b8e7a52-6a4e-4a39-9d52-0d8e5f5b8c01"
    facts = {**responses({}, VISITS), "subject": {"reference": name}}
    body = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"fullUrl": name, "resource": patient()}, {"resource": facts}],
    }
    answer = await service.do("hospital", "add-information", referral, body)
    assert answer.status_code == 200, answer.text
    assert (await service.words(referral))[0] == "approved"


@pytest.mark.parametrize(
    "who",
    [
        [patient("9999999XA")],
        [patient(birthDate="1950-01-01")],
        [patient(EXTRA[0]), patient(EXTRA[1])],
    ],
    ids=["unknown", "another birth date", "two different"],
)
async def test_a_stranger_is_never_decided_about(service, who):
    referral = await unplanned(service)
    answer = await service.do("hospital", "add-information", referral, adding(*who))
    assert answer.status_code == 200, answer.text
    assert await service.words(referral) == ["pending", "information-needed"]
    rows = await service.rows("SELECT plan FROM referral WHERE id = $1", referral)
    assert rows == [("unassigned",)]
    assert await told(service, referral, "referral.approved") == []


async def test_who_is_known_stays_known_when_more_is_added(service):
    referral = await unplanned(service, visits=())
    await service.do("hospital", "add-information", referral, adding(patient()))
    assert await service.words(referral) == ["pending", "information-needed"]
    answer = await service.do("hospital", "add-information", referral, adding(ENOUGH))
    assert answer.status_code == 200, answer.text
    assert (await service.words(referral))[0] == "approved"


async def test_one_whose_plan_is_unknown_is_void_by_the_shared_calendar(service):
    referral = await unplanned(service)
    assert await due(service, referral) == "2026-12-01 23:59:59"
    await at(service, "2026-12-02T00:00-08:00")
    assert await service.words(referral) == ["void"]


async def test_the_example_without_a_service_is_asked_which(service):
    referral = await service.refer(example("12"), "practice")
    (request,) = await asked(service, referral, "practice")
    (question,) = [
        each
        for each in request["payload"]
        if each.get("extension", [{}])[0].get("valueString") == "service"
    ]
    assert question["contentString"]
