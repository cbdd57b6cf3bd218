"""Every kind of message, as it arrived, fits what the contract says of it."""

import json

import pytest
from jsonschema_rs import Draft202012Validator

from app.api.contract.webhooks import add_webhooks
from app.model.messages import TEST, EventType
from tests.contract.test_document import DOCUMENT
from tests.journeys.payloads import (
    EXTRA,
    VISITS,
    a_referral,
    hopeless,
    incomplete,
    parameters,
    responses,
)
from tests.receiver import Reply

TIDEPOOL = "org-tidepool"
SENT = {
    event: DOCUMENT["components"]["pathItems"][item["$ref"].rpartition("/")[2]]["post"]
    for event, item in DOCUMENT["webhooks"].items()
}


def content(event):
    return SENT[event]["requestBody"]["content"]["application/json"]


def closed(schema):
    """The same, with nothing in a message that is not described."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: closed(one) for key, one in schema.items()}
    if isinstance(made.get("properties"), dict):
        made.setdefault("additionalProperties", False)
    return made


SCHEMAS = closed(DOCUMENT["components"]["schemas"])


def faults(event, message):
    schema = {"components": {"schemas": SCHEMAS}, **content(event)["schema"]}
    return [str(fault.message)[:300] for fault in Draft202012Validator(schema).iter_errors(message)]


def test_every_event_is_described():
    assert set(SENT) == {*EventType, TEST}


@pytest.mark.parametrize("event", SENT)
def test_an_event_has_examples_that_fit(event):
    shown = {name: one["value"] for name, one in content(event)["examples"].items()}
    about_a_referral = not event.startswith(("endpoint.", "capacity."))
    assert set(shown) == ({"thin", "full"} if about_a_referral else {"thin"})
    for message in shown.values():
        assert faults(event, message) == []
        assert message["type"] == event


def test_a_message_of_another_type_does_not_fit():
    shown = content("referral.approved")["examples"]["thin"]["value"]
    assert faults("referral.denied", shown)
    assert faults("referral.approved", {**shown, "data": {**shown["data"], "name": "x"}})


def test_what_is_described_is_added_once():
    document = {"components": {"schemas": {}}}
    add_webhooks(document)
    assert document["webhooks"].keys() == SENT.keys()


async def moves(service, task, status):
    task |= {"status": status, "statusReason": {"text": "As agreed."}}
    match = {"If-Match": f'W/"{task["meta"]["versionId"]}"'}
    path = f"/fhir/Task/{task['id']}"
    answer = await service.ask("ecm-provider", "PUT", path, task, headers=match)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def to_tidepool(service, member):
    referral = await service.refer(a_referral(member, asks_for=TIDEPOOL))
    found = await service.found(f"Task?focus=ServiceRequest/{referral}", "ecm-provider")
    return next(task for task in found if task.get("partOf"))


async def lives(service):
    """Referrals that end in every way there is."""
    task = await to_tidepool(service, EXTRA[0])
    for status in ("accepted", "in-progress", "completed"):
        task = await moves(service, task, status)
    await moves(service, await to_tidepool(service, EXTRA[1]), "rejected")
    await service.refer(a_referral("9000002XA"))
    await service.refer(a_referral("9000023XA", plan="CCAH"))
    answered = await service.refer(incomplete(EXTRA[2]))
    more = parameters(resource={"resource": responses({}, VISITS)})
    await service.do("hospital", "add-information", answered, more)
    taken_back = await service.refer(a_referral(EXTRA[3]))
    await service.do("hospital", "cancel", taken_back)
    await service.refer(incomplete(EXTRA[4]))
    await service.refer(hopeless(EXTRA[5]))


async def test_what_arrives_is_as_described(service, receiver):
    await service.listen(receiver, "hospital", "thin")
    await service.listen(receiver, "hospital", "full", payload="full")
    await service.listen(receiver, "hospital", "gone")
    await service.listen(receiver, "ecm-provider", TIDEPOOL, send_test=True)
    receiver.answer = lambda got: Reply(410 if got.path == "/gone" else 204)
    await lives(service)
    part = {"name": "places", "valueInteger": 30}
    room = {"resourceType": "Parameters", "parameter": [part]}
    path = "/fhir/HealthcareService/offer-tidepool-ecm/$capacity"
    assert (await service.ask("ecm-provider", "POST", path, room)).status_code == 200

    def types():
        return {got.data["type"] for got in receiver.received}

    async with service.delivering():
        await receiver.until(lambda: "capacity.changed" in types())
        service.later(days=30)
        await receiver.until(lambda: {"referral.overdue", "referral.voided"} <= types())
        service.later(days=310)
        await receiver.until(lambda: "authorization.expiring" in types())
        service.later(days=60)
        await receiver.until(lambda: types() == set(SENT))
    for got in receiver.received:
        assert faults(got.data["type"], got.data) == [], json.dumps(got.data)
    kinds = {got.data["data"].get("resourceType") for got in receiver.at("full")}
    assert kinds == {None, "Bundle"}
