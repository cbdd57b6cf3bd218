"""What Gravity's coordination platform asks to be found by, of what came with a referral."""

import pytest

from tests.journeys.payloads import a_bundle, a_referral
from tests.journeys.service import id_of

CATEGORY = "http://terminology.hl7.org/CodeSystem/condition-category"
SCREENING = "http://terminology.hl7.org/CodeSystem/observation-category"
CARRIED = (
    {
        "resourceType": "Condition",
        "category": [{"coding": [{"system": CATEGORY, "code": "health-concern"}]}],
        "code": {"text": "No home"},
        "subject": {"identifier": {"value": "x"}},
    },
    {
        "resourceType": "Observation",
        "status": "final",
        "category": [{"coding": [{"system": SCREENING, "code": "survey"}]}],
        "code": {"text": "Screened"},
        "subject": {"identifier": {"value": "x"}},
    },
    {
        "resourceType": "Consent",
        "status": "active",
        "scope": {"text": "Privacy"},
        "category": [{"text": "Disclosure"}],
        "policyRule": {"text": "State law"},
        "patient": {"identifier": {"value": "x"}},
        "sourceReference": {"reference": "DocumentReference/signed"},
    },
)


@pytest.fixture
async def carried(service):
    body = a_referral()
    answers = next(one for one in body["contained"] if one["id"] == "facts")
    body["contained"].remove(answers)
    answers = {name: value for name, value in answers.items() if name != "id"}
    answers["author"] = {"reference": "Practitioner/social-worker"}
    del body["supportingInfo"]
    return id_of(await service.post(a_bundle(body, answers, *CARRIED)))


@pytest.mark.parametrize(
    ("kind", "asked", "other"),
    [
        ("Condition", f"category={CATEGORY}|health-concern", "category=survey"),
        ("Observation", "category=survey", f"category={CATEGORY}|survey"),
        ("Consent", "source-reference=DocumentReference/signed", "source-reference=x"),
        ("QuestionnaireResponse", "author=Practitioner/social-worker", "author:missing=true"),
    ],
)
async def test_what_came_along_is_found_by_it(service, carried, kind, asked, other):
    within = f"{kind}?referral=ServiceRequest/{carried}"
    assert len(await service.found(f"{within}&{asked}")) == 1
    assert await service.found(f"{within}&{other}") == []


async def test_a_form_is_found_by_its_version(service):
    (form,) = await service.found("Questionnaire?_id=ecm")
    assert await service.found(f"Questionnaire?_id=ecm&version={form['version']}") == [form]
    assert await service.found("Questionnaire?version=0") == []


async def test_an_offer_is_found_by_its_place(service):
    (offer,) = await service.found("HealthcareService?_id=offer-tidepool-ecm", "staff-hpsm")
    path = f"/fhir/HealthcareService/{offer['id']}"
    place = {**offer, "location": [{"reference": "Location/harbor"}]}
    match = {"If-Match": f'W/"{offer["meta"]["versionId"]}"'}
    answer = await service.ask("staff-hpsm", "PUT", path, place, headers=match)
    assert answer.status_code == 200, answer.text
    (found,) = await service.found("HealthcareService?location=Location/harbor")
    assert found["id"] == offer["id"]
