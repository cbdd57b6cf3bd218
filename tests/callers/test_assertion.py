"""Logins by a client's own key: the right ones, and every one that must be refused."""

import json
import time

import pytest
from joserfc.jwk import ECKey

from app.store import clients as store
from tests.callers.signer import BY, EC, RSA, STRANGER, claims, form, part, signed
from tests.callers.test_door import NOW

UNKNOWN = "The client is not known, or its secret or key is not."


@pytest.mark.parametrize("algorithm", BY)
@pytest.mark.parametrize(
    ("header", "changed"),
    [
        ({}, {}),
        ({"typ": None}, {}),
        ({}, {"nbf": int(time.time()) - 10, "iat": int(time.time())}),
        ({}, {"exp": int(time.time()) + 300}),
        ({}, {"aud": "as a list"}),
        ({}, {"extensions": {"hl7-b2b": {"version": "1"}}}),
    ],
)
async def test_a_client_logs_in_with_its_key(http, algorithm, header, changed):
    if changed.get("aud"):
        changed = {"aud": [http.url]}
    sent = signed(claims("ehr", http.url, **changed), algorithm, **header)
    answer = await http.post("/oauth/token", data=form(sent, scope="system/Task.read"))
    assert answer.status_code == 200, answer.text
    assert answer.json()["scope"] == "system/Task.read"
    caller = http.tokens.verify(answer.json()["access_token"], time.time())
    assert (caller.client_id, caller.plan, caller.purpose) == ("ehr", "HPSM", "HPAYMT")


def now() -> int:
    return int(time.time())


#: What is wrong → the assertion for a client at a URL. Of all of them the answer is 401.
ATTACKS = {
    # the signature and its key
    "signed by another key": lambda u: signed(claims("ehr", u), key=STRANGER["ES384"]),
    "signed by another RSA key": lambda u: signed(claims("ehr", u), "RS384", STRANGER["RS384"]),
    "algorithm none": lambda u: f"{part({'alg': 'none', 'kid': 'ec'})}.{part(claims('ehr', u))}.",
    "algorithm NoNe": lambda u: f"{part({'alg': 'NoNe', 'kid': 'ec'})}.{part(claims('ehr', u))}.",
    "no algorithm": lambda u: f"{part({'kid': 'ec'})}.{part(claims('ehr', u))}.c2ln",
    "HS256 with the public key": lambda u: signed(
        claims("ehr", u), "HS256", RSA.as_pem(private=False)
    ),
    "HS384 with the public key": lambda u: signed(
        claims("ehr", u), "HS384", EC.as_pem(private=False)
    ),
    "RS256": lambda u: signed(claims("ehr", u), "RS256", RSA, kid="rsa"),
    "PS384": lambda u: signed(claims("ehr", u), "PS384", RSA, kid="rsa"),
    "ES256": lambda u: signed(claims("ehr", u), "ES256", ECKey.generate_key("P-256")),
    "a key of the other kind": lambda u: signed(claims("ehr", u), "ES384", kid="rsa"),
    "an unknown key": lambda u: signed(claims("ehr", u), kid="other"),
    "no key": lambda u: signed(claims("ehr", u), kid=None),
    "an empty key": lambda u: signed(claims("ehr", u), kid=""),
    "a key named by a number": lambda u: signed(claims("ehr", u), kid=7),
    "an embedded key": lambda u: signed(
        claims("ehr", u), key=STRANGER["ES384"], jwk=STRANGER["ES384"].as_dict(private=False)
    ),
    "an embedded certificate": lambda u: signed(claims("ehr", u), x5c=["MII="]),
    "an address of a certificate": lambda u: signed(claims("ehr", u), x5u="https://evil.example"),
    "the address of another key set": lambda u: signed(
        claims("ehr", u), jku="https://evil.example"
    ),
    "an unknown critical header": lambda u: signed(claims("ehr", u), crit=["exp"], exp=1),
    "an unencoded payload": lambda u: signed(claims("ehr", u), b64=False, crit=["b64"]),
    "another kind of JWT": lambda u: signed(claims("ehr", u), typ="at+jwt"),
    "a header of many bytes": lambda u: signed(claims("ehr", u), more="x" * 600),
    "a tampered signature": lambda u: signed(claims("ehr", u))[:-6] + "AAAAAA",
    "tampered claims": lambda u: ".".join(
        (
            (one := signed(claims("ehr", u)).split("."))[0],
            part(claims("staff-hpsm", u)),
            one[2],
        )
    ),
    "no signature": lambda u: signed(claims("ehr", u)).rpartition(".")[0] + ".",
    # the claims
    "expired": lambda u: signed(claims("ehr", u, exp=now() - 30)),
    "no expiry": lambda u: signed(claims("ehr", u, exp=None)),
    "lives too long": lambda u: signed(claims("ehr", u, exp=now() + 330)),
    "lives for ever": lambda u: signed(claims("ehr", u, exp=10**30)),
    "expiry as text": lambda u: signed(claims("ehr", u, exp=str(now() + 60))),
    "expiry as a fraction": lambda u: signed(claims("ehr", u, exp=now() + 60.5)),
    "expiry is true": lambda u: signed(claims("ehr", u, exp=True)),
    "not good yet": lambda u: signed(claims("ehr", u, nbf=now() + 60)),
    "made in the future": lambda u: signed(claims("ehr", u, iat=now() + 60)),
    "made at a text": lambda u: signed(claims("ehr", u, iat="now")),
    "no audience": lambda u: signed(claims("ehr", u, aud=None)),
    "another audience": lambda u: signed(claims("ehr", "https://other.example/oauth/token")),
    "the base as audience": lambda u: signed(claims("ehr", u.removesuffix("/oauth/token"))),
    "a slash too many": lambda u: signed(claims("ehr", u + "/")),
    "several audiences": lambda u: signed(claims("ehr", u, aud=[u, "https://other.example"])),
    "an audience that is an object": lambda u: signed(claims("ehr", u, aud={u: 1})),
    "no issuer": lambda u: signed(claims("ehr", u, iss=None)),
    "another subject": lambda u: signed(claims("ehr", u, sub="staff-hpsm")),
    "no subject": lambda u: signed(claims("ehr", u, sub=None)),
    "an unknown client": lambda u: signed(claims("nobody", u)),
    "a client without keys": lambda u: signed(claims("hospital", u)),
    "an issuer that is a list": lambda u: signed(claims("ehr", u, iss=["ehr"], sub=["ehr"])),
    "no jti": lambda u: signed(claims("ehr", u, jti=None)),
    "an empty jti": lambda u: signed(claims("ehr", u, jti="")),
    "a long jti": lambda u: signed(claims("ehr", u, jti="x" * 256)),
    "a jti with NUL": lambda u: signed(claims("ehr", u, jti="a\0b")),
    "a jti that is a number": lambda u: signed(claims("ehr", u, jti=7)),
    "a client with NUL": lambda u: signed(claims("e\0hr", u)),
    "a client with half a character": lambda u: signed(
        claims("ehr", u) | {"iss": "\ud800", "sub": "\ud800"}
    ),
    # the form of the JWT
    "claims are a list": lambda u: signed([1]),
    "claims are no JSON": lambda u: signed(b"{"),
    "a claim stands twice": lambda u: signed(
        b'{"iss":"ehr",' + json.dumps(claims("ehr", u)).encode()[1:]
    ),
    "deep claims": lambda u: signed(b'{"a":' + b"[" * 3000 + b"}"),
    "garbage": lambda u: "garbage",
    "dots": lambda u: "..",
    "not base64": lambda u: "a!.b!.c!",
    "not ASCII": lambda u: "ü.ü.ü",
    "NUL": lambda u: "\0.\0.\0",
    "huge": lambda u: "a" * 9000,
    "encrypted": lambda u: "a.b.c.d.e",
}


@pytest.mark.parametrize("attack", ATTACKS)
async def test_a_wrong_assertion_is_refused(http, attack):
    answer = await http.post("/oauth/token", data=form(ATTACKS[attack](http.url)))
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client"), answer.text
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "attack",
    ["signed by another key", "an unknown client", "a client without keys", "an unknown key"],
)
async def test_nobody_learns_whether_a_client_or_a_key_is_known(http, attack):
    answer = await http.post("/oauth/token", data=form(ATTACKS[attack](http.url)))
    assert answer.json()["error_description"] == UNKNOWN


async def test_the_right_audience_is_told(http):
    sent = signed(claims("ehr", "https://other.example/token"))
    answer = await http.post("/oauth/token", data=form(sent))
    assert http.url in answer.json()["error_description"]


async def test_an_assertion_is_good_once(http):
    sent = signed(claims("ehr", http.url, jti="once"))
    assert (await http.post("/oauth/token", data=form(sent))).status_code == 200
    again = await http.post("/oauth/token", data=form(sent))
    assert (again.status_code, again.json()["error"]) == (401, "invalid_client")
    assert "jti" in again.json()["error_description"]
    other = signed(claims("ehr", http.url, jti="once", exp=now() + 100), "RS384")
    assert (await http.post("/oauth/token", data=form(other))).status_code == 401


async def test_an_expired_note_of_an_assertion_goes_with_the_next_logins(http, database):
    for number in range(5):
        expires = NOW.replace(minute=number)
        assert await store.use_once(database, "ehr", f"old {number}", expires)
    sent = signed(claims("ehr", http.url))
    assert (await http.post("/oauth/token", data=form(sent))).status_code == 200
    rows = await database.fetch("SELECT expires_at FROM client_assertion")
    assert len(rows) == 1


@pytest.mark.parametrize(
    ("changed", "status", "error"),
    [
        ({"grant_type": ""}, 400, "invalid_request"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"client_assertion_type": ""}, 401, "invalid_client"),
        ({"client_assertion_type": "not_a_type"}, 401, "invalid_client"),
        ({"client_assertion": ""}, 400, "invalid_request"),
        ({"client_secret": "x"}, 400, "invalid_request"),
        ({"client_id": "staff-hpsm"}, 400, "invalid_request"),
        ({"scope": "nwd/decide"}, 400, "invalid_scope"),
    ],
)
async def test_a_wrong_request_says_what_is_wrong(http, changed, status, error):
    sent = {**form(signed(claims("ehr", http.url))), **changed}
    answer = await http.post("/oauth/token", data=sent)
    assert (answer.status_code, answer.json()["error"]) == (status, error)


async def test_a_secret_and_an_assertion_are_one_too_many(http):
    sent = form(signed(claims("ehr", http.url)))
    answer = await http.post("/oauth/token", data=sent, auth=("ehr", "x"))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_a_client_with_keys_alone_has_no_secret(http):
    for word in ("", "x"):
        answer = await http.post(
            "/oauth/token",
            data={"grant_type": "client_credentials", "client_id": "ehr", "client_secret": word},
        )
        assert answer.status_code == 401


async def test_a_client_asks_about_its_own_tokens_alone(http):
    got = await http.post("/oauth/token", data=form(signed(claims("ehr", http.url))))
    token = got.json()["access_token"]

    async def asked(of: str, data=None, **who):
        return await http.post("/oauth/introspect", data={"token": of, **(data or {})}, **who)

    by_key = form(signed(claims("ehr", http.url)))
    said = (await asked(token, data=by_key)).json()
    assert said["active"]
    assert (said["client_id"], said["scope"]) == ("ehr", "system/Task.rs")
    assert said["exp"] - said["iat"] == 300
    assert (await asked(token, auth=("hospital", "demo-hospital"))).json() == {"active": False}
    assert (await asked("garbage", auth=("hospital", "demo-hospital"))).json() == {"active": False}
    assert (await asked(token)).status_code == 401
    assert (await asked(token, auth=("hospital", "wrong"))).status_code == 401
    assert (await asked("", auth=("hospital", "demo-hospital"))).status_code == 400
