"""Every way that we know to come by another organization's events, tried by who is no party."""

import pytest

from tests.journeys.payloads import EXTRA, a_referral, parameters, to

HOSPITAL, TIDEPOOL, FOGHORN = "org-harbor-lantern", "org-tidepool", "org-foghorn"
JSON = {"Content-Type": "application/json"}
ENDPOINTS, SINCE = "/v1/webhook-endpoints", {"since": "2020-01-01T00:00:00Z"}
THIEF = "cs-provider"
BACKPORT = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-"
IDS = {"extension": [{"url": BACKPORT + "payload-content", "valueCode": "id-only"}]}
SUBSCRIPTION = {
    "resourceType": "Subscription",
    "status": "requested",
    "reason": "curiosity",
    "criteria": "http://hl7.org/fhir/us/sdoh-clinicalcare/SubscriptionTopic/Task",
    "channel": {"type": "rest-hook", "payload": "application/fhir+json", "_payload": IDS},
}


async def send(service, by, method, path, body=None):
    return await service.ask(by, method, path, body, headers=JSON if body is not None else {})


async def registered(service, by, receiver, path, **more):
    wanted = {"url": receiver.url(path), "send_test": False, **more}
    answer = await send(service, by, "POST", ENDPOINTS, wanted)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


@pytest.fixture
async def victim(service, receiver):
    """The hospital's endpoint, a referral that it was told of, and the first message's id."""
    endpoint = await registered(service, "hospital", receiver, "hospital", payload="full")
    referral = await service.refer(a_referral(asks_for=TIDEPOOL))
    async with service.delivering():
        await receiver.count(3)
    return endpoint, referral, receiver.received[0].id


async def stolen(service, receiver, victim):
    """What came to the thief, of anything at all, after everything that waits was delivered."""
    await service.refer(a_referral(EXTRA[1], asks_for=TIDEPOOL))
    async with service.delivering():
        await receiver.until(lambda: len(receiver.at("hospital")) == 6)
    return [got for got in receiver.received if got.path.startswith("/thief")]


async def test_asking_for_everything_gets_nothing(service, receiver, victim):
    for n, more in enumerate(
        (
            {},
            {"payload": "full"},
            {"plans": ["HPSM", "unassigned"]},
            {"event_types": ["referral.received", "referral.approved", "service.assigned"]},
            {"headers": {"X-Organization": HOSPITAL, "Authorization": "Bearer hospital"}},
        )
    ):
        await registered(service, THIEF, receiver, f"thief-{n}", **more)
    assert await stolen(service, receiver, victim) == []


@pytest.mark.parametrize(
    "more",
    [
        {"organization_id": HOSPITAL},
        {"plans": [HOSPITAL]},
        {"organization": HOSPITAL},
        {"id": "another"},
        {"kind": "subscription"},
        {"secrets": ["whsec_AAAA"]},
        {"headers": {"webhook-id": "mine"}},
        {"headers": {"Host": "elsewhere.example"}},
        {"headers": {"X-A": "b\r\nX-Organization: c"}},
    ],
)
async def test_no_field_makes_an_endpoint_another_organizations(service, receiver, more):
    wanted = {"url": receiver.url("thief"), **more}
    answer = await send(service, THIEF, "POST", ENDPOINTS, wanted)
    assert answer.status_code == 422, answer.text
    assert (await send(service, THIEF, "GET", ENDPOINTS)).json() == []


async def test_anothers_endpoint_cannot_be_read_turned_or_used(service, receiver, victim):
    endpoint, _, message = victim
    turned = {"url": receiver.url("thief"), "payload": "full"}
    for method, path, body in (
        ("GET", "", None),
        ("PATCH", "", turned),
        ("POST", "/rotate-secret", {}),
        ("POST", "/test", None),
        ("POST", "/disable", None),
        ("POST", "/enable", None),
        ("POST", "/recover", SINCE),
        ("GET", "/messages", None),
        ("GET", "/statistics", None),
        ("GET", f"/messages/{message}/attempts", None),
        ("POST", f"/messages/{message}/redeliver", None),
    ):
        for by in (THIEF, "staff-hpsm", "staff-hpsj"):
            answer = await send(service, by, method, f"{ENDPOINTS}/{endpoint}{path}", body)
            assert answer.status_code == 404, (by, method, path)
    assert await stolen(service, receiver, victim) == []


async def test_anothers_messages_are_not_sent_to_ones_own_endpoint(service, receiver, victim):
    _, _, message = victim
    own = f"{ENDPOINTS}/{await registered(service, THIEF, receiver, 'thief')}"
    assert (await send(service, THIEF, "GET", f"{own}/messages")).json()["messages"] == []
    for path in ("attempts", "redeliver"):
        method = "GET" if path == "attempts" else "POST"
        answer = await send(service, THIEF, method, f"{own}/messages/{message}/{path}")
        assert answer.status_code == 404
    everything = {**SINCE, "include_delivered": True}
    answer = await send(service, THIEF, "POST", f"{own}/recover", everything)
    assert answer.json() == {"messages": 0}
    assert await stolen(service, receiver, victim) == []


async def test_the_deliveries_of_others_are_not_listed(service, receiver, victim):
    endpoint, referral, _ = victim
    page = await send(service, "hospital", "GET", "/v1/deliveries?limit=1")
    for path in ("/v1/deliveries", "/v1/deliveries.html"):
        for query in (f"referral={referral}", f"endpoint={endpoint}", "state=delivered", ""):
            answer = await send(service, THIEF, "GET", f"{path}?{query}")
            assert answer.status_code == 200
            assert HOSPITAL not in answer.text
            assert "referral.received" not in answer.text
    assert (await send(service, THIEF, "GET", page.json()["next"])).status_code == 400


async def test_a_subscription_hears_of_ones_own_alone(service, receiver, victim):
    for n in range(2):
        channel = {**SUBSCRIPTION["channel"], "endpoint": receiver.url(f"thief-{n}")}
        body = {**SUBSCRIPTION, "channel": channel}
        if n:
            criterion = {
                "url": BACKPORT + "filter-criteria",
                "valueString": f"Task?requester=Organization/{HOSPITAL}",
            }
            body["_criteria"] = {"extension": [criterion]}
        answer = await service.ask(THIEF, "POST", "/fhir/Subscription", body)
        assert answer.status_code == 201, answer.text
        listed = await service.ask(
            THIEF, "GET", f"/fhir/Subscription/{answer.json()['id']}/$events"
        )
        assert victim[1] not in listed.text
    got = await stolen(service, receiver, victim)
    assert len(got) == 2  # the handshakes
    assert not any(victim[1].encode() in one.body for one in got)


async def test_to_name_anothers_referral_in_ones_own_tells_nothing_of_it(service, receiver, victim):
    _, referral, _ = victim
    await registered(service, THIEF, receiver, "thief")
    for named in ("basedOn", "replaces"):
        body = a_referral(EXTRA[5], **{named: [to(f"ServiceRequest/{referral}")]})
        await service.post(body, THIEF)
    await service.do("hospital", "cancel", referral)
    for got in await stolen(service, receiver, victim):
        assert referral not in str(got.data.get("data", {}).get("referral_id"))
        assert got.data["type"] != "referral.cancelled"


async def test_who_was_passed_over_hears_nothing_that_comes_after(service, receiver):
    await registered(service, "ecm-provider", receiver, "thief", payload="full")
    referral = await service.refer(a_referral(asks_for=TIDEPOOL))
    given = parameters(performer=to(f"Organization/{FOGHORN}"))
    await service.do("staff-hpsm", "assign", referral, given)
    await service.do("hospital", "cancel", referral)
    async with service.delivering():
        await receiver.count(3)
    types = [got.data["type"] for got in receiver.received]
    assert types == ["referral.received", "referral.approved", "service.assigned"]
    assert all("entry" not in got.data["data"] for got in receiver.received)


async def test_what_waits_goes_to_the_url_as_it_is_when_sent(service, receiver):
    endpoint = await registered(service, "hospital", receiver, "thief-had-this-name-before")
    await service.refer(a_referral())
    moved = {"url": receiver.url("new")}
    await send(service, "hospital", "PATCH", f"{ENDPOINTS}/{endpoint}", moved)
    async with service.delivering():
        await receiver.count(3)
    assert {got.path for got in receiver.received} == {"/new"}


async def test_only_parties_and_the_plan_were_ever_written_to(service, receiver):
    """Whatever happens to referrals, nobody is a recipient who was not a party."""
    clients = ("hospital", "practice", "community", "ecm-provider", THIEF, "staff-hpsm")
    for client in clients:
        await registered(service, client, receiver, client)
    for number, asked in enumerate((TIDEPOOL, FOGHORN, None, TIDEPOOL)):
        by = clients[number % 3]
        referral = await service.refer(a_referral(EXTRA[10 + number], asks_for=asked), by)
        given = parameters(performer=to(f"Organization/{(FOGHORN, TIDEPOOL)[number % 2]}"))
        await service.do("staff-hpsm", "assign", referral, given)
        if number % 2:
            await service.do(by, "cancel", referral)
    strangers = await service.rows(
        "SELECT d.organization_id, m.event_type FROM delivery d"
        " JOIN message m ON m.plan = d.plan AND m.id = d.message_id"
        " WHERE NOT EXISTS (SELECT FROM party p WHERE p.plan = d.plan"
        " AND p.referral_id = d.referral_id AND p.organization_id = d.organization_id"
        " AND (p.until IS NULL OR p.until >= m.occurred_at))"
        " AND NOT EXISTS (SELECT FROM organization o WHERE o.id = d.organization_id"
        " AND o.plan = d.plan)"
    )
    assert strangers == []
