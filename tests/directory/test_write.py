"""Network and rosters written through the API, and an offer's capacity."""

import asyncio

import pytest

from app.model.caller import Caller
from tests.reading.scene import CIN, HOSPITAL, OTHER_STAFF, PROVIDER, STAFF, STRANGER, load, matches

PLAN = "https://nowrongdoor.example/fhir/sid/plan"
CAPACITY = "https://nowrongdoor.example/fhir/StructureDefinition/capacity"
OFFER = "HealthcareService/offer-tidepool-ecm"
PATIENT = {
    "resourceType": "Patient",
    "identifier": [{"system": CIN, "value": "9000099XA"}],
    "birthDate": "1990-01-01",
}


def numbers(offer):
    parts = next(e for e in offer["extension"] if e["url"] == CAPACITY)["extension"]
    status = next(e for e in offer["extension"] if "CapacityStatus" in e["url"])["extension"][0]
    found = {part["url"]: part["valueInteger"] for part in parts}
    return found["places"], found["taken"], status["valueCodeableConcept"]["coding"][0]["code"]


async def taken(world, count):
    async with world.database.begin() as connection:
        await connection.execute(
            f"UPDATE offer SET taken = {count} WHERE id = 'offer-tidepool-ecm'"
        )


def parameters(**values):
    parts = []
    for name, value in values.items():
        element = "valueCode" if isinstance(value, str) else "valueInteger"
        parts.append({"name": name, element: value})
    return {"resourceType": "Parameters", "parameter": parts}


async def test_a_plan_creates_reads_and_updates_its_own_member(world):
    await load(world.database)
    made = await world.send(STAFF, "POST", "Patient", PATIENT)
    assert made.status_code == 201, made.text
    where = made.headers["location"]
    assert where.endswith("/_history/1")
    assert made.headers["etag"] == 'W/"1"'
    patient = made.json()
    assert patient["managingOrganization"]["identifier"] == {"system": PLAN, "value": "HPSM"}
    path = f"Patient/{patient['id']}"
    patient["birthDate"] = "1990-01-02"
    stale = await world.send(STAFF, "PUT", path, patient, If_Match='W/"7"')
    assert stale.status_code == 412
    updated = await world.send(STAFF, "PUT", path, patient, If_Match='W/"1"')
    assert (updated.status_code, updated.headers["etag"]) == (200, 'W/"2"')
    assert (await world.get(OTHER_STAFF, path)).status_code == 404
    found = await world.ids(STAFF, "Patient", {"birthdate": "1990-01-02"})
    assert found == [patient["id"]]
    assert await world.ids(STAFF, "Patient", {"birthdate": "1990-01-01"}) == []


async def test_of_updates_at_once_of_one_version_one_is_written(world):
    await load(world.database)
    stored = (await world.get(STAFF, "Patient/member-01")).json()
    answers = await asyncio.gather(
        *(
            world.send(
                STAFF, "PUT", "Patient/member-01", stored | {"language": tag}, If_Match='W/"1"'
            )
            for tag in ("en", "es", "hmn", "tl", "vi")
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412, 412]
    now = (await world.get(STAFF, "Patient/member-01")).json()
    assert now["meta"]["versionId"] == "2"


async def test_put_creates_under_the_callers_id_and_again_changes_nothing(world):
    await load(world.database)
    body = PATIENT | {"id": "member-99"}
    first = await world.send(STAFF, "PUT", "Patient/member-99", body)
    assert (first.status_code, first.headers["etag"]) == (201, 'W/"1"')
    again = await world.send(STAFF, "PUT", "Patient/member-99", body)
    assert (again.status_code, again.headers["etag"]) == (200, 'W/"1"')


REFUSED = [
    ("a hospital has no roster", HOSPITAL, "POST", "Patient", PATIENT, 403),
    ("an id other than the URL's", STAFF, "PUT", "Patient/x", PATIENT | {"id": "y"}, 400),
    ("no id", STAFF, "PUT", "Patient/x", PATIENT, 400),
    (
        "another plan's id",
        OTHER_STAFF,
        "PUT",
        "Patient/member-01",
        PATIENT | {"id": "member-01"},
        409,
    ),
    (
        "a CIN that is taken",
        STAFF,
        "POST",
        "Patient",
        {"resourceType": "Patient", "identifier": [{"system": CIN, "value": "9000001XA"}]},
        409,
    ),
    ("no CIN", STAFF, "POST", "Patient", {"resourceType": "Patient"}, 422),
    (
        "another plan's member",
        STAFF,
        "POST",
        "Patient",
        PATIENT | {"managingOrganization": {"identifier": {"system": PLAN, "value": "HPSJ"}}},
        403,
    ),
    (
        "another plan's coverage",
        STAFF,
        "POST",
        "Coverage",
        {
            "resourceType": "Coverage",
            "status": "active",
            "beneficiary": {"reference": "Patient/member-01"},
            "payor": [{"identifier": {"system": PLAN, "value": "HPSJ"}}],
        },
        403,
    ),
    (
        "to be a plan",
        STAFF,
        "POST",
        "Organization",
        {
            "resourceType": "Organization",
            "name": "I",
            "identifier": [{"system": PLAN, "value": "HPSM"}],
        },
        403,
    ),
    ("another type", STAFF, "POST", "Patient", {"resourceType": "Organization", "name": "x"}, 400),
    ("bad R4", STAFF, "POST", "Patient", PATIENT | {"birthDate": 7}, 400),
    ("not JSON", STAFF, "POST", "Patient", b"{", 400),
]


@pytest.mark.parametrize(
    ("caller", "method", "path", "body", "status"),
    [case[1:] for case in REFUSED],
    ids=[case[0] for case in REFUSED],
)
async def test_what_is_not_ones_own_or_cannot_be_is_refused(
    world, caller, method, path, body, status
):
    await load(world.database)
    answer = await world.send(caller, method, path, body)
    assert answer.status_code == status, answer.text
    assert answer.json()["resourceType"] == "OperationOutcome"


def about(kind, patient, plan):
    """What a plan says of a Patient."""
    who = {"reference": f"Patient/{patient}"}
    if kind == "QuestionnaireResponse":
        return {"resourceType": kind, "status": "completed", "subject": who}
    payor = [{"identifier": {"system": PLAN, "value": plan}}]
    return {"resourceType": kind, "status": "active", "beneficiary": who, "payor": payor}


@pytest.mark.parametrize("kind", ["Coverage", "QuestionnaireResponse"])
async def test_another_plans_member_is_as_unknown_as_nobody(world, kind):
    await load(world.database)
    nobody, another = [
        await world.send(OTHER_STAFF, "POST", kind, about(kind, patient, "HPSJ"))
        for patient in ("nobody", "member-01")
    ]
    assert (nobody.status_code, nobody.json()) == (422, another.json())
    own = await world.send(STAFF, "POST", kind, about(kind, "member-01", "HPSM"))
    assert own.status_code == 201, own.text


async def test_a_stale_precondition_on_nothing_creates_nothing(world):
    await load(world.database)
    body = PATIENT | {"id": "new"}
    answer = await world.send(STAFF, "PUT", "Patient/new", body, If_Match='W/"1"')
    assert answer.status_code == 412
    assert (await world.get(STAFF, "Patient/new")).status_code == 404


async def test_sixteen_creations_of_one_member_make_one(world):
    await load(world.database)
    answers = await asyncio.gather(
        *(world.send(STAFF, "POST", "Patient", PATIENT) for _ in range(16))
    )
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [201] + [409] * 15
    assert len(await world.ids(STAFF, "Patient", {"identifier": "9000099XA"})) == 1


async def test_an_offer_shows_its_present_numbers_wherever_it_is_read(world):
    await load(world.database)
    await taken(world, 3)
    read = await world.get(HOSPITAL, OFFER)
    assert numbers(read.json()) == (40, 15, "capacity")
    bundle = (await world.get(HOSPITAL, "HealthcareService", {"_id": OFFER.split("/")[1]})).json()
    assert matches(bundle) == ["offer-tidepool-ecm"]
    assert numbers(bundle["entry"][0]["resource"]) == (40, 15, "capacity")
    assert bundle["entry"][0]["resource"] == read.json()


async def test_an_offer_that_was_read_can_be_sent_back(world):
    await load(world.database)
    await taken(world, 3)
    offer = (await world.get(PROVIDER, OFFER)).json()
    offer["comment"] = "Open on Saturdays"
    answer = await world.send(PROVIDER, "PUT", OFFER, offer, If_Match='W/"1"')
    assert answer.status_code == 200, answer.text
    assert numbers(answer.json()) == (40, 15, "capacity")


@pytest.mark.parametrize("element", ["providedBy", "program", "eligibility", "coverageArea"])
async def test_the_contract_of_an_offer_is_the_plans(world, element):
    await load(world.database)
    offer = (await world.get(PROVIDER, OFFER)).json()
    offer.pop(element)
    assert (await world.send(PROVIDER, "PUT", OFFER, offer)).status_code == 403


@pytest.mark.parametrize(
    ("caller", "status"),
    [(PROVIDER, 200), (STAFF, 200), (HOSPITAL, 403), (STRANGER, 403), (OTHER_STAFF, 403)],
    ids=lambda value: getattr(value, "client_id", value),
)
async def test_capacity_is_stated_by_the_owner_or_its_plan(world, caller, status):
    await load(world.database)
    await taken(world, 3)
    body = parameters(places=20, taken=5, status="waitlist")
    answer = await world.send(caller, "POST", f"{OFFER}/$capacity", body)
    assert answer.status_code == status, answer.text
    if status == 200:
        assert answer.headers["etag"] == 'W/"2"'
        assert numbers(answer.json()) == (20, 8, "waitlist")
        old = await world.get(HOSPITAL, f"{OFFER}/_history/1")
        assert numbers(old.json()) == (40, 12, "capacity")
    expected = (20, 8, "waitlist") if status == 200 else (40, 15, "capacity")
    assert numbers((await world.get(HOSPITAL, OFFER)).json()) == expected


async def test_what_is_left_out_stays_and_a_stale_statement_is_refused(world):
    await load(world.database)
    path = f"{OFFER}/$capacity"
    one = await world.send(PROVIDER, "POST", path, parameters(places=9), If_Match='W/"1"')
    assert numbers(one.json()) == (9, 12, "capacity")
    two = await world.send(PROVIDER, "POST", path, parameters(places=8), If_Match='W/"1"')
    assert two.status_code == 412
    garbage = await world.send(PROVIDER, "POST", path, parameters(places=8), If_Match="x")
    assert garbage.status_code == 400


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ({}, 400),
        ({"places": -1}, 422),
        ({"places": "many"}, 422),
        ({"taken": 10**9 + 1}, 422),
        ({"status": "full"}, 422),
        ({"status": 1}, 422),
        ({"colour": "red"}, 422),
    ],
    ids=str,
)
async def test_what_is_no_capacity_is_refused(world, values, status):
    await load(world.database)
    answer = await world.send(PROVIDER, "POST", f"{OFFER}/$capacity", parameters(**values))
    assert answer.status_code == status, answer.text
    assert numbers((await world.get(HOSPITAL, OFFER)).json()) == (40, 12, "capacity")


async def test_parallel_statements_leave_one_version_each(world):
    await load(world.database)
    path = f"{OFFER}/$capacity"
    answers = await asyncio.gather(
        *(world.send(PROVIDER, "POST", path, parameters(places=30 + n)) for n in range(8))
    )
    assert {answer.status_code for answer in answers} == {200}
    history = (await world.get(PROVIDER, f"{OFFER}/_history")).json()
    assert history["total"] == 9


async def test_a_provider_without_the_scope_states_nothing(world):
    await load(world.database)
    caller = Caller("ro", "org-tidepool", None, frozenset({"system/HealthcareService.rs"}))
    answer = await world.send(caller, "POST", f"{OFFER}/$capacity", parameters(places=1))
    assert answer.status_code == 403
