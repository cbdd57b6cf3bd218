"""What a post is answered: the decision with the referral, whatever form it was sent in."""

import pytest

from tests.deployed import change
from tests.journeys.payloads import EXTRA, a_bundle, a_referral, hopeless, incomplete, parameters

DECISION = "https://nowrongdoor.example/fhir/StructureDefinition/referral-decision"


def told(answer):
    """name → value, of the decision in an answered ServiceRequest."""
    (said,) = [one for one in answer.json()["extension"] if one["url"] == DECISION]
    return {part["url"]: part.get("valueReference") or part["valueCodeableConcept"]
            for part in said["extension"]}  # fmt: skip


def codes(concept):
    return [coding["code"] for coding in concept["coding"]]


async def test_an_approval_is_answered_with_its_authorization_and_its_task(service):
    answer = await service.post(a_referral(identifier="one"))
    assert answer.status_code == 201, answer.text
    said, referral = told(answer), answer.json()["id"]
    assert codes(said["status"]) == ["approved", "assigned"]
    assert "population-met" in codes(said["reason"])
    assert said["task"] == {"reference": f"Task/{referral}"}
    assert said["authorization"]["reference"] == f"ClaimResponse/{referral}"
    authorization = await service.read("ClaimResponse", referral)
    assert said["authorization"]["identifier"] == authorization["identifier"][0]
    again = await service.post(a_referral(identifier="one"))
    assert again.status_code == 200
    assert told(again) == said


@pytest.mark.parametrize(
    ("body", "expected", "reason"),
    [
        (a_referral("9000002XA"), ["denied"], "line-of-business"),
        (incomplete(), ["pending", "information-needed"], "facts-missing"),
        (hopeless(), ["pending", "in-review"], "no-population"),
        (a_referral("99999999X", plan=None), ["pending", "information-needed"],
         "member-unidentified"),
    ],
)  # fmt: skip
async def test_whatever_was_decided_is_told(service, body, expected, reason):
    said = told(await service.post(body))
    assert codes(said["status"]) == expected
    assert reason in codes(said["reason"])
    assert "authorization" not in said


async def test_the_entry_of_a_bundle_tells_it_too_and_so_does_a_repeat(service):
    body = a_bundle(a_referral(EXTRA[34], identifier="two"))
    for status in ("201 Created", "200 OK"):
        answer = await service.post(body)
        (entry,) = answer.json()["entry"]
        assert entry["response"]["status"] == status
        referral = entry["response"]["location"].split("/")[-3]
        (number,) = (await service.read("ClaimResponse", referral))["identifier"]
        received, decided = [one["diagnostics"] for one in entry["response"]["outcome"]["issue"]]
        assert received == f"The referral was received. Follow it at Task/{referral}."
        assert decided.startswith(
            f"The referral is approved (assigned), authorization {number['value']}. "
        )


async def test_what_is_stored_stays_as_it_was_sent(service):
    """An answer that is sent back, as an update or a new referral, says nothing of a decision."""
    answer = await service.post(a_referral())
    body, referral = answer.json(), answer.json()["id"]
    assert "extension" not in await service.read("ServiceRequest", referral)
    path = f"/fhir/ServiceRequest/{referral}"
    back = await service.ask(
        "hospital", "PUT", path, body, headers={"If-Match": answer.headers["etag"]}
    )
    assert back.status_code == 200, back.text
    assert "extension" not in await service.read("ServiceRequest", referral)
    body["subject"]["identifier"] = {"system": "https://nowrongdoor.example/fhir/sid/cin",
                                     "value": EXTRA[35]}  # fmt: skip
    second = await service.post({**body, "contained": a_referral(EXTRA[35])["contained"]})
    assert second.status_code == 201, second.text
    assert told(second)["task"] == {"reference": f"Task/{second.json()['id']}"}


@pytest.mark.parametrize("way", ["referred", "added"])
async def test_a_deployment_takes_more_kinds_of_documents_where_it_says_so(service, way):
    attachment = {"contentType": "audio/mpeg; rate=1", "data": "QUJD"}
    document = {
        "resourceType": "DocumentReference",
        "id": "call",
        "status": "current",
        "content": [{"attachment": attachment}],
    }

    async def send():
        if way == "added":
            told = parameters(resource={"resource": document})
            return await service.do("hospital", "add-information", referral, told)
        body = a_referral()
        body["contained"].append(document)
        body["supportingInfo"].append({"reference": "#call"})
        return await service.post(body)

    referral = await service.refer(incomplete())
    refused = await send()
    assert refused.status_code == 422, refused.text
    assert refused.json()["issue"][0]["code"] == "not-supported"
    before = service.settings
    widened = before.model_copy(update={"attachment_types": "audio/mpeg , Audio/Wav"})
    change(service.app, settings=widened)
    try:
        taken = await send()
    finally:
        change(service.app, settings=before)
    assert taken.status_code in (200, 201), taken.text
