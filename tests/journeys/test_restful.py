"""What a client that knows FHIR's REST API tries beside the journeys."""

import orjson
import pytest

from tests.edge.test_http import outcome
from tests.journeys.payloads import EXTRA, a_referral, example
from tests.service.scene import approved, patch, put

SUBSETTED = "SUBSETTED"
WRITES = ("create", "repeat", "update", "patch", "unchanged")


async def write(service, kind, prefer):
    """One write of a kind, by the referrer, with a preference."""
    headers = {"Prefer": prefer}
    body = {**a_referral(), "identifier": [{"system": "urn:own", "value": "7"}]}
    if kind == "create":
        return await service.ask("hospital", "POST", "/fhir/ServiceRequest", body, headers=headers)
    referral = await service.refer(body)
    if kind == "repeat":
        return await service.ask("hospital", "POST", "/fhir/ServiceRequest", body, headers=headers)
    headers["If-Match"] = "*"
    if kind == "patch":
        path = f"/fhir/Task/{referral}"
        headers["Content-Type"] = "application/json-patch+json"
        steps = [{"op": "add", "path": "/note", "value": [{"text": "Call first."}]}]
        return await service.ask("hospital", "PATCH", path, steps, headers=headers)
    sent = await service.read("ServiceRequest", referral)
    if kind == "update":
        sent["note"] = [{"text": "Call first."}]
    path = f"/fhir/ServiceRequest/{referral}"
    return await service.ask("hospital", "PUT", path, sent, headers=headers)


@pytest.mark.parametrize("kind", WRITES)
@pytest.mark.parametrize(
    ("prefer", "shown"),
    [
        ("return=minimal", None),
        ('respond-async, return="OperationOutcome"; wait=5', "OperationOutcome"),
        ("return=representation", "itself"),
        ("return=presentation", "itself"),
        ("return=minimal, return=representation", None),
    ],
)
async def test_a_write_answers_with_what_was_preferred(service, kind, prefer, shown):
    answer = await write(service, kind, prefer)
    assert answer.status_code == (201 if kind == "create" else 200)
    assert answer.headers["etag"]
    assert answer.headers["last-modified"]
    assert ("location" in answer.headers) is (kind in ("create", "repeat"))
    if shown is None:
        assert answer.content == b""
        assert "content-type" not in answer.headers
        assert answer.headers["preference-applied"] == "return=minimal"
        return
    resource = answer.json()
    wanted = ("Task" if kind == "patch" else "ServiceRequest") if shown == "itself" else shown
    assert resource["resourceType"] == wanted
    applied = {"return=presentation": None}.get(prefer, f"return={shown}")
    applied = "return=representation" if applied == "return=itself" else applied
    assert answer.headers.get("preference-applied") == applied


async def test_a_transaction_answers_with_its_resources_where_these_are_preferred(service):
    bundle = example("01")
    answers = [
        await service.post(bundle, Prefer=prefer, Idempotency_Key="k-2")
        for prefer in ("return=minimal", "return=representation", "return=representation")
    ]
    bare, first, again = [answer.json()["entry"] for answer in answers]
    assert not any("resource" in entry for entry in bare)
    assert first == again
    assert [entry["response"] for entry in first] == [entry["response"] for entry in bare]
    for entry, sent in zip(first, bundle["entry"], strict=True):
        resource = entry["resource"]
        assert entry["response"]["location"].endswith(
            f"/{sent['resource']['resourceType']}/{resource['id']}/_history/1"
        )
        assert await service.read(resource["resourceType"], resource["id"]) == resource
    assert answers[1].headers["preference-applied"] == "return=representation"


async def test_what_a_client_may_not_read_is_not_in_the_answer_to_its_transaction(service):
    sent = {entry["resource"]["resourceType"] for entry in example("01")["entry"]}
    scope = " ".join(["system/ServiceRequest.crs", *(f"system/{kind}.c" for kind in sorted(sent))])
    form = {"grant_type": "client_credentials", "scope": scope}
    token = await service.http.post("/oauth/token", data=form, auth=("hospital", "demo-hospital"))
    headers = {
        "Authorization": f"Bearer {token.json()['access_token']}",
        "Prefer": "return=representation",
    }
    answer = await service.ask("hospital", "POST", "/fhir", example("01"), headers=headers)
    shown = [e["resource"]["resourceType"] for e in answer.json()["entry"] if "resource" in e]
    assert shown == ["ServiceRequest"]


async def test_a_resource_that_is_there_is_not_made_again_where_that_was_excluded(service):
    path = "/fhir/Organization/org-tidepool"
    body = await service.read("Organization", "org-tidepool")
    answer = await service.ask("staff-hpsm", "PUT", path, body, headers={"If-None-Match": "*"})
    assert (answer.status_code, outcome(answer)[0]["code"]) == (412, "conflict")


async def test_a_refusal_is_told_whatever_was_preferred(service):
    answer = await service.post({**a_referral(), "status": "draft"}, Prefer="return=minimal")
    assert answer.status_code == 422
    assert outcome(answer)


async def test_a_key_keeps_its_first_answer_and_each_repeat_its_preference(service):
    body = a_referral()
    minimal = await service.post(body, Idempotency_Key="k-1", Prefer="return=minimal")
    whole = await service.post(body, Idempotency_Key="k-1")
    assert (minimal.status_code, minimal.content) == (201, b"")
    assert (whole.status_code, whole.json()["resourceType"]) == (201, "ServiceRequest")
    for name in ("location", "etag", "last-modified"):
        assert whole.headers[name] == minimal.headers[name]


@pytest.mark.parametrize(
    "path",
    [
        "/fhir/ServiceRequest/{id}",
        "/fhir/ServiceRequest/{id}/_history/1",
        "/fhir/ServiceRequest/{id}/_history",
        "/fhir/Task?_id={id}",
        "/fhir/Questionnaire/ecm",
        "/fhir/metadata",
        "/health/ready",
        "/fhir/Task/unknown",
    ],
)
async def test_head_is_answered_as_get_is_without_the_body(service, path):
    where = path.format(id=await service.refer(a_referral()))
    head, get = [await service.ask("hospital", method, where) for method in ("HEAD", "GET")]
    assert (head.status_code, head.content) == (get.status_code, b"")
    changing = ("date", "x-request-id", "ratelimit")
    told = [{k: v for k, v in one.headers.items() if k not in changing} for one in (head, get)]
    assert told[0] == told[1]
    assert int(head.headers["content-length"]) == len(get.content) > 0


async def test_a_path_that_is_read_allows_head_and_one_that_is_not_does_not(service):
    referral = await service.refer(a_referral())
    wrong = await service.ask("hospital", "DELETE", f"/fhir/ServiceRequest/{referral}")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "GET, HEAD, PUT")
    for path in ("ServiceRequest/$check", "ServiceRequest/_search", f"Task/_search?_id={referral}"):
        for method in ("GET", "HEAD"):
            wrong = await service.ask("hospital", method, f"/fhir/{path}")
            assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST"), path


async def test_a_part_of_a_referral_is_what_was_asked_for_and_what_must_be_there(service):
    sent = {**a_referral(), "note": [{"text": "Call first."}], "authoredOn": "2026-11-20"}
    sent["_authoredOn"] = {"id": "when"}
    sent["meta"] = {"tag": [{"code": "ours"}]}
    sent["text"] = {"status": "generated", "div": NARRATIVE}
    referral = await service.refer(sent)
    whole = await service.read("ServiceRequest", referral)
    needed = {"resourceType", "id", "meta", "status", "intent", "subject"}
    shown = {
        "_elements=note,authored-on": {"note"},
        "_elements=authoredOn": {"authoredOn", "_authoredOn"},
        "_elements=occurrence": set(),
        "_summary=text": {"text"},
        "_summary=data": set(whole) - {"text"},
        "_summary=true": {"identifier", "code", "authoredOn", "_authoredOn", "performer"},
        "_summary=true&_elements=note,authoredOn": {"authoredOn", "_authoredOn"},
    }
    for asked, names in shown.items():
        read = await service.ask("hospital", "GET", f"/fhir/ServiceRequest/{referral}?{asked}")
        part = read.json()
        assert set(part) == needed | (names & set(whole)), asked
        assert part["meta"].pop("tag") == [{"code": "ours"}, tag(SUBSETTED)]
        assert {name: whole[name] for name in part if name != "meta"} == {
            name: value for name, value in part.items() if name != "meta"
        }
        (found,) = await service.found(f"ServiceRequest?_id={referral}&{asked}")
        assert found == read.json()
    assert await service.read("ServiceRequest", f"{referral}?_summary=false") == whole


NARRATIVE = '<div xmlns="http://www.w3.org/1999/xhtml">A member.</div>'


def tag(code):
    return {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": code}


async def test_an_element_of_several_types_is_asked_for_by_its_name(service):
    referral = await service.refer({**a_referral(), "occurrenceDateTime": "2026-12-01"})
    part = await service.read("ServiceRequest", f"{referral}?_elements=occurrence")
    assert part["occurrenceDateTime"] == "2026-12-01"


@pytest.mark.parametrize("kind", ["ServiceRequest", "Questionnaire", "HealthcareService"])
async def test_a_search_is_counted_or_shown_in_part(service, kind):
    await service.refer(a_referral())
    counted = (await service.ask("hospital", "GET", f"/fhir/{kind}?_summary=count")).json()
    assert counted["total"] > 0
    assert "entry" not in counted
    found = (await service.ask("hospital", "GET", f"/fhir/{kind}?_elements=id")).json()
    assert found["link"][0]["url"].endswith("?_elements=id")
    for entry in found["entry"]:
        assert entry["resource"]["meta"]["tag"][-1] == tag(SUBSETTED)
        assert "text" not in entry["resource"]


@pytest.mark.parametrize(
    "asked", ["_summary=some", "_summary=count", "_elements=", "_elements=,", "_elements=%00"]
)
async def test_a_part_that_is_not_understood_is_refused(service, asked):
    referral = await service.refer(a_referral())
    read = await service.ask("hospital", "GET", f"/fhir/ServiceRequest/{referral}?{asked}")
    assert (read.status_code, outcome(read)[0]["code"]) == (400, "value")
    if asked != "_summary=count":
        for kind in ("ServiceRequest", "Questionnaire", "Subscription"):
            found = await service.ask("hospital", "GET", f"/fhir/{kind}?{asked}")
            assert (found.status_code, outcome(found)[0]["code"]) == (400, "value")


async def test_a_part_is_never_taken_for_the_whole(service):
    referral = await approved(service, EXTRA[1])
    task = await service.read("Task", f"{referral}?_elements=focus")
    assert task["meta"]["tag"] == [tag(SUBSETTED)]
    for answer in (
        await put(service, "hospital", task, "cancelled"),
        await service.ask(
            "staff-hpsm",
            "PUT",
            "/fhir/Organization/org-tidepool",
            await service.read("Organization", "org-tidepool?_summary=true"),
        ),
    ):
        assert answer.status_code == 422
        (issue,) = outcome(answer)
        assert (issue["code"], issue["expression"][0][-9:]) == ("business-rule", ".meta.tag")


async def test_every_version_says_when_it_was_stored(service):
    referral = await service.refer(a_referral())
    task = await service.read("Task", referral)
    step = {"op": "add", "path": "/note", "value": [{"text": "Call first."}]}
    assert (await patch(service, "hospital", task, step)).status_code == 200
    (first, *_) = await service.found(f"Provenance?target=ServiceRequest/{referral}")
    for path in (f"Task/{referral}", f"Provenance/{first['id']}"):
        bundle = (await service.ask("hospital", "GET", f"/fhir/{path}/_history")).json()
        assert bundle["total"] == len(bundle["entry"]) > 0
        for entry in bundle["entry"]:
            stored = entry["resource"].get("meta", {}).get("lastUpdated")
            assert entry["response"]["lastModified"] == stored or stored is None


@pytest.mark.parametrize(
    ("by", "path", "body"),
    [
        ("staff-hpsm", "Organization", {"resourceType": "Organization", "name": "New"}),
        ("hospital", "Task", {"resourceType": "Task"}),
        ("hospital", "Subscription", {"resourceType": "Subscription"}),
    ],
)
async def test_a_condition_that_is_not_taken_creates_nothing(service, by, path, body):
    condition = "identifier=urn:x|1"
    where = f"/fhir/{path}"
    for asked in (
        await service.ask(by, "POST", where, body, headers={"If-None-Exist": condition}),
        await service.ask(by, "POST", f"{where}?{condition}", body),
    ):
        assert (asked.status_code, outcome(asked)[0]["code"]) == (400, "not-supported")


async def test_a_condition_finds_an_identifier_by_its_value_too(service):
    value, system = "HL-2026-77", "https://harbor-lantern.example/referrals"
    own = [{"system": system, "value": value}]
    referral = await service.refer({**a_referral(), "identifier": own})
    for condition, status in {
        f"identifier={value}": 200,
        f"identifier={system}|{value}": 200,
        f"identifier=urn:other|1,{system}|{value}": 200,
        f"identifier={value}&identifier={system}|{value}": 200,
        f"identifier=|{value}": 201,
        f"identifier=urn:other|{value}": 201,
        f"identifier={system}|": 400,
        "identifier=|": 400,
        "identifier=%00": 400,
    }.items():
        answer = await service.post(a_referral(EXTRA[2]), If_None_Exist=condition)
        assert answer.status_code == status, condition
        assert status != 200 or answer.json()["id"] == referral


async def test_the_form_of_the_answer_is_no_condition(service):
    for path, body in (("ServiceRequest", a_referral()), ("", example("01"))):
        where = f"/fhir/{path}?_format=json&_pretty=true"
        answer = await service.ask("hospital", "POST", where, body)
        assert answer.status_code in (200, 201), answer.text


@pytest.mark.parametrize(
    ("entry", "method"),
    [
        (
            {"method": "PUT", "url": "Patient/1"},
            {"resource": {"resourceType": "Patient", "id": "1"}},
        ),
        ({"method": "GET", "url": "Patient/1"}, {}),
        ({"method": "DELETE", "url": "Patient/1"}, {}),
    ],
)
async def test_an_entry_that_does_not_create_is_the_only_fault_of_its_bundle(
    service, entry, method
):
    bundle = example("01")
    bundle["entry"].append({"request": entry, **method})
    answer = await service.post(bundle)
    (issue,) = outcome(answer)
    place = f"Bundle.entry[{len(bundle['entry']) - 1}].request.method"
    assert (answer.status_code, issue["code"]) == (422, "not-supported")
    assert issue["expression"] == [place]
    assert "POST" in orjson.dumps(issue).decode()
