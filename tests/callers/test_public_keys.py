"""Key sets: what may be registered, and how the published ones are fetched and kept."""

import asyncio
import json

import pytest
from joserfc.jwk import ECKey, OctKey

from app.api.login import key_sets
from app.api.login.key_sets import FetchFailed, KeySets
from app.api.login.public_keys import UnusableKeys, key_for, read_keys
from app.journey.notification.targets import Guard
from tests.callers.signer import EC, RSA, jwks
from tests.receiver import Receiver, Reply

RSA_KEY, EC_KEY = (key.as_dict(private=False) for key in (RSA, EC))
P256 = {**ECKey.generate_key("P-256").as_dict(private=False), "kid": "small"}
SMALL = {**RSA_KEY, "n": RSA_KEY["n"][:170]}


@pytest.mark.parametrize(
    ("keys", "kids"),
    [
        ([RSA_KEY, EC_KEY], ["rsa", "ec"]),
        ([RSA_KEY, {**EC_KEY, "kid": "rsa"}], ["rsa", "rsa"]),  # told apart by their kind
        ([EC_KEY, P256], ["ec"]),
        ([EC_KEY, {**RSA_KEY, "use": "enc"}], ["ec"]),
        ([EC_KEY, {"kty": "OKP", "crv": "Ed25519", "x": "x"}], ["ec"]),
        ([{**EC_KEY, "alg": "ES384", "x5c": ["MII="], "ext": True}], ["ec"]),
    ],
)
def test_a_set_gives_the_keys_that_verify(keys, kids):
    assert [kid for kid, _ in read_keys(json.dumps({"keys": keys}).encode())] == kids


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b"{}",
        b'{"keys": {}}',
        b'{"keys": []}',
        b'{"keys": [1]}',
        b'{"keys": [], "keys": []}',
        b" " * 70_000,
        *(
            json.dumps({"keys": keys}).encode()
            for keys in (
                [RSA.as_dict(private=True)],
                [EC.as_dict(private=True)],
                [EC_KEY, OctKey.generate_key(256).as_dict(private=True)],
                [P256],
                [SMALL],
                [{**RSA_KEY, "n": "A" * 2800}],
                [{**RSA_KEY, "n": "ü"}],
                [{**RSA_KEY, "n": 7}],
                [{**RSA_KEY, "e": "AA"}],
                [{**EC_KEY, "x": EC_KEY["y"]}],  # no point of the curve
                [{**EC_KEY, "y": ""}],
                [{**EC_KEY, "kid": ""}],
                [{**EC_KEY, "kid": "x" * 300}],
                [{name: value for name, value in EC_KEY.items() if name != "kid"}],
                [EC_KEY, EC_KEY],
                [{**EC_KEY, "kid": str(number)} for number in range(21)],
            )
        ),
    ],
)
def test_a_set_that_is_of_no_use_is_refused(body):
    with pytest.raises(UnusableKeys):
        read_keys(body)


@pytest.mark.parametrize(
    ("kid", "algorithm", "found"),
    [
        ("rsa", "RS384", True),
        ("ec", "ES384", True),
        ("rsa", "ES384", False),
        ("ec", "RS384", False),
        ("other", "RS384", False),
    ],
)
def test_a_key_is_chosen_by_name_and_kind(kid, algorithm, found):
    keys = read_keys(json.dumps(jwks()).encode())
    assert (key_for(keys, kid, algorithm) is not None) == found


# Published sets


@pytest.fixture
async def publisher():
    async with Receiver() as receiver:
        yield receiver


class Clock:
    """Seconds, moved by hand."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def sets_of(publisher, clock=None) -> KeySets:
    guard = Guard(frozenset({("org-h", publisher.target)}), plain_http=True)
    return KeySets(guard, clock=clock or Clock())


def published(*keys, **headers) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(200, named, json.dumps(jwks(*keys)).encode())


@pytest.mark.parametrize(
    ("said", "kept_s"),
    [
        ({}, 300),
        ({"Cache_Control": "public, max-age=600"}, 600),
        ({"Cache_Control": "max-age=5"}, 30),
        ({"Cache_Control": "max-age=999999"}, 3600),
        ({"Cache_Control": "no-store"}, 30),
    ],
)
async def test_a_set_is_kept_as_long_as_it_says_within_bounds(publisher, said, kept_s):
    publisher.answer = lambda _: published(**said)
    clock = Clock()
    sets = sets_of(publisher, clock)
    for _ in range(3):
        assert await sets.find("org-h", publisher.url(), "ec", "ES384")
    assert len(publisher.received) == 1
    clock.now += kept_s - 1
    await sets.find("org-h", publisher.url(), "ec", "ES384")
    assert len(publisher.received) == 1
    clock.now += 1
    await sets.find("org-h", publisher.url(), "ec", "ES384")
    assert len(publisher.received) == 2


async def test_a_new_key_is_found_and_an_unknown_one_asked_for_every_thirty_seconds(publisher):
    publisher.answer = lambda _: published(RSA)
    clock = Clock()
    sets = sets_of(publisher, clock)
    await sets.find("org-h", publisher.url(), "rsa", "RS384")
    publisher.answer = lambda _: published(RSA, EC)
    assert len(await sets.find("org-h", publisher.url(), "ec", "ES384")) == 1  # too soon
    clock.now += 30
    assert len(await sets.find("org-h", publisher.url(), "ec", "ES384")) == 2
    for _ in range(5):
        await sets.find("org-h", publisher.url(), "nobody's", "ES384")
    assert len(publisher.received) == 2


async def test_a_failed_look_for_an_unknown_key_takes_no_known_one_away(publisher):
    publisher.answer = lambda _: published(RSA)
    clock = Clock()
    sets = sets_of(publisher, clock)
    await sets.find("org-h", publisher.url(), "rsa", "RS384")
    publisher.answer = lambda _: Reply(500)
    clock.now += 30
    for kid in ("nobody's", "rsa"):
        assert len(await sets.find("org-h", publisher.url(), kid, "RS384")) == 1
    assert len(publisher.received) == 2
    clock.now += 270
    with pytest.raises(FetchFailed):
        await sets.find("org-h", publisher.url(), "rsa", "RS384")


async def test_many_who_wait_lead_to_one_fetch(publisher):
    publisher.answer = lambda _: Reply(**{**vars(published()), "wait": 0.1})
    sets = sets_of(publisher)
    asking = [sets.find("org-h", publisher.url(), "ec", "ES384") for _ in range(20)]
    assert len(await asyncio.gather(*asking)) == 20
    assert len(publisher.received) == 1


FAILURES = {
    "500": Reply(500, body=b"{}"),
    "nothing there": Reply(404),
    "a redirect": Reply(302, {"Location": "/other"}),
    "no JSON": Reply(200, body=b"<html>"),
    "10 MB": Reply(200, body=b" " * 10_000_000),
    "two keys with one name": published(EC, EC),
    "a private key": Reply(200, body=json.dumps({"keys": [EC.as_dict(private=True)]}).encode()),
    "compressed": Reply(200, {"Content-Encoding": "gzip"}, body=b"\x1f\x8b"),
}


@pytest.mark.parametrize("reply", FAILURES.values(), ids=FAILURES.keys())
async def test_a_set_that_cannot_be_had_is_asked_for_again_after_a_pause(publisher, reply):
    publisher.answer = lambda _: reply
    clock = Clock()
    sets = sets_of(publisher, clock)
    for _ in range(3):
        with pytest.raises(FetchFailed):
            await sets.find("org-h", publisher.url(), "ec", "ES384")
    assert len(publisher.received) == 1
    clock.now += 5
    publisher.answer = lambda _: published()
    assert await sets.find("org-h", publisher.url(), "ec", "ES384")


async def test_a_slow_set_is_given_up_after_three_seconds_and_holds_nobody_up(
    publisher, monkeypatch
):
    monkeypatch.setattr(key_sets, "LONGEST_FETCH_S", 0.3)
    silence = asyncio.Event()
    publisher.answer = lambda one: Reply(until=silence) if one.path == "/slow" else published()
    sets = sets_of(publisher)
    slow = asyncio.create_task(sets.find("org-h", publisher.url("slow"), "ec", "ES384"))
    await publisher.count(1)
    assert await sets.find("org-h", publisher.url("fine"), "ec", "ES384")
    assert not slow.done()
    with pytest.raises(FetchFailed):
        await slow
    silence.set()


@pytest.mark.parametrize(
    ("owner", "url"),
    [
        ("org-other", "{}"),  # another organization's in-house receiver
        ("org-h", "http://127.0.0.1:1/keys"),
        ("org-h", "https://127.0.0.1/keys"),
        ("org-h", "https://localhost/keys"),
        ("org-h", "https://169.254.169.254/latest/meta-data"),
        ("org-h", "https://user@keys.example/"),
        ("org-h", "file:///etc/passwd"),
    ],
)
async def test_a_set_is_fetched_where_messages_may_be_sent_alone(publisher, owner, url):
    with pytest.raises(FetchFailed):
        await sets_of(publisher).find(owner, url.format(publisher.url()), "ec", "ES384")
    assert publisher.received == []


async def test_a_name_that_resolves_to_a_private_address_is_not_asked(publisher, monkeypatch):
    def lookup(host, port, family, kind):
        return [(family, kind, 6, "", ("10.0.0.1", port))]

    monkeypatch.setattr(key_sets.socket, "getaddrinfo", lookup)
    with pytest.raises(FetchFailed):
        await sets_of(publisher).find("org-h", "https://keys.example/set", "ec", "ES384")
