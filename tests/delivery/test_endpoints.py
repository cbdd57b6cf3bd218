"""What an organization does with its webhook endpoints, over HTTP, and what arrives then."""

from datetime import timedelta

import pytest
from standardwebhooks.webhooks import Webhook

from app.model.messages import TEST
from tests.receiver import Reply


async def registered(client, receiver, **more):
    answer = await client.post("", json={"url": receiver.url(), "send_test": False, **more})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def test_a_new_endpoint_gets_a_test_message_that_its_secret_verifies(api, scene, receiver):
    client = await api()
    endpoint = await registered(client, receiver, send_test=True, headers={"X-Route": "intake"})
    async with scene.worker():
        (got,) = await receiver.count(1)
    assert Webhook(endpoint["secret"]).verify(got.body, got.headers)["type"] == TEST
    assert got.headers["x-route"] == "intake"
    read = (await client.get(f"/{endpoint['id']}")).json()
    assert "secret" not in read
    assert read["header_names"] == ["X-Route"]
    assert read == {name: value for name, value in endpoint.items() if name != "secret"}
    assert (await client.get("")).json() == [read]


async def test_secrets_and_headers_are_encrypted_at_rest(api, scene, receiver):
    endpoint = await registered(await api(), receiver, headers={"X-Key": "do-not-tell"})
    row = await scene.one("webhook_endpoint")
    assert endpoint["secret"].removeprefix("whsec_").encode() not in row["secrets"]
    assert b"do-not-tell" not in row["headers"]


async def test_an_asymmetric_endpoint_shows_a_public_key_and_never_the_private(api, receiver):
    endpoint = await registered(await api(), receiver, signature="asymmetric")
    assert endpoint["secret"] is None
    assert endpoint["public_key"].startswith("whpk_")


async def test_a_rotated_secret_signs_beside_the_old_until_the_overlap_ends(api, scene, receiver):
    client = await api()
    old = await registered(client, receiver)
    new = (await client.post(f"/{old['id']}/rotate-secret", json={"overlap_hours": 1})).json()
    async with scene.worker():
        await client.post(f"/{old['id']}/test")
        (got,) = await receiver.count(1)
        assert Webhook(old["secret"]).verify(got.body, got.headers)
        assert Webhook(new["secret"]).verify(got.body, got.headers)
        scene.clock.move(timedelta(hours=2))
        await client.post(f"/{old['id']}/test")
        _, got = await receiver.count(2)
    assert len(got.headers["webhook-signature"].split()) == 1


async def test_a_compromised_secret_ends_at_once(api, scene, receiver):
    client = await api()
    old = await registered(client, receiver)
    new = (await client.post(f"/{old['id']}/rotate-secret", json={"overlap_hours": 0})).json()
    await client.post(f"/{old['id']}/test")
    async with scene.worker():
        (got,) = await receiver.count(1)
    assert Webhook(new["secret"]).verify(got.body, got.headers)
    assert len(got.headers["webhook-signature"].split()) == 1


async def test_what_is_held_while_disabled_is_sent_in_order_when_enabled(api, scene, receiver):
    client = await api()
    id_ = (await registered(client, receiver))["id"]
    await scene.announce("r1")
    disabled = (await client.post(f"/{id_}/disable")).json()
    assert (disabled["status"], disabled["disabled_reason"]) == ("disabled", "owner")
    await scene.announce("r1")
    assert await scene.states() == ["held", "held"]
    assert (await client.post(f"/{id_}/test")).status_code == 409
    async with scene.worker(poll_s=30):
        enabled = (await client.post(f"/{id_}/enable")).json()
        assert (enabled["status"], enabled["disabled_reason"]) == ("active", None)
        await scene.until_states("delivered", "delivered")
    assert [got.data["data"]["sequence"] for got in receiver.received] == [1, 2]


async def test_messages_and_attempts_tell_what_became_of_them(api, scene, receiver):
    client = await api()
    id_ = (await registered(client, receiver))["id"]
    message = await scene.announce("r1")
    receiver.answer = lambda _: Reply(500, body=b"full")
    async with scene.worker():
        await scene.until_attempts(1)
    (one,) = (await client.get(f"/{id_}/messages")).json()["messages"]
    assert (one["message_id"], one["state"], one["attempts"]) == (message, "pending", 1)
    (tried,) = (await client.get(f"/{id_}/messages/{message}/attempts")).json()["attempts"]
    assert (tried["status"], tried["response"], tried["number"]) == (500, "full", 1)
    figures = (await client.get(f"/{id_}/statistics")).json()
    assert (figures["pending"], figures["delivered"]) == (1, 0)
    assert (await client.get(f"/{id_}")).json()["failing_since"] is not None


async def test_messages_are_paged_newest_first_without_gaps(api, scene, receiver):
    client = await api()
    id_ = (await registered(client, receiver))["id"]
    written = [await scene.announce(f"r{n}") for n in range(5)]
    seen, before = [], {}
    for _ in range(3):
        page = (await client.get(f"/{id_}/messages", params={"limit": 2, **before})).json()
        seen += [each["message_id"] for each in page["messages"]]
        before = {"before": page["next"]}
    assert seen == written[::-1]
    assert page["next"] is None


async def test_one_message_is_redelivered_under_its_id_and_marked_manual(api, scene, receiver):
    client = await api()
    id_ = (await registered(client, receiver))["id"]
    message = await scene.announce("r1")
    async with scene.worker(poll_s=30):
        await scene.hint()
        await scene.until_states("delivered")
        answer = await client.post(f"/{id_}/messages/{message}/redeliver")
        assert (answer.status_code, answer.json()["state"]) == (202, "pending")
        await scene.until_attempts(2)
    assert [got.id for got in receiver.received] == [message, message]
    assert [each["manual"] for each in await scene.attempts()] == [False, True]


async def test_a_dead_letter_gets_the_whole_schedule_again(api, scene, receiver):
    client = await api()
    id_ = (await registered(client, receiver))["id"]
    message = await scene.announce("r1")
    await scene.connection.execute("UPDATE delivery SET state = 'dead', attempts = 10")
    await client.post(f"/{id_}/messages/{message}/redeliver")
    receiver.answer = lambda _: Reply(500)
    async with scene.worker():
        await scene.until_attempts(1)
    delivery = await scene.one("delivery")
    assert (delivery["state"], delivery["attempts"], delivery["round_start"]) == ("pending", 11, 10)


async def test_everything_that_did_not_arrive_since_a_time_is_recovered(api, scene, receiver):
    client = await api()
    id_ = (await registered(client, receiver))["id"]
    old, dead = await scene.announce("r1"), await scene.announce("r2")
    there = await scene.announce("r3")
    await scene.connection.execute(
        "UPDATE delivery SET state = 'dead' WHERE message_id <> $1", there
    )
    await scene.connection.execute(
        "UPDATE delivery SET state = 'delivered' WHERE message_id = $1", there
    )
    yesterday = scene.clock.now() - timedelta(days=1)
    await scene.connection.execute(
        "UPDATE delivery SET created_at = $1 WHERE message_id = $2", yesterday, old
    )
    since = (scene.clock.now() - timedelta(hours=1)).isoformat()
    answer = await client.post(f"/{id_}/recover", json={"since": since})
    assert (answer.status_code, answer.json()) == (202, {"messages": 1})
    async with scene.worker():
        (got,) = await receiver.count(1)
    assert got.id == dead


async def test_a_change_touches_only_what_it_names(api, receiver):
    client = await api()
    endpoint = await registered(client, receiver, plans=["HPSM"], headers={"X-A": "1"})
    changed = (
        await client.patch(f"/{endpoint['id']}", json={"event_types": ["referral.denied"]})
    ).json()
    assert changed["event_types"] == ["referral.denied"]
    assert (changed["plans"], changed["header_names"]) == (["HPSM"], ["X-A"])


OTHERS = [
    ("GET", ""),
    ("PATCH", ""),
    ("POST", "/disable"),
    ("POST", "/enable"),
    ("POST", "/rotate-secret"),
    ("POST", "/test"),
    ("GET", "/messages"),
    ("GET", "/messages/{message}/attempts"),
    ("POST", "/messages/{message}/redeliver"),
    ("POST", "/recover"),
    ("GET", "/statistics"),
]


@pytest.mark.parametrize(("method", "path"), OTHERS)
async def test_another_organizations_endpoint_is_unknown(api, scene, receiver, method, path):
    id_ = (await registered(await api(), receiver))["id"]
    message = await scene.announce("r1")
    before = await scene.one("webhook_endpoint"), await scene.deliveries()
    stranger = await api("org-tidepool")
    body = {"since": "2026-01-01T00:00:00Z"} if path == "/recover" else {}
    answer = await stranger.request(
        method, f"/{id_}{path.format(message=message)}", json=None if method == "GET" else body
    )
    assert answer.status_code == 404
    assert (await scene.one("webhook_endpoint"), await scene.deliveries()) == before
    assert (await stranger.get("")).json() == []


async def test_a_message_of_another_endpoint_is_unknown(api, scene, receiver):
    client = await api()
    await registered(client, receiver)
    message = await scene.announce("r1")
    later = (await registered(client, receiver))["id"]
    assert (await client.get(f"/{later}/messages/{message}/attempts")).status_code == 404
    assert (await client.post(f"/{later}/messages/{message}/redeliver")).status_code == 404


WRONG = [
    {"url": "https://127.0.0.1/"},
    {"url": "http://hooks.example.org/"},
    {"url": "https://user:secret@hooks.example.org/"},
    {"url": 7},
    {},
    {"url": "https://hooks.example.org/", "event_types": ["referral.lost"]},
    {"url": "https://hooks.example.org/", "plans": ["hpsm"]},
    {"url": "https://hooks.example.org/", "plans": ["HPSM", "NOPE"]},
    {"url": "https://hooks.example.org/", "payload": "fat"},
    {"url": "https://hooks.example.org/", "headers": {"Host": "elsewhere"}},
    {"url": "https://hooks.example.org/", "headers": {"webhook-id": "mine"}},
    {"url": "https://hooks.example.org/", "headers": {"X-A": "a\r\nX-B: c"}},
    {"url": "https://hooks.example.org/", "headers": {"X A": "a"}},
    {"url": "https://hooks.example.org/", "surprise": True},
]


@pytest.mark.parametrize("more", [{"plans": ["HP\x00SM"]}, {"description": "a\x00b"}])
async def test_control_characters_are_refused_as_in_any_json(api, scene, more):
    answer = await (await api()).post("", json={"url": "https://hooks.example.org/", **more})
    assert answer.status_code == 400
    assert answer.json()["resourceType"] == "OperationOutcome"
    assert await scene.one("webhook_endpoint") is None


@pytest.mark.parametrize("body", WRONG)
async def test_a_wrong_endpoint_is_refused_without_its_values(api, scene, body):
    answer = await (await api()).post("", json=body)
    assert answer.status_code == 422
    assert answer.json()["resourceType"] == "OperationOutcome"
    assert "secret" not in answer.text
    assert await scene.one("webhook_endpoint") is None


async def test_of_very_many_faults_a_hundred_are_told(api):
    answer = await (await api()).post("", json={f"a{number}": 1 for number in range(10_000)})
    assert answer.status_code == 422
    assert len(answer.json()["issue"]) == 100


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/no-such-id", 404),
        ("/%00", 400),
        ("/%F0%9F%92%A9", 404),
        ("/x/messages?limit=0", 400),
        ("/x/messages?limit=99999999999999999999999", 400),
        ("/x/messages?state=lost", 400),
        ("/x/messages?before=99999999999999999-z", 404),
        ("/x/messages?before=today", 400),
    ],
)
async def test_odd_requests_are_answered_in_words(api, path, status):
    answer = await (await api()).get(path)
    assert answer.status_code == status
    assert answer.json()["resourceType"] == "OperationOutcome"


async def test_odd_moments_are_no_error_of_the_server(api, receiver):
    client = await api()
    id_ = (await registered(client, receiver))["id"]
    for since in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"):
        answer = await client.post(f"/{id_}/recover", json={"since": since})
        assert (answer.status_code, answer.json()) == (202, {"messages": 0})
    page = await client.get(f"/{id_}/messages?before=99999999999999999-z")
    assert page.status_code == 200
