"""Tokens that are not ours, no longer ours, or too much of ours are refused; ours are read."""

import base64
import json

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey

from app.api.bearer import TokenRefused, Tokens
from app.model.caller import Caller

NOW = 1_795_000_000.0
AUDIENCE = "https://referrals.example/fhir"
HOSPITAL = Caller("hospital", "org-h", None, frozenset({"system/ServiceRequest.crus"}))
CLAIMS = {
    "iss": AUDIENCE,
    "aud": AUDIENCE,
    "sub": "hospital",
    "org": "org-h",
    "plan": None,
    "scope": "system/ServiceRequest.crus",
    "iat": int(NOW),
    "exp": int(NOW) + 300,
    "jti": "1",
}


def tokens(*secrets: str, audience: str = AUDIENCE) -> Tokens:
    return Tokens(secrets or ("s" * 40,), audience)


OURS = tokens()
KID, KEY = OURS._signs, OURS._keys[OURS._signs]


def signed(claims=None, header=None, key=None, algorithm="HS256") -> str:
    """A token signed with our own key unless another is given."""
    head = {"alg": algorithm, "typ": "at+jwt", "kid": KID, **(header or {})}
    return jwt.encode(head, {**CLAIMS, **(claims or {})}, key or KEY, [algorithm])


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def without(name: str) -> str:
    claims = {key: value for key, value in CLAIMS.items() if key != name}
    return jwt.encode({"alg": "HS256", "typ": "at+jwt", "kid": KID}, claims, KEY, ["HS256"])


def tampered() -> str:
    head, _, signature = signed().split(".")
    return f"{head}.{part({**CLAIMS, 'scope': 'nwd/decide'})}.{signature}"


EMBEDDED = OctKey.import_key("the key of an attacker")

ATTACKS = {
    "empty": "",
    "garbage": "garbage",
    "three dots": "...",
    "not base64": "a!.b!.c!",
    "NUL": "\x00.\x00.\x00",
    "not ASCII": "ü.ü.ü",
    "lone surrogate": "\ud800.a.b",
    "algorithm none": f"{part({'alg': 'none', 'typ': 'at+jwt'})}.{part(CLAIMS)}.",
    "algorithm None": f"{part({'alg': 'None', 'typ': 'at+jwt'})}.{part(CLAIMS)}.",
    "no algorithm": f"{part({'typ': 'at+jwt'})}.{part(CLAIMS)}.c2ln",
    "unsigned": signed().rpartition(".")[0] + ".",
    "tampered claims": tampered(),
    "tampered signature": signed()[:-4] + "AAAA",
    "foreign secret": tokens("t" * 40).issue(HOSPITAL, NOW),
    "another deployment": tokens(audience="https://other.example/fhir").issue(HOSPITAL, NOW),
    "another algorithm of the same key": signed(algorithm="HS512"),
    "an asymmetric key of the attacker": signed(key=ECKey.generate_key("P-256"), algorithm="ES256"),
    "the setting itself as key": signed(key=OctKey.import_key("s" * 40)),
    "embedded key": signed(header={"jwk": EMBEDDED.as_dict()}, key=EMBEDDED),
    "another kind of JWT": signed(header={"typ": "JWT"}),
    "unknown critical header": signed(header={"crit": ["kid"]}),
    "unknown key": signed(header={"kid": "1"}),
    "key named by a list": f"{part({'alg': 'HS256', 'typ': 'at+jwt', 'kid': [KID]})}.e30.c2ln",
    "purpose that nobody has": signed({"purpose": "MARKT"}),
    "series as text": signed({"series": "1"}),
    "bound to no certificate": signed({"cnf": {}}),
    "header is a list": f"{part([1])}.{part(CLAIMS)}.c2ln",
    "claims are a list": f"{part({'alg': 'HS256', 'typ': 'at+jwt'})}.{part([1])}.c2ln",
    "lives too long": signed({"exp": int(NOW) + 301}),
    "issued in the future": signed({"iat": int(NOW) + 60, "exp": int(NOW) + 90}),
    "not good yet": signed({"nbf": int(NOW) + 60}),
    "not before a text": signed({"nbf": str(int(NOW))}),
    "expiry as text": signed({"exp": str(int(NOW) + 300)}),
    "expiry as a fraction": signed({"exp": NOW + 300.5}),
    "expiry is true": signed({"exp": True}),
    "no expiry": without("exp"),
    "no time of issue": without("iat"),
    "no audience": without("aud"),
    "several audiences": signed({"aud": [AUDIENCE, "https://other.example"]}),
    "no client": without("sub"),
    "another client": signed({"client_id": "staff-hpsm"}),
    "no organization": without("org"),
    "no scope": without("scope"),
    "scope as a list": signed({"scope": ["nwd/decide"]}),
    "plan as a number": signed({"plan": 7}),
    "huge": "a" * 5000,
    "deep claims": part({"alg": "HS256"}) + "." + "[" * 2000 + ".c2ln",
}


@pytest.mark.parametrize("token", ATTACKS.values(), ids=ATTACKS.keys())
def test_a_token_that_is_not_ours_is_refused(token):
    with pytest.raises(TokenRefused) as refused:
        tokens().verify(token, NOW)
    assert not refused.value.expired


def test_a_token_says_who_the_caller_is_and_what_it_may_do():
    staff = Caller("staff-hpsm", "plan-hpsm", "HPSM", frozenset({"system/*.cruds", "nwd/decide"}))
    ours = tokens()
    token = ours.issue(staff, NOW)
    assert ours.verify(token, NOW) == staff
    claims = jwt.decode(token, KEY, algorithms=["HS256"]).claims
    required = {"iss", "exp", "aud", "sub", "client_id", "iat", "jti"}  # RFC 9068 2.2
    assert required <= claims.keys()
    assert claims["client_id"] == claims["sub"] == "staff-hpsm"


def test_a_token_that_says_since_when_it_is_good_is_good_since_then():
    early = signed({"nbf": int(NOW) + 100})
    with pytest.raises(TokenRefused):
        tokens().verify(early, NOW)
    assert tokens().verify(early, NOW + 100).client_id == HOSPITAL.client_id


def test_processes_of_one_deployment_accept_each_others_tokens():
    assert tokens().verify(tokens().issue(HOSPITAL, NOW), NOW) == HOSPITAL


OLD, NEW = "old " * 10, "new " * 10


@pytest.mark.parametrize(
    ("issuer", "verifier", "good"),
    [
        ((OLD,), (NEW, OLD), True),  # the new one is there, the old one still verifies
        ((NEW, OLD), (NEW,), True),  # the old one is gone
        ((NEW, OLD), (OLD,), False),
        ((OLD,), (NEW,), False),
    ],
)
def test_signing_keys_rotate_with_overlap(issuer, verifier, good):
    token = tokens(*issuer).issue(HOSPITAL, NOW)
    if good:
        assert tokens(*verifier).verify(token, NOW) == HOSPITAL
        return
    with pytest.raises(TokenRefused):
        tokens(*verifier).verify(token, NOW)


def test_a_token_of_an_older_process_is_read():
    nameless = jwt.encode({"alg": "HS256", "typ": "at+jwt"}, CLAIMS, KEY, ["HS256"])
    assert tokens().verify(nameless, NOW) == HOSPITAL


def test_a_series_that_ended_takes_its_tokens_along():
    ours = tokens()
    first, second = (ours.issue(HOSPITAL, NOW, series=number) for number in (0, 1))
    ours.verify(first, NOW)  # remembered, and refused all the same
    ours.ended = {"hospital": 1, "practice": 7}
    assert ours.verify(second, NOW) == HOSPITAL
    with pytest.raises(TokenRefused) as refused:
        ours.verify(first, NOW)
    assert not refused.value.expired


def test_a_token_bound_to_a_certificate_is_good_with_it_alone():
    ours = tokens()
    bound = ours.issue(HOSPITAL, NOW, certificate="c" * 43)
    assert ours.verify(bound, NOW, "c" * 43) == HOSPITAL
    for shown in (None, "d" * 43):
        with pytest.raises(TokenRefused):
            ours.verify(bound, NOW, shown)


def test_a_caller_keeps_its_purpose():
    staff = Caller("s", "plan-hpsm", "HPSM", frozenset({"nwd/decide"}), "HPAYMT")
    assert tokens().verify(tokens().issue(staff, NOW), NOW) == staff


@pytest.mark.parametrize(("seconds", "good"), [(0, True), (299, True), (300, False), (4000, False)])
def test_a_token_is_good_for_three_hundred_seconds(seconds, good):
    ours = tokens()
    token = ours.issue(HOSPITAL, NOW)
    ours.verify(token, NOW)  # remembered, and still not good for longer
    if good:
        assert ours.verify(token, NOW + seconds) == HOSPITAL
        return
    with pytest.raises(TokenRefused) as refused:
        ours.verify(token, NOW + seconds)
    assert refused.value.expired


def test_an_expired_token_that_was_never_seen_is_expired_too():
    with pytest.raises(TokenRefused) as refused:
        tokens().verify(tokens().issue(HOSPITAL, NOW - 1000), NOW)
    assert refused.value.expired


def test_what_is_remembered_of_tokens_is_bounded():
    ours = tokens()
    for number in range(3000):
        ours.verify(signed({"jti": str(number)}), NOW)
    assert len(ours._known) == 2048
