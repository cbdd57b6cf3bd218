"""An endpoint that is disabled: its organization hears of it elsewhere, and the plan's staff do."""

import pytest

from tests.journeys.payloads import EXTRA, a_referral
from tests.receiver import Reply

TIDEPOOL = "org-tidepool"


async def notices(service, by="staff-hpsm"):
    answer = await service.ask(by, "GET", "/v1/work-queue")
    assert answer.status_code == 200, answer.text
    return answer.json()["notices"]


async def endpoints(service, by):
    return (await service.ask(by, "GET", "/v1/webhook-endpoints")).json()


async def test_the_others_of_the_organization_hear_of_it_once(service, receiver):
    for path in ("gone", "other", "picky"):
        types = ["referral.approved"] if path == "picky" else []
        await service.listen(receiver, "hospital", path, event_types=types)
    await service.listen(receiver, "ecm-provider", TIDEPOOL)
    receiver.answer = lambda got: Reply(410 if got.path == "/gone" else 204)
    for member in EXTRA[:3]:
        await service.refer(a_referral(member, asks_for=TIDEPOOL))
    async with service.delivering():
        await receiver.until(
            lambda: any(got.data["type"] == "endpoint.disabled" for got in receiver.received)
        )
        await receiver.until(lambda: len(receiver.at(TIDEPOOL)) == 9)
    told = [got for got in receiver.received if got.data["type"] == "endpoint.disabled"]
    assert [got.path for got in told] == ["/other"]
    (gone,) = [e for e in await endpoints(service, "hospital") if e["status"] == "disabled"]
    assert told[0].data["data"] == {
        "endpoint_id": gone["id"],
        "endpoint_kind": "webhook",
        "disabled_reason": "gone",
    }
    ((messages,),) = await service.rows(
        "SELECT count(*) FROM message WHERE event_type = 'endpoint.disabled'"
    )
    assert messages == 1


async def test_the_plans_staff_are_told_until_it_is_enabled(service, receiver):
    await service.listen(receiver, "ecm-provider", TIDEPOOL)
    assert await notices(service) == []
    receiver.answer = lambda _: Reply(410)
    await service.refer(a_referral(asks_for=TIDEPOOL))
    async with service.delivering():
        while not (found := await notices(service)):
            pass
    (notice,) = found
    assert (notice["organization"], notice["reason"], notice["messages"]) == (TIDEPOOL, "gone", 3)
    assert "3 messages about referrals of your plan did not arrive" in notice["text"]
    assert receiver.target not in str(notice)
    listed = await service.ask("staff-hpsm", "GET", notice["deliveries"])
    assert len(listed.json()["deliveries"]) == 3
    assert await notices(service, "staff-hpsj") == []
    receiver.answer = lambda _: Reply()
    (endpoint,) = await endpoints(service, "ecm-provider")
    path = f"/v1/webhook-endpoints/{endpoint['id']}/enable"
    assert (await service.ask("ecm-provider", "POST", path)).status_code == 200
    assert await notices(service) == []


async def test_what_an_owner_disabled_is_no_notice(service, receiver):
    await service.listen(receiver, "hospital", "hook")
    (endpoint,) = await endpoints(service, "hospital")
    await service.ask("hospital", "POST", f"/v1/webhook-endpoints/{endpoint['id']}/disable")
    await service.refer(a_referral())
    assert await notices(service) == []


@pytest.mark.parametrize("by", ["ecm-provider", "staff-hpsm"])
async def test_room_that_is_stated_anew_is_told_to_its_owner_and_its_plan(service, receiver, by):
    for client, path in (
        ("ecm-provider", TIDEPOOL), ("staff-hpsm", "plan-hpsm"), ("hospital", "hospital"),
        ("staff-hpsj", "plan-hpsj"),
    ):  # fmt: skip
        await service.listen(receiver, client, path)
    ((places,),) = await service.rows("SELECT places FROM offer WHERE id = 'offer-tidepool-ecm'")
    part = {"name": "places", "valueInteger": places}
    said = {"resourceType": "Parameters", "parameter": [part]}
    path = "/fhir/HealthcareService/offer-tidepool-ecm/$capacity"
    answer = await service.ask(by, "POST", path, said)
    assert answer.status_code == 200, answer.text
    async with service.delivering():
        await receiver.count(2)
    assert {got.path for got in receiver.received} == {f"/{TIDEPOOL}", "/plan-hpsm"}
    data = receiver.received[0].data
    assert data["type"] == "capacity.changed"
    assert data["data"]["offer_id"] == "offer-tidepool-ecm"
    assert data["data"]["links"]["offer"].endswith("/HealthcareService/offer-tidepool-ecm")
