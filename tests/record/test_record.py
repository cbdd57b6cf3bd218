"""Who reached what: each access, move, refusal and message leaves its row, and one only."""

import base64

import pytest

from app.api.caller import is_guarded
from app.api.record import UNRECORDED, unrecorded
from tests.journeys.payloads import (
    EXTRA,
    a_bundle,
    a_referral,
    because,
    hopeless,
    parameters,
)
from tests.record.scene import recorded

STAFF = "staff-hpsm"


async def of(service, answer):
    """The rows that a request has left."""
    return await recorded(service, request_id=answer.headers["x-request-id"])


async def member_of(service, referral):
    ((member, patient),) = await service.rows(
        "SELECT member_id, patient_id FROM referral WHERE id = $1", referral
    )
    return [f"Patient/{one}" for one in (member, patient) if one]


async def test_a_referral_is_recorded_by_the_statement_that_writes_it(service):
    answer = await service.post(a_referral(EXTRA[0]))
    referral = answer.json()["id"]
    (row,) = await of(service, answer)
    assert row["plan"] == "HPSM"
    assert (row["action"], row["interaction"], row["kind"]) == ("C", "create", "ServiceRequest")
    assert (row["client"], row["organization"]) == ("hospital", "org-harbor-lantern")
    assert (row["purpose"], row["status"], row["query"]) == ("TREAT", 200, None)
    assert row["about"] == [f"ServiceRequest/{referral}", *await member_of(service, referral)]


async def test_a_bundle_is_one_row(service):
    answer = await service.post(a_bundle(a_referral(EXTRA[0]), {"resourceType": "Patient"}))
    (row,) = await of(service, answer)
    assert (row["plan"], row["interaction"], row["action"]) == ("HPSM", "transaction", "C")


async def test_a_repeat_is_shown_and_recorded(service):
    referral = await service.refer(a_referral(identifier="R-1"), Idempotency_Key="r1")
    for key in ("r1", "r2"):
        again = await service.post(a_referral(identifier="R-1"), Idempotency_Key=key)
        (row,) = await of(service, again)
        assert f"ServiceRequest/{referral}" in row["about"]


#: A request of somebody → interaction, action, status of the row; and what it is about.
READS = {
    "read": ("/fhir/ServiceRequest/{id}", "R", True),
    "vread": ("/fhir/ServiceRequest/{id}/_history/1", "R", True),
    "history-instance": ("/fhir/ServiceRequest/{id}/_history", "R", True),
    "readTimeline": ("/v1/referrals/{id}/timeline", "R", True),
    "listDeterminations": ("/v1/referrals/{id}/determinations", "R", True),
    "search-type": ("/fhir/ServiceRequest?status=active", "E", False),
}


@pytest.mark.parametrize("interaction", READS)
async def test_a_read_is_recorded_before_its_answer(service, interaction):
    path, action, named = READS[interaction]
    referral = await service.refer(a_referral(EXTRA[0]))
    answer = await service.ask("hospital", "GET", path.format(id=referral))
    (row,) = await of(service, answer)
    assert (row["plan"], row["interaction"], row["action"]) == ("HPSM", interaction, action)
    patients = await member_of(service, referral)
    assert row["about"] == ([f"ServiceRequest/{referral}"] if named else []) + patients


async def test_not_modified_is_a_read_too(service):
    path = f"/fhir/Task/{await service.refer(a_referral(EXTRA[0]))}"
    tag = (await service.ask("hospital", "GET", path)).headers["etag"]
    answer = await service.ask("hospital", "GET", path, headers={"If-None-Match": tag})
    (row,) = await of(service, answer)
    assert (row["status"], row["kind"]) == (304, "Task")


@pytest.mark.parametrize("by_form", [False, True])
async def test_a_search_is_recorded_with_its_query(service, by_form):
    await service.refer(a_referral(EXTRA[0]))
    query = f"patient.identifier={EXTRA[0]}"
    if by_form:
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        path = "/fhir/ServiceRequest/_search"
        answer = await service.ask("hospital", "POST", path, query.encode(), headers=form)
    else:
        answer = await service.ask("hospital", "GET", f"/fhir/ServiceRequest?{query}")
    (row,) = await of(service, answer)
    assert (row["plan"], row["query"]) == ("HPSM", query)


async def test_a_search_over_plans_is_in_the_chain_of_each(service):
    await service.refer(a_referral(EXTRA[0]))
    await service.refer(a_referral(None, plan=None))
    answer = await service.ask("hospital", "GET", "/fhir/ServiceRequest")
    rows = await of(service, answer)
    assert sorted(row["plan"] for row in rows) == ["HPSM", "unassigned"]


async def test_a_search_that_finds_nothing_belongs_to_no_plan(service):
    answer = await service.ask("hospital", "GET", "/fhir/ServiceRequest?status=active")
    (row,) = await of(service, answer)
    assert (row["plan"], row["about"]) == ("*", [])


async def test_asking_first_is_recorded_with_the_member(service):
    body = a_referral(EXTRA[3])
    answer = await service.ask("hospital", "POST", "/fhir/ServiceRequest/$check", body)
    (row,) = await of(service, answer)
    assert (row["plan"], row["interaction"], row["action"]) == ("HPSM", "check", "E")
    ((member,),) = await service.rows("SELECT id FROM member WHERE cin = $1", EXTRA[3])
    assert row["about"] == [f"Patient/{member}"]


async def test_a_move_is_recorded_under_the_name_of_its_operation(service):
    referral = await service.refer(hopeless(EXTRA[0]))
    answer = await service.do(STAFF, "deny", referral, parameters(reason=because("no-population")))
    (row,) = await of(service, answer)
    assert (row["interaction"], row["client"], row["plan"]) == ("deny", STAFF, "HPSM")
    assert row["about"][0] == f"ServiceRequest/{referral}"


async def test_what_is_refused_is_recorded(service):
    referral = await service.refer(a_referral(EXTRA[0]))
    stranger = await service.ask("community", "GET", f"/fhir/ServiceRequest/{referral}")
    (row,) = await of(service, stranger)
    assert (row["status"], row["client"], row["plan"]) == (404, "community", "*")
    assert row["about"] == [f"ServiceRequest/{referral}"]
    forbidden = await service.do("hospital", "approve", referral, parameters())
    (row,) = await of(service, forbidden)
    assert (row["status"], row["interaction"]) == (403, "approve")
    bad = {"Authorization": "Bearer x.y.z"}
    refused = await service.http.get(f"/fhir/ServiceRequest/{referral}", headers=bad)
    (row,) = await of(service, refused)
    assert (row["status"], row["client"], row["plan"]) == (401, None, "*")
    wrong = await service.http.post(
        "/oauth/token", data={"grant_type": "client_credentials"}, auth=("hospital", "guessed")
    )
    (row,) = await of(service, wrong)
    assert (row["status"], row["interaction"], row["plan"]) == (401, "requestToken", "*")
    unknown = await service.http.get(f"/fhir/ServiceRequest/{referral}")
    assert (unknown.status_code, await of(service, unknown)) == (401, [])


async def test_a_member_of_the_roster_is_recorded(service):
    ((member,),) = await service.rows("SELECT id FROM member WHERE cin = $1", EXTRA[0])
    path = f"/fhir/Patient/{member}"
    read = await service.ask(STAFF, "GET", path)
    (row,) = await of(service, read)
    assert (row["plan"], row["about"]) == ("HPSM", [f"Patient/{member}"])
    written = await service.ask(
        STAFF, "PUT", path, read.json(), headers={"If-Match": read.headers["etag"]}
    )
    assert written.status_code == 200, written.text
    (row,) = await of(service, written)
    assert (row["action"], row["interaction"], row["about"]) == (
        "U",
        "update",
        [f"Patient/{member}"],
    )


async def test_who_was_told_is_recorded(service, receiver):
    await service.listen(receiver, "hospital", "/thin")
    referral = await service.refer(a_referral(EXTRA[0]))
    async with service.delivering():
        await receiver.until(lambda: len(receiver.received) >= 2)
    rows = await recorded(service, interaction="disclose")
    assert rows
    for row in rows:
        assert (row["organization"], row["client"]) == ("org-harbor-lantern", "delivery")
        assert (row["plan"], row["action"]) == ("HPSM", "R")
        assert row["about"] == [f"ServiceRequest/{referral}", *await member_of(service, referral)]


async def test_a_clock_is_recorded_as_the_clock(service):
    await service.refer(hopeless(EXTRA[0]))
    service.later(days=30)
    async with service.delivering():
        for _ in range(200):
            if rows := await recorded(service, client="clock"):
                break
            await service.ask("hospital", "GET", "/fhir/metadata")
    assert {(row["organization"], row["plan"]) for row in rows} == {(None, "HPSM")}


# Every route

#: What writes, and where it is tested: here, or with the statement of every move.
WRITES = {
    "POST /fhir/ServiceRequest",
    "POST /fhir",
    "POST /fhir/ServiceRequest/$check",
    *(
        f"POST /fhir/ServiceRequest/{{id}}/${name}"
        for name in (
            "approve", "deny", "void", "request-information", "assign", "add-information", "cancel",
        )
    ),
    "PUT /fhir/Task/{id}",
    "PATCH /fhir/Task/{id}",
    "POST /fhir/Task",
    "PUT /fhir/ServiceRequest/{id}",
    "POST /v1/work-queue/{id}/claim",
    "POST /v1/work-queue/{id}/release",
    "POST /v1/correspondence/{id}/sent",
    "POST /v1/correspondence/{id}/release",
    *(
        f"{way}"
        for kind in ("Patient", "Coverage", "QuestionnaireResponse")
        for way in (f"POST /fhir/{kind}", f"PUT /fhir/{kind}/{{id}}")
    ),
}  # fmt: skip


def guarded(app):
    """Method and template of each route with a caller that is recorded by itself."""
    for route in app.routes:
        dependant = getattr(route, "dependant", None)
        if dependant is not None and is_guarded(dependant) and not unrecorded(route.path_format):
            for method in route.methods:
                yield method, route.path_format


def is_read(method, path):
    return method == "GET" or path.endswith("_search")


async def test_every_route_that_reads_leaves_one_row(service):
    referral = await service.refer(a_referral(EXTRA[0]))
    ((letter,),) = await service.rows("SELECT id FROM correspondence LIMIT 1")
    ids = {"/v1/correspondence": letter}
    found = {}
    for method, path in guarded(service.app):
        if not is_read(method, path):
            continue
        id_ = next((known for at, known in ids.items() if path.startswith(at)), referral)
        where = path.replace("{kind}", "Practitioner").replace("{version}", "1")
        where = where.replace("{id}", id_)
        headers = {"Content-Type": "application/x-www-form-urlencoded"} if method == "POST" else {}
        answer = await service.ask(STAFF, method, where, headers=headers)
        assert answer.status_code in (200, 404), (path, answer.text)
        found[f"{method} {path}"] = len(await of(service, answer))
    assert len(found) > 60
    assert {path for path, rows in found.items() if rows != 1} == set()


def test_every_route_that_writes_is_known(service):
    written = {f"{m} {p}" for m, p in guarded(service.app) if not is_read(m, p)}
    assert written == WRITES


def test_what_is_not_recorded_has_a_reason(service):
    paths = [f"{getattr(route, 'path_format', '')}/" for route in service.app.routes]
    for beginning, reason in UNRECORDED.items():
        assert reason
        assert any(path.startswith(beginning) for path in paths)


# The API


async def events(service, query, by=STAFF):
    answer = await service.ask(by, "GET", f"/fhir/AuditEvent{query}")
    assert answer.status_code == 200, answer.text
    return [entry["resource"] for entry in answer.json().get("entry", ())]


SEARCHES = {
    "?patient={patient}": {"create", "read", "search-type"},
    "?patient={patient}&action=R": {"read"},
    "?entity=ServiceRequest/{referral}": {"create", "read"},
    "?entity=ServiceRequest/{referral}&patient={patient}&action=C": {"create"},
    "?agent=Organization/org-tidepool": {"read"},
    "?agent=org-tidepool": {"read"},
    "?altid=ecm-provider": {"read"},
    "?subtype=http://hl7.org/fhir/restful-interaction|read": {"read"},
    "?subtype=https://elsewhere.example|read": set(),
    "?action=E": {"search-type"},
    "?date=ge2026-11-20&date=lt2026-11-21&action=R": {"read"},
    "?date=lt2026-11-20": set(),
    "?date=2026-11-20&action=R": {"read"},
    "?outcome=4": set(),
    "?outcome=0&action=C": {"create"},
    "?type=110106": set(),
    "?type=rest&action=C": {"create"},
}


async def test_staff_search_the_record_of_their_plan(service):
    referral = await service.refer(a_referral(EXTRA[0], asks_for="org-tidepool"))
    await service.ask("ecm-provider", "GET", f"/fhir/ServiceRequest/{referral}")
    await service.ask("hospital", "GET", "/fhir/ServiceRequest?status=active")
    patient = (await member_of(service, referral))[0]
    named = {}
    for query in SEARCHES:
        asked = query.format(patient=patient, referral=referral)
        found = await events(service, asked)
        named[query] = {
            event["subtype"][-1]["code"] for event in found if event["agent"][0]["altId"] != STAFF
        }
    assert named == SEARCHES


async def test_an_event_is_what_balp_says(service):
    referral = await service.refer(a_referral(EXTRA[0]))
    query = f"patient.identifier={EXTRA[0]}"
    await service.ask("hospital", "GET", f"/fhir/ServiceRequest?{query}")
    (event,) = await events(service, "?action=E&altid=hospital")
    client, ours = event["agent"]
    assert client["type"]["coding"][0]["code"] == "110153"
    assert ours["type"]["coding"][0]["code"] == "110152"
    assert client["who"]["reference"] == "Organization/org-harbor-lantern"
    assert client["purposeOfUse"][0]["coding"][0]["code"] == "TREAT"
    assert (client["requestor"], ours["requestor"]) == (True, False)
    by_code = {entity.get("role", entity["type"])["code"]: entity for entity in event["entity"]}
    assert base64.b64decode(by_code["24"]["query"]).decode() == query
    assert by_code["1"]["what"]["reference"].startswith("Patient/")
    assert by_code["XrequestId"]["what"]["identifier"]["value"]
    read = await service.ask(STAFF, "GET", f"/fhir/AuditEvent/{event['id']}")
    assert read.json() == event
    (row,) = await of(service, read)
    assert row["about"] == [f"AuditEvent/{event['id']}"]
    assert referral


async def test_pages_follow_each_other(service):
    referral = await service.refer(a_referral(EXTRA[0]))
    for _ in range(5):
        await service.ask("hospital", "GET", f"/fhir/Task/{referral}")
    seen, path = [], "/fhir/AuditEvent?altid=hospital&_count=2"
    while path:
        bundle = (await service.ask(STAFF, "GET", path)).json()
        seen += [entry["resource"]["id"] for entry in bundle["entry"]]
        links = {link["relation"]: link["url"] for link in bundle["link"]}
        path = links.get("next")
    assert len(seen) == len(set(seen)) == 6
    assert seen == sorted(seen, reverse=True)
    counted = await service.ask(STAFF, "GET", "/fhir/AuditEvent?altid=hospital&_count=0")
    assert counted.json()["total"] == 6


async def test_nobody_else_reads_it(service):
    await service.refer(a_referral(EXTRA[0]))
    event = (await events(service, "?altid=hospital"))[0]["id"]
    for by, status in (("hospital", 403), ("ecm-provider", 403), ("staff-hpsj", 404)):
        answer = await service.ask(by, "GET", f"/fhir/AuditEvent/{event}")
        assert answer.status_code == status, by
    assert await events(service, "?altid=hospital", by="staff-hpsj") == []
    answer = await service.ask("hospital", "GET", "/fhir/AuditEvent")
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "query",
    ["?date=ne2026", "?date=x", "?entity=1", "?action=E&action=R", "?_cursor=x", "?outcome=|"],
)
async def test_what_cannot_be_asked_is_400(service, query):
    answer = await service.ask(STAFF, "GET", f"/fhir/AuditEvent{query}")
    assert answer.status_code == 400, answer.text
