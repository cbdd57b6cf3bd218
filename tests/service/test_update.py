"""Tasks and requests written over HTTP: what is asked of the writer, and what is refused."""

import pytest

from app.fhir.r4.codes import REQUEST_STATUS_REASON
from app.model.lifecycle import BusinessStatus, Event, Party, State
from app.model.moves import ON_SERVICE_TASK, Verdict, event_meant, judge
from tests.journeys.payloads import EXTRA, REASON, VISITS, coded, hopeless, incomplete, responses
from tests.journeys.service import issue
from tests.service.scene import approved, move, patch, put, service_task, walk

LATER = {"valueString": "Call in the afternoon."}


async def test_nobody_moves_what_they_have_not_read(service):
    referral = await approved(service)
    task = await service_task(service, referral)
    before = await service.counts()
    body = {**task, "status": "accepted"}
    bare = await service.ask("ecm-provider", "PUT", f"/fhir/Task/{task['id']}", body)
    assert bare.status_code == 428
    steps = [{"op": "replace", "path": "/status", "value": "accepted"}]
    types = {"Content-Type": "application/json-patch+json"}
    place = f"/fhir/Task/{task['id']}"
    assert (
        await service.ask("ecm-provider", "PATCH", place, steps, headers=types)
    ).status_code == 428
    assert (
        await service.ask("hospital", "PUT", f"/fhir/ServiceRequest/{referral}", {})
    ).status_code == 428
    assert (
        await put(service, "ecm-provider", task, "accepted", version='W/"9"')
    ).status_code == 412
    assert (await patch(service, "ecm-provider", task, *steps, version='W/"9"')).status_code == 412
    assert (await put(service, "ecm-provider", task, "accepted", version="new")).status_code == 400
    assert await service.counts() == before
    done = await put(service, "ecm-provider", task, "accepted")
    assert (done.status_code, done.headers["ETag"]) == (200, 'W/"2"')
    assert (await put(service, "ecm-provider", task, "accepted")).status_code == 412


#: How the performer brings its service Task into each status.
WAYS = {
    "requested": (),
    "accepted": ("accepted",),
    "in-progress": ("accepted", "in-progress"),
    "on-hold": ("accepted", "on-hold"),
    "completed": ("accepted", "completed"),
    "failed": ("accepted", "failed"),
}
#: Gravity's arrows (SDOHCC-TaskForReferralManagement), and accepted → rejected (BSeR).
ARROWS = {
    "requested": {"accepted", "rejected"},
    "accepted": {"in-progress", "on-hold", "completed", "failed", "rejected"},
    "in-progress": {"on-hold", "completed", "failed"},
    "on-hold": {"in-progress", "completed", "failed"},
    "completed": set(),
    "failed": set(),
}


@pytest.mark.parametrize("status", WAYS)
async def test_every_status_of_a_service_task_over_http(service, status):
    for cin, wanted in zip(
        EXTRA, [*ON_SERVICE_TASK, "cancelled", "entered-in-error"], strict=False
    ):
        if wanted == status:
            continue
        referral = await approved(service, cin)
        await walk(service, referral, *WAYS[status])
        before = await service.counts()
        answer = await move(service, referral, wanted, "Because of something else.")
        if wanted in ARROWS[status]:
            assert (answer.status_code, answer.json()["status"]) == (200, wanted), (status, wanted)
        else:
            assert answer.status_code == 409, (status, wanted, answer.text)
            assert await service.counts() == before


@pytest.mark.parametrize("client", ["hospital", "staff-hpsm"])
@pytest.mark.parametrize("status", ON_SERVICE_TASK)
async def test_only_the_performer_moves_its_task(service, client, status):
    referral = await approved(service)
    task = await service_task(service, referral)
    answer = await put(service, client, task, status, "A reason.")
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("client", "status", "answered"),
    [
        ("hospital", "accepted", 403),
        ("hospital", "rejected", 403),
        ("hospital", "completed", 409),
        ("staff-hpsm", "in-progress", 409),
        ("community", "cancelled", 404),
        ("staff-hpsj", "cancelled", 404),
    ],
)
async def test_the_referrals_task_has_its_own_hands(service, client, status, answered):
    referral = await service.refer(hopeless())
    task = await service.read("Task", referral)
    answer = await put(service, client, task, status, "A reason.")
    assert answer.status_code == answered


async def test_a_performer_does_not_move_the_referrals_task(service):
    referral = await approved(service)
    task = await service.read("Task", referral, "ecm-provider")
    for status in ("cancelled", "rejected", "entered-in-error"):
        answer = await put(service, "ecm-provider", task, status, "A reason.")
        assert answer.status_code == 403


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("focus", {"reference": "ServiceRequest/another"}),
        ("for", {"reference": "Patient/another"}),
        ("owner", {"reference": "Organization/org-foghorn"}),
        ("requester", {"reference": "Organization/org-tidepool"}),
        ("code", coded("http://hl7.org/fhir/CodeSystem/task-code", "approve")),
        ("partOf", [{"reference": "Task/another"}]),
    ],
)
async def test_what_is_ours_is_refused_by_name(service, name, value):
    referral = await approved(service)
    task = await service_task(service, referral)
    answer = await put(service, "ecm-provider", task, "accepted", **{name: value})
    assert answer.status_code == 422
    assert issue(answer)["expression"] == [f"Task.{name}"]
    assert await service.words(referral) == ["approved", "assigned"]


async def test_a_short_task_is_enough_and_references_may_be_absolute(service):
    referral = await approved(service)
    task = await service_task(service, referral)
    base = service.settings.fhir_base
    short = {
        "resourceType": "Task",
        "id": task["id"],
        "status": "accepted",
        "intent": "order",
        "focus": {"reference": f"{base}/ServiceRequest/{referral}", "display": "The referral"},
        "meta": task["meta"],
    }
    assert (await put(service, "ecm-provider", short)).status_code == 200


@pytest.mark.parametrize("status", ["received", "ready", "draft", "requested"])
async def test_received_and_ready_mean_requested(service, status):
    referral = await approved(service)
    task = await service_task(service, referral)
    answer = await put(service, "ecm-provider", task, status)
    assert (answer.status_code, answer.json()["status"]) == (200, "requested")
    assert answer.headers["ETag"] == 'W/"1"'


async def test_a_reason_is_required_in_words_of_its_own(service):
    referral = await approved(service)
    task = await service_task(service, referral)
    for why in (None, {"coding": [{"code": "no-capacity"}]}):
        elements = {"statusReason": why} if why else {}
        answer = await put(service, "ecm-provider", task, "rejected", **elements)
        assert answer.status_code == 422
        assert issue(answer)["expression"] == ["Task.statusReason.text"]


async def test_patches(service):
    referral = await approved(service)
    task = await service_task(service, referral)
    accept = {"op": "replace", "path": "/status", "value": "accepted"}
    before = await service.counts()
    refused = [
        ([{"op": "test", "path": "/status", "value": "in-progress"}, accept], 422),
        ([{"op": "replace", "path": "/nothing/here", "value": 1}], 422),
        ([{"op": "remove", "path": "/status"}], 400),
        ([{"op": "replace", "path": "/status", "value": 7}], 400),
        ([{"op": "replace", "path": "/id", "value": "another"}], 400),
        ([{"op": "replace", "path": "", "value": []}], 422),
        ([{"op": "replace", "path": "/owner/reference", "value": "Organization/x"}], 422),
        ([{"op": "become", "path": "/status"}], 400),
        ([{"op": "add", "path": "status", "value": "accepted"}], 400),
        ([], 400),
        ([accept] * 101, 413),
        (["accept"], 400),
    ]
    for steps, status in refused:
        answer = await patch(service, "ecm-provider", task, *steps)
        assert answer.status_code == status, (steps, answer.text)
    assert await service.counts() == before
    good = [
        {"op": "test", "path": "/status", "value": "requested"},
        accept,
        {"op": "add", "path": "/note", "value": []},
        {"op": "add", "path": "/note/-", "value": {"text": "We call on Monday."}},
        {"op": "copy", "from": "/note/0", "path": "/note/1"},
        {"op": "remove", "path": "/note/1"},
        {"op": "remove", "path": "/statusReason"},
    ]
    answer = await patch(service, "ecm-provider", task, *good)
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "accepted"
    assert answer.json()["note"] == [{"text": "We call on Monday."}]


async def test_a_patch_that_grows_without_end_is_stopped(service):
    referral = await approved(service)
    task = await service_task(service, referral)
    steps = [{"op": "add", "path": "/note", "value": [{"text": "x" * 1000}]}]
    steps += [{"op": "copy", "from": "/note", "path": f"/note/0/x{n}"} for n in range(60)]
    answer = await patch(service, "ecm-provider", task, *steps)
    assert (answer.status_code, issue(answer)["code"]) == (422, "too-costly")


async def test_inputs_and_notes_are_kept_and_only_added_to(service):
    referral = await service.refer(incomplete())
    task = await service.read("Task", referral)
    given = {"type": {"text": "additional-content"}, **LATER}
    note = {"text": "The member prefers Spanish."}
    answer = await put(service, "hospital", task, input=[given], note=[note])
    assert answer.status_code == 200, answer.text
    kept = answer.json()
    asked = task["input"]  # ours: the request for information
    assert (kept["input"], kept["note"]) == ([given, *asked], [note])
    assert (await service.history(referral))[-1] == (
        "pending",
        "annotate",
        "pending",
        "information-needed",
        "hospital",
    )
    twice = await put(service, "hospital", kept, note=[note, note])
    assert (twice.status_code, twice.json()["note"]) == (200, [note, note])
    kept = twice.json()
    once = await put(service, "hospital", kept, note=[note])
    assert (once.status_code, issue(once)["expression"]) == (422, ["Task.note"])
    steps = [{"op": "add", "path": "/note/-", "value": note}]
    kept = (await patch(service, "hospital", kept, *steps)).json()
    assert kept["note"] == [note, note, note]
    gone = await put(service, "hospital", kept, note=[{"text": "Something else."}])
    assert (gone.status_code, issue(gone)["expression"]) == (422, ["Task.note"])
    outputs = [{"type": {"text": "outcome"}, "valueString": "x"}]
    foreign = await put(service, "hospital", kept, output=outputs)
    assert (foreign.status_code, issue(foreign)["expression"]) == (422, ["Task.output"])


async def test_a_task_of_the_referrers_is_adopted(service):
    referral = await service.refer(incomplete())
    mine = {
        "resourceType": "Task",
        "identifier": [{"system": "https://referrer.example/tasks", "value": "T-1"}],
        "status": "received",
        "intent": "order",
        "focus": {"reference": f"ServiceRequest/{referral}"},
        "owner": {"reference": "Organization/org-foghorn"},
        "note": [{"text": "Please hurry."}],
    }
    created = await service.ask("hospital", "POST", "/fhir/Task", mine)
    assert created.status_code == 201, created.text
    assert f"/Task/{referral}/_history/2" in created.headers["Location"]
    body = created.json()
    assert (body["id"], body["status"]) == (referral, "on-hold")
    assert body["owner"] == {"reference": "Organization/plan-hpsm"}
    assert body["identifier"] == mine["identifier"]
    again = await service.ask("hospital", "POST", "/fhir/Task", mine)
    assert (again.status_code, again.json()["id"]) == (200, referral)
    assert again.headers["ETag"] == created.headers["ETag"]
    assert again.headers["Location"] == created.headers["Location"]
    assert len(await service.found(f"Task?focus=ServiceRequest/{referral}")) == 1


@pytest.mark.parametrize("client", ["community", "ecm-provider", "staff-hpsm", "hospital"])
async def test_a_task_about_anothers_referral_is_about_none(service, client):
    referral = await approved(service)
    focus = {"reference": f"ServiceRequest/{referral}"}
    if client == "hospital":
        focus = {"reference": "ServiceRequest/nobodys"}
    mine = {"resourceType": "Task", "status": "requested", "intent": "order", "focus": focus}
    answer = await service.ask(client, "POST", "/fhir/Task", mine)
    assert (answer.status_code, issue(answer)["expression"]) == (422, ["Task.focus"])


async def test_a_request_is_added_to_and_nothing_else(service):
    referral = await approved(service)
    body = await service.read("ServiceRequest", referral)
    place, tag = f"/fhir/ServiceRequest/{referral}", {"If-Match": 'W/"1"'}
    note = {"note": [{"text": "The member moved in with a sister."}]}

    async def send(by="hospital", headers=tag, **elements):
        return await service.ask(by, "PUT", place, {**body, **elements}, headers=headers)

    for elements in ({"intent": "plan"}, {"code": coded("urn:x", "y")}, {"status": "draft"}):
        answer = await send(**elements)
        (name,) = elements
        assert answer.status_code == 422
        assert issue(answer)["expression"] == [f"ServiceRequest.{name}"]
    gone = dict(body)
    gone.pop("insurance")
    answer = await service.ask("hospital", "PUT", place, gone, headers=tag)
    assert (answer.status_code, issue(answer)["expression"]) == (422, ["ServiceRequest.insurance"])
    assert (await send(by="ecm-provider", **note)).status_code == 403
    assert (await send(by="community", **note)).status_code == 404
    assert (await send(headers={"If-Match": 'W/"5"'}, **note)).status_code == 412
    same = await send()
    assert (same.status_code, same.headers["ETag"]) == (200, 'W/"1"')
    added = await send(**note)
    assert (added.status_code, added.json()["note"]) == (200, note["note"])
    assert await service.words(referral) == ["approved", "assigned"]
    assert (await service.history(referral))[-1][1] == "annotate"


async def test_facts_added_to_a_pending_request_are_read_at_once(service):
    referral = await service.refer(incomplete())
    body = await service.read("ServiceRequest", referral)
    more = {**responses({}, VISITS), "id": "more"}
    body["contained"] = [*body["contained"], more]
    body["supportingInfo"] = [*body["supportingInfo"], {"reference": "#more"}]
    answer = await service.ask(
        "hospital",
        "PUT",
        f"/fhir/ServiceRequest/{referral}",
        body,
        headers={"If-Match": 'W/"1"'},
    )
    assert answer.status_code == 200, answer.text
    assert await service.words(referral) == ["approved", "assigned"]
    events = [row[1] for row in await service.history(referral)]
    assert events[-2:] == ["add-information", "approve"]


async def test_a_referral_that_has_ended_is_not_written_to(service):
    referral = await approved(service)
    task = await service_task(service, referral)
    assert (await service.do("hospital", "cancel", referral)).status_code == 200
    closed = await service.read("Task", task["id"])
    assert closed["status"] == "cancelled"
    before = await service.counts()
    answer = await put(service, "ecm-provider", closed, "accepted")
    assert answer.status_code == 409
    own = await service.read("Task", referral)
    assert (await put(service, "hospital", own, note=[{"text": "Late."}])).status_code == 409
    assert (await put(service, "hospital", own, "cancelled")).status_code == 200  # as it is
    assert await service.counts() == before


def test_the_table_agrees_with_gravitys_arrows():
    """What ARROWS lists over HTTP is what the table lists."""
    words = {
        "requested": BusinessStatus.ASSIGNED,
        "accepted": BusinessStatus.ACCEPTED,
        "in-progress": BusinessStatus.IN_SERVICE,
        "on-hold": BusinessStatus.ON_HOLD,
        "completed": BusinessStatus.COMPLETED,
        "failed": BusinessStatus.UNFULFILLED,
    }
    for status, now in words.items():
        for wanted in ON_SERVICE_TASK:
            event = event_meant(ON_SERVICE_TASK, wanted, State.APPROVED, now)
            assert isinstance(event, Event)
            allowed = judge([Party.PERFORMER], State.APPROVED, now, event) is Verdict.ALLOWED
            assert allowed == (wanted in ARROWS[status]) or wanted == status


async def test_a_task_does_not_grow_without_end(service):
    referral = await service.refer(incomplete())
    task = await service.read("Task", referral)
    notes = [{"text": letter * 900_000} for letter in "abc"]
    step = {"op": "add", "path": "/note", "value": notes}
    grown = (await patch(service, "hospital", task, step)).json()
    more = [{"op": "add", "path": "/note/-", "value": note} for note in notes]
    answer = await patch(service, "hospital", grown, *more)
    assert (answer.status_code, issue(answer)["code"]) == (422, "too-long")
    assert "by reference" in issue(answer)["diagnostics"]
    assert await service.read("Task", referral) == grown
    taken_back = await put(service, "hospital", grown, "cancelled", "Moved away.")
    assert taken_back.status_code == 200


NO_REASON = {"valueCodeableConcept": coded(REASON, "because")}


@pytest.mark.parametrize("place", ["Task.statusReason", "Task.reasonCode", "extension", "$cancel"])
async def test_a_reason_that_does_not_exist_is_named_where_it_was_written(service, place):
    referral = await approved(service)
    why = NO_REASON["valueCodeableConcept"]
    if place == "Task.statusReason":
        task = await service.read("Task", referral)
        answer = await put(service, "hospital", task, "cancelled", statusReason=why)
    elif place == "Task.reasonCode":
        abort = coded("http://hl7.org/fhir/CodeSystem/task-code", "abort")
        focus = {"reference": f"ServiceRequest/{referral}"}
        sent = {"resourceType": "Task", "status": "requested", "intent": "order", "code": abort}
        sent |= {"focus": focus, "reasonCode": why}
        answer = await service.ask("hospital", "POST", "/fhir/Task", sent)
    elif place == "extension":
        place, request = "ServiceRequest.extension", await service.read("ServiceRequest", referral)
        said = {"url": REQUEST_STATUS_REASON, **NO_REASON}
        body = {**request, "status": "revoked", "extension": [*request.get("extension", ()), said]}
        tag = {"If-Match": f'W/"{request["meta"]["versionId"]}"'}
        path = f"/fhir/ServiceRequest/{referral}"
        answer = await service.ask("hospital", "PUT", path, body, headers=tag)
    else:
        place = "Parameters.parameter[0]"
        body = {"resourceType": "Parameters", "parameter": [{"name": "reason", **NO_REASON}]}
        answer = await service.do("hospital", "cancel", referral, body)
    assert (answer.status_code, issue(answer)["code"]) == (422, "code-invalid")
    assert issue(answer)["expression"] == [place]
    assert await service.words(referral) == ["approved", "assigned"]
