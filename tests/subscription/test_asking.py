"""Asking for a Subscription, changing it and ending it; and everything that is refused."""

import pytest

from app.base.settings import Settings
from tests.deployed import change
from tests.journeys.payloads import a_referral
from tests.journeys.service import issue
from tests.receiver import Reply
from tests.subscription.scene import BACKPORT, PAS, SERVICE_REQUEST, TASK, asked, extension, numbers

SECRET = "Bearer nobody-else-reads-this"


async def test_it_is_requested_until_the_handshake_is_answered(service, subscribers):
    answer = await subscribers.ask(asked(subscribers.receiver.url(), heartbeat=60))
    body = answer.json()
    assert (answer.status_code, body["status"]) == (201, "requested")
    assert answer.headers["location"] == f"{service.settings.fhir_base}/Subscription/{body['id']}"
    assert answer.headers["etag"] == 'W/"1"'
    assert answer.headers["last-modified"] == "Fri, 20 Nov 2026 18:00:00 GMT"
    async with service.delivering():
        await subscribers.active(body["id"])
    assert len(subscribers.bundles(kind="handshake")) == 1
    assert subscribers.bundles() == []
    read = await subscribers.read(body["id"])
    for name in ("criteria", "reason", "channel"):
        assert read[name] == asked(subscribers.receiver.url(), heartbeat=60)[name]


@pytest.mark.parametrize("status", [199 + 2, 301, 400, 500, 503])
async def test_only_a_2xx_makes_it_active_and_one_try_decides(service, subscribers, status):
    subscribers.receiver.answer = lambda _: Reply(status)
    id_ = await subscribers.subscribe()
    async with service.delivering():
        await subscribers.active(id_, status="active" if status < 300 else "error")
        await subscribers.service.read("Subscription", id_)
    assert len(subscribers.receiver.received) == 1


async def test_after_an_error_only_the_client_begins_again(service, subscribers):
    """What happened meanwhile is told after the handshake, and none of it is missing."""
    subscribers.receiver.answer = lambda _: Reply(500)
    id_ = await subscribers.subscribe()
    async with service.delivering():
        await subscribers.active(id_, status="error")
        subscribers.receiver.answer = lambda _: Reply()
        await service.refer(a_referral())
        service.later(days=1)
        assert (await subscribers.read(id_))["status"] == "error"
        answer = await subscribers.put(id_, asked(subscribers.receiver.url()))
        assert (answer.status_code, answer.json()["status"]) == (200, "requested")
        assert "error" not in answer.json()
        told = await subscribers.told(3)
    assert numbers(told) == [1, 2, 3]


async def test_a_header_is_stored_masked_and_kept_through_an_update(service, subscribers):
    lines = (f"Authorization: {SECRET}", "X-Route: intake")
    id_ = await subscribers.subscribe(headers=lines)
    masked = ["Authorization: ********", "X-Route: ********"]
    assert (await subscribers.read(id_))["channel"]["header"] == masked
    (found,) = await service.found(f"Subscription?_id={id_}")
    assert found["channel"]["header"] == masked
    ((stored, resource),) = await service.rows(
        "SELECT headers, resource FROM webhook_endpoint WHERE id = $1", id_
    )
    assert SECRET.encode() not in stored + resource
    body = await subscribers.read(id_)
    body["channel"]["header"] = ["authorization: ********", "X-Route: recovery"]
    assert (await subscribers.put(id_, body)).status_code == 200
    async with service.delivering():
        await subscribers.active(id_)
    (handshake,) = subscribers.receiver.received
    assert handshake.headers["authorization"] == SECRET
    assert handshake.headers["x-route"] == "recovery"


async def test_an_update_names_the_version_that_was_read(subscribers):
    id_ = await subscribers.subscribe()
    body = {**asked(subscribers.receiver.url("other")), "id": id_}
    path = f"/fhir/Subscription/{id_}"
    ask = subscribers.service.ask
    assert (await ask("hospital", "PUT", path, body)).status_code == 428
    assert (await subscribers.put(id_, body, version="7")).status_code == 412
    assert (await subscribers.put(id_, body)).status_code == 200
    assert (await subscribers.put(id_, body, version="1")).status_code == 412
    without = {name: value for name, value in body.items() if name != "id"}
    answer = await ask("hospital", "PUT", path, without, headers={"If-Match": 'W/"2"'})
    assert (answer.status_code, issue(answer)["expression"]) == (400, ["Subscription.id"])


async def test_a_topic_stays_with_its_numbers(subscribers):
    id_ = await subscribers.subscribe()
    changed = asked(subscribers.receiver.url(), topic=SERVICE_REQUEST)
    answer = await subscribers.put(id_, changed)
    assert (answer.status_code, issue(answer)["code"]) == (422, "business-rule")


async def test_switched_off_it_counts_nothing_and_goes_on_with_its_numbers(service, subscribers):
    id_ = await subscribers.subscribe()
    async with service.delivering():
        await subscribers.active(id_)
        await service.refer(a_referral("9100000XA"))
        await subscribers.told(3)
        off = await subscribers.put(id_, asked(subscribers.receiver.url(), status="off"))
        assert off.json()["status"] == "off"
        await service.refer(a_referral("9100001XA"))
        await subscribers.put(id_, asked(subscribers.receiver.url()))
        await subscribers.active(id_)
        await service.refer(a_referral("9100002XA"))
        told = await subscribers.told(6)
    assert numbers(told) == [1, 2, 3, 4, 5, 6]


async def test_it_is_no_webhook_endpoint(service, subscribers):
    """What it is told is shaped, numbered and begun again by its own rules."""
    id_ = await subscribers.subscribe()
    path = f"/v1/webhook-endpoints/{id_}"
    json = {"Content-Type": "application/json"}
    for method, where, body in (
        ("GET", "", None), ("PATCH", "", {"payload": "full"}), ("POST", "/enable", None),
        ("POST", "/rotate-secret", {}), ("POST", "/test", None), ("GET", "/messages", None),
    ):  # fmt: skip
        headers = json if body is not None else {}
        answer = await service.ask("hospital", method, path + where, body, headers=headers)
        assert answer.status_code == 404, (method, where)
    assert (await service.ask("hospital", "GET", "/v1/webhook-endpoints")).json() == []


async def test_deleted_it_is_gone_and_told_nothing(service, subscribers):
    id_ = await subscribers.subscribe(headers=("X-Key: k",))
    path = f"/fhir/Subscription/{id_}"
    stale = {"If-Match": 'W/"9"'}
    assert (await service.ask("hospital", "DELETE", path, headers=stale)).status_code == 412
    assert (await service.ask("hospital", "DELETE", path)).status_code == 204
    for where in ("", "/$status", "/$events"):
        assert (await service.ask("hospital", "GET", path + where)).status_code == 410
    for headers in ({}, stale):
        assert (await service.ask("hospital", "DELETE", path, headers=headers)).status_code == 204
    assert (await service.ask("practice", "DELETE", path)).status_code == 404
    assert await service.found("Subscription") == []
    await service.refer(a_referral())
    async with service.delivering():
        other = await subscribers.subscribe(path="other")
        await subscribers.active(other)
    assert subscribers.receiver.at("hook") == []
    assert await service.rows("SELECT headers FROM webhook_endpoint WHERE id = $1", id_) == [
        (None,)
    ]


async def test_fifty_are_the_most_and_a_deleted_one_makes_room(service, subscribers):
    first = await subscribers.subscribe()
    await service.store.execute(
        "INSERT INTO webhook_endpoint (organization_id, id, url, event_types, plans, payload,"
        " status, secrets, kind, created_at, updated_at) SELECT organization_id, id || n, url,"
        " event_types, plans, payload, status, secrets, kind, created_at, updated_at"
        " FROM webhook_endpoint, generate_series(1, 49) AS n WHERE id = $1",
        first,
    )
    refused = await subscribers.ask(asked(subscribers.receiver.url()))
    assert (refused.status_code, issue(refused)["code"]) == (409, "too-costly")
    await service.ask("hospital", "DELETE", f"/fhir/Subscription/{first}")
    assert (await subscribers.ask(asked(subscribers.receiver.url()))).status_code == 201


async def test_it_ends_when_it_says(service, subscribers):
    end = "2026-11-20T11:00:00-08:00"
    id_ = await subscribers.subscribe(end=end)
    async with service.delivering():
        await subscribers.active(id_)
        assert (await subscribers.read(id_))["end"] == end
        service.at("2026-11-20T11:00:01-08:00")
        await subscribers.active(id_, status="off")
        await service.refer(a_referral())
        late = await subscribers.put(id_, asked(subscribers.receiver.url(), end=end))
    assert (late.status_code, issue(late)["expression"]) == (422, ["Subscription.end"])
    assert subscribers.bundles() == []


async def test_searching_finds_ones_own(service, subscribers):
    task = await subscribers.subscribe()
    pas = await subscribers.subscribe(topic=PAS, path="pas")
    await subscribers.subscribe(by="ecm-provider", path="theirs")
    off = await subscribers.subscribe(path="off", status="off")
    url = subscribers.receiver.url("pas")

    async def ids(query):
        return {each["id"] for each in await service.found(f"Subscription?{query}")}

    assert await ids("") == {task, pas, off}
    assert await ids(f"criteria={TASK}") == {task, off}
    assert await ids(f"url={url}") == {pas}
    assert await ids("status=active,off") == {off}
    assert await ids("status=requested&type=rest-hook&payload=application/fhir%2Bjson") == {
        task,
        pas,
    }
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    path = "/fhir/Subscription/_search"
    answer = await service.ask("hospital", "POST", path, b"status=off", headers=form)
    assert [each["resource"]["id"] for each in answer.json()["entry"]] == [off]
    strict = {"Prefer": "handling=strict"}
    for name, value in (("contact", "x"), ("status", ""), ("_count", ""), ("_sort", "url")):
        asked = f"/fhir/Subscription?{name}={value}"
        assert (await service.ask("hospital", "GET", asked, headers=strict)).status_code == 400
        *found, said = (await service.ask("hospital", "GET", asked)).json()["entry"]
        assert len(found) == 3
        assert said["search"] == {"mode": "outcome"}
        assert f"`{name}`" in said["resource"]["issue"][0]["diagnostics"]


@pytest.mark.parametrize(
    ("change", "expression"),
    [
        ({"criteria": "Task?owner=x"}, "criteria"),
        ({"criteria": "https://elsewhere.example/SubscriptionTopic/unknown"}, "criteria"),
        ({"status": "error"}, "status"),
        ({"end": "2026-11-20T09:59:59-08:00"}, "end"),
        (
            {"extension": [{"url": "http://hl7.org/fhir/5.0/StructureDefinition/"
                            "extension-Subscription.topic", "valueUri": TASK}]},
            "extension[0]",
        ),
        (
            {"_criteria": {"extension": [extension("backport-topic-canonical", valueUri=TASK)]}},
            "criteria.extension[0]",
        ),
    ],
)  # fmt: skip
async def test_what_is_not_supported_is_refused(subscribers, change, expression):
    answer = await subscribers.ask({**asked(subscribers.receiver.url()), **change})
    assert (answer.status_code, issue(answer)["expression"]) == (
        422,
        [f"Subscription.{expression}"],
    )


@pytest.mark.parametrize(
    ("change", "expression"),
    [
        ({"type": "email"}, "type"),
        ({"type": "websocket"}, "type"),
        ({"_type": {"extension": [extension("backport-channel-type", valueUri="x:y")]}}, "type"),
        ({"endpoint": None}, "endpoint"),
        ({"endpoint": "http://hooks.harbor-lantern.example/fhir"}, "endpoint"),
        ({"endpoint": "https://169.254.169.254/latest"}, "endpoint"),
        ({"endpoint": "https://metadata.google.internal/"}, "endpoint"),
        ({"payload": "application/fhir+xml"}, "payload"),
        ({"payload": None}, "payload"),
        ({"_payload": None}, "payload.extension"),
        ({"_payload": {"extension": [
            extension("backport-payload-content", valueCode="everything")]}}, "payload.extension"),
        ({"extension": [extension("backport-timeout", valueUnsignedInt=5)]}, "extension[0]"),
        ({"extension": [extension("backport-heartbeat-period", valueUnsignedInt=1)]},
         "extension[0].valueUnsignedInt"),
        ({"header": ["no colon"]}, "header[0]"),
        ({"header": ["X-A: 1", "x-a: 2"]}, "header[1]"),
        ({"header": ["Host: elsewhere.example"]}, "header[0]"),
        ({"header": ["Content-Length: 1"]}, "header[0]"),
        ({"header": ["webhook-signature: v1,forged"]}, "header[0]"),
        ({"header": ["Bad Name: x"]}, "header[0]"),
        ({"header": ["X-A: \u00e9"]}, "header[0]"),
        ({"header": [f"X-A: {'a' * 1025}"]}, "header[0]"),
        ({"header": ["X-A: ********"]}, "header[0]"),
        ({"header": [f"X-{n}: 1" for n in range(17)]}, "header"),
    ],
)  # fmt: skip
async def test_a_channel_that_is_not_supported_is_refused(subscribers, change, expression):
    body = asked(subscribers.receiver.url())
    channel = {**body["channel"], **change}
    body["channel"] = {name: value for name, value in channel.items() if value is not None}
    answer = await subscribers.ask(body)
    assert answer.status_code == 422
    assert issue(answer)["expression"] == [f"Subscription.channel.{expression}"]


@pytest.mark.parametrize(
    ("topic", "text"),
    [
        (TASK, "Task"),
        (TASK, "Task?"),
        (TASK, "Task?code=x"),
        (TASK, "Task?status=sleeping"),
        (TASK, "Task?status:not=draft"),
        (TASK, "Task?owner="),
        (TASK, "Task?owner=Practitioner/1"),
        (TASK, "Task?owner=https://elsewhere.example/fhir/Organization/1"),
        (TASK, "Task?owner=a&owner=b"),
        (TASK, "Patient?owner=a"),
        (TASK, "owner=a"),
        (SERVICE_REQUEST, "ServiceRequest?status=active"),
        (SERVICE_REQUEST, "Task?requester=a"),
        (PAS, "org-identifier="),
        (PAS, "org-identifier=|"),
        (PAS, "org-identifier=nobody-knows-this"),
        (PAS, "patient=1"),
    ],
)
async def test_a_filter_that_is_not_supported_is_refused(subscribers, topic, text):
    body = asked(subscribers.receiver.url(), text, topic=topic)
    answer = await subscribers.ask(body)
    assert answer.status_code == 422
    assert issue(answer)["expression"][0].startswith("Subscription.criteria.extension")


async def test_every_fault_is_named_at_once(subscribers):
    body = asked("https://10.0.0.1/", topic="urn:none", status="error", headers=("bad",))
    body["channel"]["type"] = "message"
    body["channel"]["payload"] = "text/plain"
    answer = await subscribers.ask(body)
    assert answer.status_code == 422
    named = {each["expression"][0] for each in answer.json()["issue"]}
    assert {each.removeprefix("Subscription.") for each in named} == {
        "criteria", "status", "channel.type", "channel.payload", "channel.header[0]",
        "channel.endpoint",
    }  # fmt: skip
    assert all(each["diagnostics"] for each in answer.json()["issue"])


async def test_what_breaks_r4_is_a_400(subscribers):
    body = asked(subscribers.receiver.url())
    del body["reason"]
    body["channel"]["verb"] = "POST"
    answer = await subscribers.ask(body)
    assert answer.status_code == 400
    assert len(answer.json()["issue"]) == 2


async def test_production_sends_over_tls_only(service, subscribers):
    strict = Settings.model_copy(service.settings, update={"environment": "production"})
    change(service.app, settings=strict)
    try:
        answer = await subscribers.ask(asked(subscribers.receiver.url()))
    finally:
        change(service.app, settings=service.settings)
    assert (answer.status_code, issue(answer)["expression"]) == (
        422,
        ["Subscription.channel.endpoint"],
    )


async def test_the_capability_statement_names_the_topics(service):
    statement = (await service.http.get("/fhir/metadata")).json()
    (found,) = [each for each in statement["rest"][0]["resource"] if each["type"] == "Subscription"]
    canonical = BACKPORT + "capabilitystatement-subscriptiontopic-canonical"
    assert found["extension"] == [
        {"url": canonical, "valueCanonical": topic} for topic in (TASK, SERVICE_REQUEST, PAS)
    ]
    assert {each["name"] for each in found["operation"]} == {"status", "events"}
    assert {each["code"] for each in found["interaction"]} == {
        "create", "read", "update", "delete", "search-type",
    }  # fmt: skip
    assert any("backport-subscription-server-r4" in each for each in statement["instantiates"])
