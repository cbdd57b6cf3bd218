"""What an endpoint that asked for full payloads gets: the Bundle, while it is a party."""

from tests.journeys.payloads import a_referral, parameters, to
from tests.receiver import Reply

HOSPITAL, TIDEPOOL, FOGHORN = "org-harbor-lantern", "org-tidepool", "org-foghorn"


def entries(got):
    return got.data["data"]["entry"]


def kinds(got):
    return [entry["resource"]["resourceType"] for entry in entries(got)]


async def test_the_resources_stand_as_they_did_when_it_happened(service, receiver):
    await service.listen(receiver, "hospital", "full", payload="full")
    await service.listen(receiver, "hospital", "thin")
    referral = await service.refer(a_referral(asks_for=TIDEPOOL))
    service.later(minutes=1)
    await service.do("hospital", "cancel", referral)
    async with service.delivering():
        await receiver.count(8)
    received, approved, _, cancelled = receiver.at("full")
    for got in receiver.at("full"):
        assert set(got.data) == {"type", "timestamp", "data"}
        bundle = got.data["data"]
        assert (bundle["resourceType"], bundle["type"]) == ("Bundle", "collection")
        assert bundle["identifier"]["value"] == f"urn:uuid:{got.id}"
    assert received.data["type"] == "referral.received"
    assert kinds(approved) == ["ServiceRequest", "Task", "Task", "ClaimResponse"]
    then, later = entries(approved)[0], entries(cancelled)[0]
    assert then["fullUrl"] == f"{service.settings.fhir_base}/ServiceRequest/{referral}"
    assert (then["resource"]["status"], later["resource"]["status"]) == ("active", "revoked")
    assert [got.data["data"]["sequence"] for got in receiver.at("thin")] == [1, 2, 3, 4]


async def test_a_later_attempt_carries_the_same_bytes(service, receiver):
    await service.listen(receiver, "hospital", "full", payload="full")
    referral = await service.refer(a_referral())
    receiver.answer = lambda _: Reply(500)
    async with service.delivering():
        await receiver.count(1)
        await service.do("hospital", "cancel", referral)
        receiver.answer = lambda _: Reply()
        service.later(seconds=7)
        await receiver.count(2)
    first, second = receiver.received[:2]
    assert (first.id, first.body) == (second.id, second.body)


async def test_who_is_no_party_any_more_gets_the_thin_payload(service, receiver):
    for client, path in (("hospital", HOSPITAL), ("ecm-provider", TIDEPOOL)):
        await service.listen(receiver, client, path, payload="full")
    referral = await service.refer(a_referral("9000003XA", asks_for=TIDEPOOL))
    given = parameters(performer=to(f"Organization/{FOGHORN}"))
    assert (await service.do("staff-hpsm", "assign", referral, given)).status_code == 200
    async with service.delivering():
        await receiver.count(7)
    for got in receiver.at(TIDEPOOL):
        assert got.data["data"]["referral_id"] == referral
        assert b"9000003XA" not in got.body
    assert len(receiver.at(TIDEPOOL)) == 3
    assert all(got.data["data"]["resourceType"] == "Bundle" for got in receiver.at(HOSPITAL))


async def test_a_referral_larger_than_a_message_may_be_is_told_thin(service, receiver):
    await service.listen(receiver, "hospital", "full", payload="full")
    await service.refer(a_referral(note=[{"text": "word " * 14_000}]))
    async with service.delivering():
        await receiver.count(3)
    for got in receiver.received:
        assert got.data["data"]["links"]
        assert len(got.body) < 2000
