"""docs/subscriptions.md: its payloads are what is sent, its requests are answered."""

import re
from pathlib import Path

import orjson
import pytest

from tests.journeys.payloads import a_referral
from tests.subscription.scene import asked

PAGE = (Path(__file__).parents[2] / "docs" / "subscriptions.md").read_text()
PAYLOADS = {
    name: orjson.loads(text)
    for name, text in re.findall(r"```json (\w+)\n(.*?)```", PAGE, re.DOTALL)
}
REQUESTS = [
    tuple(line.split(" ", 1))
    for block in re.findall(r"```http\n(.*?)```", PAGE, re.DOTALL)
    for line in block.splitlines()
    if re.match(r"(GET|POST|PUT|DELETE) ", line)
]
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")
BASE = re.compile(r"https?://[\w.:]+/fhir/(?=Task|Subscription)")


def plain(payload) -> dict:
    """The same with every id, moment and address of the server alike."""
    text = orjson.dumps(payload).decode()
    return orjson.loads(BASE.sub("BASE/", INSTANT.sub("AT", UUID.sub("ID", text))))


@pytest.fixture
def as_documented(receiver):
    body = PAYLOADS["subscription"]
    return {**body, "channel": {**body["channel"], "endpoint": receiver.url()}}


async def test_the_payloads_are_what_is_sent(service, subscribers, as_documented):
    answer = await subscribers.ask(as_documented)
    assert answer.status_code == 201
    async with service.delivering():
        await subscribers.active(answer.json()["id"])
        await service.refer(a_referral())
        (event, *_) = await subscribers.told(1)
    assert plain(subscribers.bundles(kind="handshake")[0]) == plain(PAYLOADS["handshake"])
    assert plain(event) == plain(PAYLOADS["event"])


async def test_the_requests_are_answered(service, subscribers, as_documented):
    id_ = await subscribers.subscribe()
    await service.refer(a_referral())
    for method, path in REQUESTS:
        body = as_documented if method == "POST" else None
        if method == "PUT":
            body = {**asked(subscribers.receiver.url()), "id": id_}
        headers = {"If-Match": 'W/"1"'} if method == "PUT" else {}
        answer = await service.ask(
            "hospital", method, path.replace("{id}", id_), body, headers=headers
        )
        assert answer.status_code == (201 if method == "POST" else 200), (method, path, answer.text)
    assert len(REQUESTS) == 5
