"""What a Bundle brings along beside the facts is kept as sent, and read where it was put."""

import pytest

from app.fhir.bundle import CARRIED
from tests.edge.test_http import outcome
from tests.journeys.payloads import coded, example

URN = "urn:uuid:2f0a8f0e-5a50-4f0a-9a3c-6d1f6f0c7a11"
ALLERGY = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
#: What R4 asks of these types, beside the type itself.
NEEDED = {
    "AllergyIntolerance": {"clinicalStatus": coded(ALLERGY, "active"), "patient": {}},
    "CarePlan": {"status": "active", "intent": "plan", "subject": {}},
    "DiagnosticReport": {"status": "final", "code": {"text": "X-ray"}},
    "EpisodeOfCare": {"status": "active", "patient": {}},
    "FamilyMemberHistory": {
        "status": "completed", "patient": {}, "relationship": {"text": "mother"},
    },
    "Goal": {"lifecycleStatus": "active", "description": {"text": "A home."}, "subject": {}},
    "Immunization": {
        "status": "completed", "vaccineCode": {"text": "flu"}, "patient": {},
        "occurrenceString": "last autumn",
    },
    "MedicationRequest": {
        "status": "active", "intent": "order", "medicationCodeableConcept": {"text": "x"},
        "subject": {},
    },
    "MedicationStatement": {
        "status": "active", "medicationCodeableConcept": {"text": "x"}, "subject": {},
    },
    "Procedure": {"status": "completed", "subject": {}},
    "RelatedPerson": {"patient": {}},
    "RiskAssessment": {"status": "final", "subject": {}},
}  # fmt: skip


def carrying(kind, **elements):
    """The first example with one entry more, to which its ServiceRequest refers."""
    bundle = example("01")
    member = {"reference": bundle["entry"][0]["fullUrl"]}
    needed = {name: value or member for name, value in NEEDED.get(kind, {}).items()}
    resource = {"resourceType": kind, "identifier": [{"value": "7"}], **needed, **elements}
    request = {"method": "POST", "url": kind}
    bundle["entry"].append({"fullUrl": URN, "resource": resource, "request": request})
    (main,) = [e["resource"] for e in bundle["entry"] if "intent" in e["resource"]][:1]
    main.setdefault("relevantHistory", []).append({"reference": URN})
    return bundle, main


async def place(service, bundle):
    """(path, resource) of the last entry, as its sender reads it."""
    answer = await service.post(bundle)
    assert answer.status_code == 200, answer.text
    where = answer.json()["entry"][-1]["response"]["location"].partition("/fhir/")[2]
    read = await service.ask("hospital", "GET", f"/fhir/{where}")
    assert read.status_code == 200, read.text
    return where, read


@pytest.mark.parametrize("kind", CARRIED)
async def test_each_is_read_where_the_transaction_says_that_it_is(service, kind):
    bundle, _ = carrying(kind, extension=[{"url": "urn:x", "valueString": "kept"}])
    where, read = await place(service, bundle)
    resource = read.json()
    sent = bundle["entry"][-1]["resource"]
    assert resource.pop("id") == where.split("/")[1]
    assert resource.pop("meta")["versionId"] == "1"
    assert {name for name in sent if sent[name] != resource.get(name)} <= {"subject", "patient"}
    assert set(resource) == set(sent)
    assert (read.headers["etag"], "last-modified" in read.headers) == ('W/"1"', True)
    current = await service.ask("hospital", "GET", "/fhir/" + where.partition("/_history")[0])
    assert current.content == read.content


async def test_the_one_who_refers_is_found_by_the_referral_and_seen_by_its_parties_alone(service):
    bundle, main = carrying("Practitioner", name=[{"family": "Brightwater"}])
    main["requester"] = {"reference": URN}
    where, read = await place(service, bundle)
    id_ = read.json()["id"]
    (referral, included) = await service.found("ServiceRequest?_include=ServiceRequest:requester")
    assert referral["requester"] == {"reference": f"Practitioner/{id_}"}
    assert included == read.json()
    path = f"/fhir/{where.partition('/_history')[0]}"
    for party in ("ecm-provider", "staff-hpsm"):
        assert (await service.ask(party, "GET", path)).json() == read.json()
    for stranger in ("practice", "staff-hpsj"):
        answer = await service.ask(stranger, "GET", path)
        assert (answer.status_code, outcome(answer)[0]["code"]) == (404, "not-found")
    known = {"If-None-Match": 'W/"1"'}
    assert (await service.ask("hospital", "GET", path, headers=known)).status_code == 304
    part = (await service.ask("hospital", "GET", f"{path}?_elements=name")).json()
    assert set(part) == {"resourceType", "id", "meta", "name"}


async def test_it_is_read_and_nothing_else(service):
    for method, path in (("PUT", "/fhir/Practitioner/1"), ("DELETE", "/fhir/Goal/1")):
        answer = await service.ask("staff-hpsm", method, path)
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
    for path in ("/fhir/Practitioner", "/fhir/Binary/1", "/fhir/Practitioners/1"):
        assert (await service.ask("staff-hpsm", "GET", path)).status_code == 404
