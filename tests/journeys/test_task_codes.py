"""A Task about a referral is adopted, takes it back, or is refused: by what its code asks for."""

import pytest

from tests.journeys.payloads import EXTRA, a_bundle, coded, incomplete

TASK_CODE = "http://hl7.org/fhir/CodeSystem/task-code"


def task(referral, code=None):
    body = {
        "resourceType": "Task",
        "status": "requested",
        "intent": "order",
        "note": [{"text": "x"}],
    }
    body["focus"] = {"reference": f"ServiceRequest/{referral}/_history/1"}
    return {**body, **({"code": coded(TASK_CODE, code)} if code else {})}


@pytest.mark.parametrize("code", ["abort", "cancel"])
async def test_a_request_to_cancel_takes_the_referral_back(service, code):
    referral = await service.refer(incomplete(EXTRA[5]))
    answer = await service.ask("hospital", "POST", "/fhir/Task", task(referral, code))
    assert answer.status_code == 201, answer.text
    assert await service.words(referral) == ["cancelled"]
    again = await service.ask("hospital", "POST", "/fhir/Task", task(referral, code))
    assert again.status_code == 409


@pytest.mark.parametrize("code", ["poll", "complete-questionnaire", "suspend", "approve"])
async def test_what_is_not_done_is_refused(service, code):
    referral = await service.refer(incomplete(EXTRA[5]))
    answer = await service.ask("hospital", "POST", "/fhir/Task", task(referral, code))
    assert (answer.status_code, answer.json()["issue"][0]["expression"]) == (422, ["Task.code"])
    bundle = a_bundle(incomplete(EXTRA[6]), {**task("x", code), "focus": {"display": "it"}})
    assert (await service.post(bundle)).status_code == 422


@pytest.mark.parametrize("code", ["fulfill", None])
async def test_the_referrals_own_is_adopted(service, code):
    referral = await service.refer(incomplete(EXTRA[5]))
    answer = await service.ask("hospital", "POST", "/fhir/Task", task(referral, code))
    assert answer.status_code == 201
    assert "cancelled" not in await service.words(referral)
