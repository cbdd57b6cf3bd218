"""Every search parameter, what is wrong with a search, and pages."""

import asyncio
from datetime import timedelta

import orjson
import pytest

from app.store.reading.catalog import DIRECTORY, PARAMETERS
from tests.reading.scene import (
    CIN,
    HOSPITAL,
    PROVIDER,
    SERVICE,
    STAFF,
    START,
    STRANGER,
    link,
    load,
    matches,
)

OTHER = {
    "at": START + timedelta(days=2),
    "state": "denied",
    "business_status": None,
    "cin": "9000002XA",
    "patient": "patient-2",
    "service": "RC",
    "priority": "routine",
    "number": None,
    "identifiers": (("urn:his", "R-2"),),
    "body": {"requester": {"reference": "Organization/org-cypress-bend"}, "performer": []},
}
#: parameters → whether the first and the second referral are found.
REQUESTS = [
    ({}, "ab"),
    ({"identifier": "R-1"}, "a"),
    ({"identifier": "urn:his|R-2"}, "b"),
    ({"identifier": "urn:other|R-2"}, ""),
    ({"identifier": "urn:his|"}, "ab"),
    ({"identifier": "R-1,R-2"}, "ab"),
    ({"patient": "patient-1"}, "a"),
    ({"patient": "Patient/patient-2"}, "b"),
    ({"patient": "http://127.0.0.1:8000/fhir/Patient/patient-2"}, "b"),
    ({"patient": "http://elsewhere.example/fhir/Patient/patient-2"}, ""),
    ({"subject": "Patient/patient-1,Patient/patient-2"}, "ab"),
    ({"subject:Patient": "patient-1"}, "a"),
    ({"subject": "Group/patient-1"}, ""),
    ({"patient.identifier": f"{CIN}|9000001XA"}, "a"),
    ({"patient.identifier": "9000002XA"}, "b"),
    ({"subject.identifier": "9000002XA"}, "b"),
    ({"patient:identifier": f"{CIN}|9000001XA"}, "a"),
    ({"patient.identifier": "urn:mrn|9000001XA"}, ""),
    ({"patient:Patient.identifier": f"{CIN}|9000001XA"}, "a"),
    ({"status": "active"}, "a"),
    ({"status": "revoked"}, "b"),
    ({"status": "active,revoked"}, "ab"),
    ({"status:not": "active"}, "b"),
    ({"status": "http://hl7.org/fhir/request-status|active"}, "a"),
    ({"status": "entered-in-error"}, ""),
    ({"status": "completed"}, ""),
    ({"code": "ECM"}, "a"),
    ({"code": f"{SERVICE}|RC"}, "b"),
    ({"code": f"{SERVICE}|"}, "ab"),
    ({"code": "|RC"}, ""),
    ({"code:not": "RC"}, "a"),
    ({"code:missing": "true"}, ""),
    ({"code:missing": "false"}, "ab"),
    ({"service": "RC"}, "b"),
    ({"priority": "urgent"}, "a"),
    ({"intent": "order"}, "ab"),
    ({"authored": "2026-11-20"}, "a"),
    ({"authored": "ge2026-11-21"}, "b"),
    ({"authored": "lt2026-11-20T18:00:01Z"}, "a"),
    ({"authored": "2026"}, "ab"),
    ({"authored": "ne2026-11-20"}, "b"),
    ({"requester": "Organization/org-harbor-lantern"}, "a"),
    ({"requester": "org-cypress-bend"}, "b"),
    ({"performer": "HealthcareService/offer-tidepool-ecm"}, "a"),
    ({"performer:missing": "true"}, "b"),
    ({"_lastUpdated": "eq2026-11-20"}, "a"),
    ({"_lastUpdated": "gt2026-11-20"}, "b"),
    ({"_lastUpdated": "ge2026-11-20T18:00:01Z"}, "ab"),
    ({"_lastUpdated": "gt2026-11-20T18:00:01Z"}, "b"),
    ({"_lastUpdated": "le2026-11-20T18:00:01Z"}, "a"),
    ({"_lastUpdated": "lt2026-11-20T10:00:02-08:00"}, "a"),
    ({"_lastUpdated": ["ge2026-11-20", "lt2026-11-21"]}, "a"),
    ({"_lastUpdated": "ge0001-01-01T00:00:00+14:00"}, "ab"),
    ({"_lastUpdated": "le9999-12-31"}, "ab"),
    ({"status": "active", "patient": "patient-2"}, ""),
    ({"_sort": "-_lastUpdated"}, "ba"),
    ({"_sort": "_lastUpdated"}, "ab"),
    ({"status": ["active", "revoked"]}, ""),
    ({"code": "E\\,CM"}, ""),
    ({"code": "%_'; DROP TABLE referral; --"}, ""),
]


@pytest.mark.parametrize(("parameters", "found"), REQUESTS, ids=[str(p) for p, _ in REQUESTS])
@pytest.mark.parametrize("caller", [HOSPITAL, STAFF], ids=["party", "staff"])
async def test_service_requests_are_found(world, caller, parameters, found):
    names = {await world.refer(): "a", await world.refer(**OTHER): "b"}
    ids = await world.ids(caller, "ServiceRequest", parameters)
    assert "".join(names[referral_id] for referral_id in ids) == found
    form = "&".join(
        f"{n}={v}" for n, v in parameters.items() if isinstance(v, str) and "%" not in v
    )
    if form and "+" not in form and not any(isinstance(v, list) for v in parameters.values()):
        answer = await world.client.post(
            "/fhir/ServiceRequest/_search",
            content=form,
            headers=world.headers(caller, Content_Type="application/x-www-form-urlencoded"),
        )
        assert "".join(names[referral_id] for referral_id in matches(answer.json())) == found


#: parameters ({referral_id}: the referral) → how many of the referral's two Tasks are found.
TASKS = [
    ({"focus": "ServiceRequest/{referral_id}"}, "rs"),
    ({"referral": "{referral_id}"}, "rs"),
    ({"focus": "Task/{referral_id}"}, ""),
    ({"_id": "{referral_id}"}, "r"),
    ({"owner": "Organization/org-tidepool"}, "s"),
    ({"owner": "plan-hpsm"}, "r"),
    ({"owner:missing": "true"}, ""),
    ({"requester": "Organization/org-harbor-lantern"}, "r"),
    ({"requester": "org-harbor-lantern,plan-hpsm"}, "rs"),
    ({"requester": "http://127.0.0.1:8000/fhir/Organization/plan-hpsm"}, "s"),
    ({"requester": "Organization/org-tidepool"}, ""),
    ({"requester": "Practitioner/plan-hpsm"}, ""),
    ({"requester:missing": "true"}, ""),
    ({"part-of": "Task/{referral_id}"}, "s"),
    ({"part-of:missing": "true"}, "r"),
    ({"status": "accepted"}, "r"),
    ({"status:not": "accepted"}, "s"),
    ({"business-status": "assigned"}, "rs"),
    ({"business-status": "approved"}, "rs"),
    (
        {"business-status": "https://nowrongdoor.example/fhir/CodeSystem/referral-state|assigned"},
        "",
    ),
    ({"code": "fulfill"}, "rs"),
    ({"identifier": "urn:his|T-service"}, "s"),
    ({"patient": "patient-1"}, "rs"),
    ({"patient.identifier": "9000001XA"}, "rs"),
    ({"modified": "ge2026-11-20T18:00:01Z"}, "rs"),
    ({"modified": "gt2026-11-20T18:00:01Z"}, ""),
    ({"authored-on": "2026-11-20"}, "rs"),
    ({"_lastUpdated": "gt2026-11-20T18:00:01Z"}, ""),
    ({"priority": "urgent"}, "rs"),
]


@pytest.mark.parametrize(("parameters", "found"), TASKS, ids=[str(p) for p, _ in TASKS])
async def test_tasks_are_found_the_referrals_before_the_services(world, parameters, found):
    referral_id = await world.refer()
    asked = {
        name: value.replace("{referral_id}", referral_id) for name, value in parameters.items()
    }
    ids = await world.ids(PROVIDER, "Task", asked)
    assert "".join("r" if one == referral_id else "s" for one in ids) == found


AUTHORIZATIONS = [
    ({"referral": "ServiceRequest/{referral_id}"}, True),
    ({"referral": "ServiceRequest/other"}, False),
    ({"identifier": "HPSM-1"}, True),
    ({"identifier": "urn:auth|HPSM-2"}, False),
    ({"status": "active"}, True),
    ({"status": "cancelled"}, False),
    ({"patient": "patient-1"}, True),
    ({"created": "2026-11-20"}, True),
    ({"created": "lt2026-11-20"}, False),
]


@pytest.mark.parametrize(("parameters", "found"), AUTHORIZATIONS, ids=str)
async def test_authorizations_are_found(world, parameters, found):
    referral_id = await world.refer()
    asked = {
        name: value.replace("{referral_id}", referral_id) for name, value in parameters.items()
    }
    assert await world.ids(HOSPITAL, "ClaimResponse", asked) == ([referral_id] if found else [])


DIRECTORY_SEARCHES = [
    ("Patient", {"identifier": f"{CIN}|9000001XA"}, ["member-01"]),
    ("Patient", {"name": "samplew", "birthdate": "1979-01-15"}, ["member-01"]),
    ("Patient", {"birthdate": ["ge1979-01-15", "lt1979-01-16"]}, ["member-01"]),
    ("Patient", {"_id": "member-01,member-02,member-10"}, ["member-01", "member-02"]),
    ("Patient", {"name": "%"}, []),
    ("Coverage", {"patient": "Patient/member-01"}, ["coverage-01"]),
    ("Coverage", {"beneficiary": "member-01"}, ["coverage-01"]),
    ("Coverage", {"subscriber-id": "9000006XA"}, ["coverage-06"]),
    ("Coverage", {"payor:identifier": "HPSJ"}, []),
    ("QuestionnaireResponse", {"patient": "Patient/member-01"}, ["roster-01"]),
    ("Organization", {"identifier": "9000000101"}, ["org-harbor-lantern"]),
    (
        "Organization",
        {"identifier": "https://nowrongdoor.example/fhir/sid/plan|HPSM"},
        ["plan-hpsm"],
    ),
    ("Organization", {"name": "tidepool"}, ["org-tidepool"]),
    ("Organization", {"name": "tidepool", "active": "false"}, []),
    ("Organization", {"active:not": "true"}, []),
    ("HealthcareService", {"organization": "Organization/org-tidepool"}, ["offer-tidepool-ecm"]),
    (
        "HealthcareService",
        {"service-type": "ECM", "program": "HPSM", "population": "POF4", "name": "tide"},
        ["offer-tidepool-ecm"],
    ),
    (
        "HealthcareService",
        {"service": f"{SERVICE}|ECM", "plan": "HPSM", "county": "san_joaquin"},
        [],
    ),
    (
        "HealthcareService",
        {"_id": "offer-tidepool-ecm", "coverage-area:identifier": "san_mateo"},
        ["offer-tidepool-ecm"],
    ),
]


@pytest.mark.parametrize(("kind", "parameters", "found"), DIRECTORY_SEARCHES, ids=str)
async def test_network_and_roster_are_found(world, kind, parameters, found):
    await load(world.database)
    assert await world.ids(STAFF, kind, parameters) == found


@pytest.mark.parametrize("kind", sorted(PARAMETERS))
async def test_every_parameter_of_every_type_can_be_asked(world, kind):
    """One search each, by party and by staff: a statement that PostgreSQL refuses is a 500."""
    for known in PARAMETERS[kind]:
        value = {"date": "2026-11-20"}.get(known.kind, "x|y" if known.kind == "token" else "x")
        for name in (known.name, *(f"{known.name}:{modifier}" for modifier in known.modifiers)):
            asked = "true" if name.endswith(":missing") else value
            for caller in (HOSPITAL, STAFF):
                assert await world.ids(caller, kind, {name: asked}) == [], name


@pytest.mark.parametrize("kind", sorted(DIRECTORY))
def test_every_parameter_of_the_directory_has_elements(kind):
    asked = {known.name for known in PARAMETERS[kind] if not known.path}
    assert asked <= {"referral", "has-room"}


BAD = [
    "_count=-1",
    "_count=abc",
    "_count=100000000000000000000",
    "_count=1&_count=2",
    "_count=%C2%B2",
    "_sort=_id&_sort=_lastUpdated",
    "_total=yes",
    "_lastUpdated=yesterday",
    "_lastUpdated=ap2026-01-01",
    "_lastUpdated=2026-02-30",
    "_lastUpdated=2026-13",
    "_lastUpdated=2026-01-01T25:00:00Z",
    "_lastUpdated=2026-01-01T10:00:00%2B15:00",
    "_lastUpdated=ge0000",
    "authored=2026-1-1",
    "status=,",
    "status=|",
    "status:exact=active",
    "status:missing=maybe",
    "patient:nonsense=x",
    "patient=a%00b",
    "patient=%ff",
    "code=" + ",".join("x" * 21),
    "&".join(["status=active"] * 11),
    "&".join(f"status=a{n}" for n in range(60)),
    "_cursor=",
    "_cursor=x",
    "_cursor=%C3%A9",
    "_cursor=" + "A" * 60,
]


@pytest.mark.parametrize("query", BAD, ids=[query[:40] for query in BAD])
async def test_what_cannot_be_read_is_a_fault_and_never_repeated(world, query):
    answer = await world.client.get(
        f"/fhir/ServiceRequest?{query}", headers=world.headers(HOSPITAL)
    )
    assert answer.status_code == 400, answer.text
    outcome = answer.json()
    assert outcome["resourceType"] == "OperationOutcome"
    assert "yesterday" not in answer.text


async def test_all_faults_of_a_search_are_told_at_once(world):
    answer = await world.get(HOSPITAL, "Task", {"_count": "x", "modified": "x", "status": "|"})
    assert len(answer.json()["issue"]) == 3


async def test_an_unknown_code_finds_nothing_and_is_pointed_out(world):
    await world.refer()
    bundle = (await world.get(HOSPITAL, "ServiceRequest", {"status": "approved"})).json()
    assert matches(bundle) == []
    assert bundle["entry"][0]["resource"]["issue"][0]["code"] == "code-invalid"


async def test_a_total_is_given_when_asked_for_or_known(world):
    for _ in range(3):
        await world.refer(number=None)
    whole = (await world.get(HOSPITAL, "ServiceRequest")).json()
    assert whole["total"] == 3
    assert "total" not in (await world.get(HOSPITAL, "ServiceRequest", {"_total": "none"})).json()
    assert "total" not in (await world.get(HOSPITAL, "ServiceRequest", {"_count": 2})).json()
    counted = (
        await world.get(HOSPITAL, "ServiceRequest", {"_total": "accurate", "_count": 1})
    ).json()
    assert (counted["total"], len(matches(counted))) == (3, 1)
    alone = (await world.get(HOSPITAL, "ServiceRequest", {"_count": 0})).json()
    assert (alone["total"], matches(alone), link(alone, "next")) == (3, [], None)


async def pages(world, caller, kind, parameters, between=None):
    """The ids of all pages; `between` runs after each."""
    found, path, query = [], kind, parameters
    while path:
        bundle = (await world.get(caller, path, query)).json()
        found.append(matches(bundle))
        following = link(bundle, "next")
        path, query = (following.split("/fhir/", 1)[1] if following else None), None
        if between and path:
            await between()
    return found


@pytest.mark.parametrize("sort", ["_id", "_lastUpdated", "-_lastUpdated"])
@pytest.mark.parametrize("caller", [HOSPITAL, STAFF], ids=["party", "staff"])
async def test_pages_hold_every_row_once_while_others_are_written(world, sort, caller):
    made = [await world.refer(number=None, at=START + timedelta(seconds=n // 2)) for n in range(7)]

    async def write():
        await asyncio.gather(
            *(world.refer(number=None, at=START + timedelta(days=n)) for n in (-1, 1))
        )

    found = await pages(world, caller, "ServiceRequest", {"_count": "3", "_sort": sort}, write)
    seen = [referral_id for page in found for referral_id in page]
    assert len(seen) == len(set(seen))
    assert set(made) <= set(seen)
    assert all(len(page) == 3 for page in found[:-1])


async def test_a_cursor_is_good_for_its_caller_and_query_only(world):
    for _ in range(3):
        await world.refer(number=None)
    first = (await world.get(HOSPITAL, "ServiceRequest", {"_count": "1"})).json()
    following = link(first, "next").split("/fhir/", 1)[1]
    assert (await world.get(HOSPITAL, following)).status_code == 200
    changed = following[:-3] + ("AAA" if not following.endswith("AAA") else "BBB")
    for caller, path in (
        (PROVIDER, following),
        (STRANGER, following),
        (HOSPITAL, following.replace("_count=1", "_count=2")),
        (HOSPITAL, following.replace("ServiceRequest?", "Task?")),
        (HOSPITAL, following + "&status=active"),
        (HOSPITAL, changed),
    ):
        answer = await world.get(caller, path)
        assert answer.status_code == 400
        assert answer.json()["issue"][0]["code"] == "value"


async def test_more_than_a_page_may_hold_is_cut_to_it(world):
    bundle = (await world.get(HOSPITAL, "ServiceRequest", {"_count": "5000"})).json()
    assert "_count=5000" in link(bundle, "self")


async def test_a_stored_body_is_served_as_it_is(world):
    note = {"note": [{"text": 'quotes " and \\ and é and </script>'}]}
    referral_id = await world.refer(body=note)
    read = (await world.get(HOSPITAL, f"ServiceRequest/{referral_id}")).content
    found = (await world.get(HOSPITAL, "ServiceRequest", {"_id": referral_id})).content
    assert read in found
    assert orjson.loads(read)["note"] == note["note"]
