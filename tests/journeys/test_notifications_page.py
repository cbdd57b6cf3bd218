"""docs/notifications.md is true: its messages arrive, its commands answer, its code verifies."""

import json
import re
from datetime import UTC, datetime, timedelta
from email.parser import Parser

import pytest
from cryptography.exceptions import InvalidSignature

from app.__main__ import _parser
from app.model.messages import TEST, EventType
from tests.journeys.payloads import a_referral, visits_before
from tests.journeys.typed import Typed

TYPED = Typed("notifications.md")
PAGE, CURLS = TYPED.text, TYPED.curls
JSON = {"Content-Type": "application/json"}


async def run(service, words, names):
    """What a `curl` of the page does, by a client of the hospital."""
    TYPED.names = names
    return await TYPED.run(service, words, "hospital")


@pytest.fixture
async def told(service, receiver):
    """The endpoint that the page registers, and what it was told of an approval, last."""
    service.clock.move(timedelta(0))  # a signature is good for five minutes of real time
    names = {"BASE": "", "URL": receiver.url()}
    answer = await run(service, CURLS[0], names)
    assert answer.status_code == 201, answer.text
    visits = visits_before(datetime.now(UTC))
    referral = await service.refer(a_referral(visits=visits, asks_for="org-tidepool"))
    async with service.delivering():
        await receiver.count(4)
    names |= {"ENDPOINT": answer.json()["id"], "REFERRAL": referral}
    approved = next(got for got in receiver.received if got.data["type"] == "referral.approved")
    return answer.json(), approved, names | {"MESSAGE": approved.id}


def shape(value):
    """Names and kinds; values that differ from one referral to the next are left out."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    return [shape(value[0])] if isinstance(value, list) else type(value).__name__


async def test_the_message_is_the_one_on_the_page(told):
    _, approved, _ = told
    (payload,) = TYPED.blocks("json")
    written = json.loads(payload)
    assert shape(approved.data) == shape(written)
    for name in ("plan", "state", "business_status", "reasons", "sequence"):
        assert approved.data["data"][name] == written["data"][name]
    (request,) = TYPED.blocks("http")
    named = dict(Parser().parsestr(request.partition("\n")[2]))
    assert set(named) <= set(approved.headers)
    for name in ("content-type", "user-agent", "x-route"):
        assert approved.headers[name] == named[name]


async def test_the_code_of_the_page_takes_it_once(told):
    endpoint, approved, _ = told
    seen, queue = set(), []
    scope = {"seen": seen, "queue": queue}
    exec(TYPED.blocks("python")[0], scope)
    receive, secret = scope["receive"], endpoint["secret"]
    assert receive(secret, approved.headers, approved.body) == 204
    assert receive(secret, approved.headers, approved.body) == 204
    assert queue == [approved.data]
    assert receive(secret, approved.headers, approved.body + b" ") == 400
    assert receive(secret, {**approved.headers, "webhook-signature": "v1"}, approved.body) == 400


async def test_the_code_for_an_asymmetric_signature_verifies(service, receiver):
    wanted = {"url": receiver.url(), "signature": "asymmetric"}
    path = "/v1/webhook-endpoints"
    key = (await service.ask("hospital", "POST", path, wanted, headers=JSON)).json()["public_key"]
    async with service.delivering():
        (got,) = await receiver.count(1)
    scope = {}
    exec(TYPED.blocks("python")[1], scope)
    scope["verify"](key, got.headers, got.body)
    with pytest.raises(InvalidSignature):
        scope["verify"](key, got.headers, got.body + b" ")


async def test_every_command_answers(service, told):
    _, _, names = told
    assert len(CURLS) == 14
    for words in CURLS[1:]:
        answer = await run(service, words, names)
        sends = any(word.endswith(("/redeliver", "/recover", "/test")) for word in words)
        assert answer.status_code == (202 if sends else 200), (words, answer.text)
    listed = await run(service, CURLS[1], names)
    assert len(listed.json()["deliveries"]) == 3


def test_the_worker_is_started_so():
    (words,) = [words for words in TYPED.commands() if words[0] == "python"]
    assert words[:3] == ["python", "-m", "app"]
    assert _parser().parse_args(words[3:]).command.__name__ == "_deliver"


def test_every_type_of_event_is_named():
    named = set(re.findall(r"`((?:referral|service|authorization|capacity|endpoint)\.\w+)`", PAGE))
    assert named == {*EventType, TEST}


async def test_every_metric_of_the_page_is_shown(service):
    shown = (await service.http.get("/metrics")).text
    named = re.findall(r"`(nwd_\w+)", PAGE)
    assert len(named) == 7
    for name in named:
        assert f"# TYPE {name} " in shown
