"""The shape of every notification and answer, element by element, and valid R4 besides."""

import copy
from base64 import b64decode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from fhir.resources.R4B.bundle import Bundle

from app.fhir.r4.check import check_resource
from tests.journeys.payloads import a_referral
from tests.receiver import Reply
from tests.subscription.scene import PAS, SERVICE_REQUEST, TASK, TIDEPOOL, happened, only, value
from tests.subscription.shapes import CONTENTS, problems, searchset_problems

PUBLIC_KEY = "https://nowrongdoor.example/fhir/StructureDefinition/webhook-public-key"


def valid(bundle):
    """By other people's models (R4B) and by our own reading of R4's invariants."""
    Bundle.model_validate(copy.deepcopy(bundle))
    return check_resource(copy.deepcopy(bundle)) == []


@pytest.mark.parametrize("content", CONTENTS)
async def test_handshake_then_events_then_heartbeat(service, receiver, subscribers, content):
    id_ = await subscribers.subscribe(content=content, heartbeat=60)
    async with service.delivering():
        (handshake,) = await subscribers.told(1, kind="handshake")
        await subscribers.active(id_)
        referral = await service.refer(a_referral())
        notifications = await subscribers.told(3)
        service.later(seconds=61)
        (heartbeat, *_) = await subscribers.told(1, kind="heartbeat")

    assert problems(handshake, "handshake", content) == []
    assert value(handshake, "events-since-subscription-start") == "0"
    assert problems(heartbeat, "heartbeat", content) == []
    assert value(heartbeat, "status") == "active"
    assert value(heartbeat, "events-since-subscription-start") == "3"
    for number, bundle in enumerate(notifications, 1):
        assert problems(bundle, "event-notification", content, events=1) == []
        assert value(bundle, "status") == "active"
        assert value(bundle, "events-since-subscription-start") == str(number)
        focus = f"{service.settings.fhir_base}/Task/{referral}" if content != "empty" else None
        assert happened(bundle) == [(number, focus)]
    for bundle in (handshake, heartbeat, *notifications):
        assert valid(bundle)
        reference = value(bundle, "subscription")["reference"]
        assert reference == f"{service.settings.fhir_base}/Subscription/{id_}"
        assert value(bundle, "topic") == (TASK if content != "empty" else None)


@pytest.mark.parametrize("content", CONTENTS)
async def test_what_the_operations_answer(service, subscribers, content):
    id_ = await subscribers.subscribe(content=content)
    async with service.delivering():
        await subscribers.active(id_)
        await service.refer(a_referral())
        await subscribers.told(3)
    answer = await service.ask("hospital", "GET", f"/fhir/Subscription/{id_}/$status")
    assert searchset_problems(answer.json(), [content]) == []
    assert valid(answer.json())
    assert answer.headers["content-type"] == "application/fhir+json"
    found = await subscribers.events(id_)
    assert problems(found, "query-event", content, events=3) == []
    assert valid(found)
    assert value(found, "events-since-subscription-start") == "3"
    assert len(found["entry"]) == (1 if content == "empty" else 2)


async def test_a_status_in_error_says_so(service, receiver, subscribers):
    receiver.answer = lambda _: Reply(500)
    id_ = await subscribers.subscribe()
    async with service.delivering():
        await subscribers.active(id_, status="error")
    await service.refer(a_referral())
    status = await subscribers.status(id_)
    concept = only(status["parameter"], "error")
    assert concept["coding"] == [
        {
            "system": "http://terminology.hl7.org/CodeSystem/subscription-error",
            "code": "no-response",
        }
    ]
    assert (await subscribers.read(id_))["error"] == concept["text"]
    assert only(status["parameter"], "status") == "error"
    # Counted though nobody was told.
    assert only(status["parameter"], "events-since-subscription-start") == "3"


@pytest.mark.parametrize(
    ("topic", "kind"), [(TASK, "Task"), (SERVICE_REQUEST, "ServiceRequest")], ids=["task", "sr"]
)
async def test_a_full_notification_carries_what_a_reader_reads(
    service, receiver, subscribers, topic, kind
):
    id_ = await subscribers.subscribe(topic=topic, content="full-resource")
    async with service.delivering():
        await subscribers.active(id_)
        referral = await service.refer(a_referral())
        *_, last = await subscribers.told(2)
    entry = last["entry"][1]
    assert entry["resource"] == await service.read(kind, referral)
    assert entry["request"] == {"method": "PUT", "url": f"{kind}/{referral}"}


async def test_pas_tells_in_a_collection_with_what_the_authorization_refers_to(
    service, receiver, subscribers
):
    id_ = await subscribers.subscribe(topic=PAS, content="full-resource")
    async with service.delivering():
        await subscribers.active(id_)
        referral = await service.refer(a_referral(asks_for=TIDEPOOL))
        told = await subscribers.told(2)
    base = service.settings.fhir_base
    for bundle in told:
        assert problems(bundle, "event-notification", "full-resource", events=1) == []
        assert valid(bundle)
        inner = bundle["entry"][1]["resource"]
        assert (inner["resourceType"], inner["type"]) == ("Bundle", "collection")
        held = [entry["resource"] for entry in inner["entry"]]
        assert held[0] == await service.read("ClaimResponse", referral)
        assert {f"{each['resourceType']}/{each['id']}" for each in held[1:]} == {
            f"ServiceRequest/{referral}",
            "Organization/org-harbor-lantern",
            "Organization/org-tidepool",
            "Organization/plan-hpsm",
        }
        assert all(
            entry["fullUrl"]
            == f"{base}/{entry['resource']['resourceType']}/{entry['resource']['id']}"
            for entry in inner["entry"]
        )
        assert bundle["entry"][1]["request"] == {
            "method": "GET",
            "url": f"ClaimResponse/{referral}",
        }


async def test_pas_tells_of_a_denial_by_the_task(service, receiver, subscribers):
    id_ = await subscribers.subscribe(topic=PAS, content="full-resource")
    async with service.delivering():
        await subscribers.active(id_)
        referral = await service.refer(a_referral("9000002XA"))
        (bundle,) = await subscribers.told(1)
    first = bundle["entry"][1]["resource"]["entry"][0]["resource"]
    assert (first["resourceType"], first["id"], first["status"]) == ("Task", referral, "rejected")


async def test_headers_and_content_type_are_sent_as_asked_for(service, receiver, subscribers):
    lines = ("Authorization: Bearer of-the-receiver", "X-Route: intake; lane=2")
    id_ = await subscribers.subscribe(headers=lines, mime="application/json", heartbeat=60)
    async with service.delivering():
        await subscribers.active(id_)
        await service.refer(a_referral())
        await subscribers.told(3)
        service.later(seconds=61)
        await subscribers.told(1, kind="heartbeat")
    for one in receiver.received:
        assert one.headers["authorization"] == "Bearer of-the-receiver"
        assert one.headers["x-route"] == "intake; lane=2"
        assert one.headers["content-type"] == "application/json"


async def test_every_notification_is_signed_with_the_key_that_the_subscription_shows(
    service, receiver, subscribers
):
    id_ = await subscribers.subscribe()
    async with service.delivering():
        await subscribers.active(id_)
        await service.refer(a_referral())
        await subscribers.told(1)
    extensions = (await subscribers.read(id_))["extension"]
    (shown,) = [each["valueString"] for each in extensions if each["url"] == PUBLIC_KEY]
    key = Ed25519PublicKey.from_public_bytes(b64decode(shown.removeprefix("whpk_")))
    for one in receiver.received:
        signed = f"{one.id}.{one.headers['webhook-timestamp']}.".encode() + one.body
        version, _, signature = one.headers["webhook-signature"].partition(",")
        assert version == "v1a"
        key.verify(b64decode(signature), signed)
        assert one.data["id"] == one.id
