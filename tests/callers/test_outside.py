"""Tokens of an outside issuer: what they open here is what the setting says, and no more."""

import json
import time

import httpx
import pytest
from joserfc.jwk import ECKey, RSAKey

from app.api.bearer import TokenRefused
from app.api.outside import OutsideTokens
from app.base.settings import Settings
from app.main import create_app
from tests.callers.signer import part, signed
from tests.deployed import start
from tests.receiver import Receiver, Reply

NOW = int(time.time())
KEYS = {
    "RS256": RSAKey.generate_key(2048, {"kid": "one"}),
    "ES256": ECKey.generate_key("P-256", {"kid": "two"}),
    "ES384": ECKey.generate_key("P-384", {"kid": "three"}),
}
KEYS["RS384"] = KEYS["RS256"]
OTHER = ECKey.generate_key("P-256", {"kid": "two"})
AUDIENCE = "https://referrals.example/fhir"


@pytest.fixture
async def idp():
    """An issuer with its discovery document and key set; `said` may change."""
    async with Receiver() as receiver:
        receiver.issuer = f"http://{receiver.target}/realm"
        receiver.said = {"issuer": receiver.issuer, "jwks_uri": receiver.url("keys")}
        published = {key.kid: key.as_dict(private=False) for key in KEYS.values()}

        def answer(one) -> Reply:
            told = {"keys": list(published.values())}
            if one.path.endswith("openid-configuration"):
                told = receiver.said
            return Reply(200, body=json.dumps(told).encode())

        receiver.answer = answer
        yield receiver


def configured(idp, **more) -> Settings:
    issuer = {
        "name": "idp",
        "issuer": idp.issuer,
        "audience": AUDIENCE,
        "organizations": {
            "harbor": {"organization": "org-harbor-lantern"},
            "hpsm": {"organization": "plan-hpsm", "plan": "HPSM"},
        },
        "scopes": ["system/Task.rs", "nwd/decide"],
        **more,
    }
    return Settings(oidc_issuers=json.dumps([issuer]), public_url="https://referrals.example")


def token(idp, algorithm="ES256", key=None, header=None, **changed) -> str:
    said = {
        "iss": idp.issuer,
        "aud": AUDIENCE,
        "sub": "5",
        "azp": "ehr",
        "organization": "harbor",
        "scope": "openid system/Task.cruds system/ServiceRequest.crus",
        "iat": NOW,
        "exp": NOW + 600,
        **changed,
    }
    said = {name: value for name, value in said.items() if value is not None}
    key = key or KEYS[algorithm]
    return signed(said, algorithm, key, **{"kid": key.kid, **(header or {})})


@pytest.mark.parametrize("algorithm", KEYS)
async def test_a_token_means_what_the_setting_says(idp, algorithm):
    outside = OutsideTokens(configured(idp))
    caller = await outside.verify(token(idp, algorithm), NOW)
    assert (caller.client_id, caller.organization_id) == ("idp:ehr", "org-harbor-lantern")
    assert (caller.plan, caller.purpose, caller.scopes) == (None, "TREAT", {"system/Task.rs"})
    plan = await outside.verify(
        token(idp, algorithm, organization="hpsm", scope=["nwd/decide", "nwd/roster"]), NOW
    )
    assert (plan.plan, plan.purpose, plan.scopes) == ("HPSM", "HPAYMT", {"nwd/decide"})
    assert len(idp.received) == 2  # the documents are kept


WRONG = {
    "another audience": {"aud": "https://other.example"},
    "no audience": {"aud": None},
    "another issuer": {"iss": "https://other.example"},
    "an organization that is not listed": {"organization": "plan-hpsm"},
    "an organization that is a list": {"organization": ["harbor"]},
    "no organization": {"organization": None},
    "no client": {"azp": None},
    "a client of many characters": {"azp": "x" * 101},
    "a client with a line end": {"azp": "a\nb"},
    "no scope": {"scope": None},
    "an empty scope": {"scope": ""},
    "scopes of nothing": {"scope": [" ", ""]},
    "an empty list of scopes": {"scope": []},
    "scopes of numbers": {"scope": [1]},
    "no expiry": {"exp": None},
    "expiry as text": {"exp": str(NOW + 60)},
    "issued in the future": {"iat": NOW + 60},
    "not good yet": {"nbf": NOW + 60},
    "signed by another": {"key": OTHER},
    "an unknown key": {"header": {"kid": "four"}},
    "no key": {"header": {"kid": None}},
    "a key of another kind": {"header": {"kid": "one"}},
    "an unknown critical header": {"header": {"crit": ["x"], "x": 1}},
    "another kind of JWT": {"header": {"typ": "logout+jwt"}},
}


@pytest.mark.parametrize("wrong", WRONG)
async def test_a_wrong_token_is_refused(idp, wrong):
    with pytest.raises(TokenRefused):
        await OutsideTokens(configured(idp)).verify(token(idp, **WRONG[wrong]), NOW)


@pytest.mark.parametrize("text", ["", "a.b", "ü.ü.ü", "a" * 9000, f"{part([1])}.{part({})}.a"])
async def test_what_is_no_token_is_refused_without_asking_anybody(idp, text):
    with pytest.raises(TokenRefused):
        await OutsideTokens(configured(idp)).verify(text, NOW)
    assert idp.received == []


async def test_a_token_is_taken_for_an_hour_at_most(idp):
    outside = OutsideTokens(configured(idp))
    long = token(idp, exp=NOW + 86_400)
    assert await outside.verify(long, NOW + 3599)
    with pytest.raises(TokenRefused) as refused:
        await outside.verify(long, NOW + 3600)
    assert refused.value.expired


@pytest.mark.parametrize(
    "said",
    [
        {"issuer": "https://other.example"},
        {"jwks_uri": "http://127.0.0.1:1/keys"},
        {"jwks_uri": "https://10.0.0.1/keys"},
        {"jwks_uri": 7},
        {"jwks_uri": None},
    ],
)
async def test_a_discovery_document_that_is_not_the_issuers_counts_for_nothing(idp, said):
    idp.said |= said
    outside = OutsideTokens(configured(idp))
    for _ in range(3):
        with pytest.raises(TokenRefused):
            await outside.verify(token(idp), NOW)
    assert len(idp.received) == 1


@pytest.mark.parametrize(
    "wrong",
    ["{", '{"name": "idp"}', '[{"name": "idp"}]', '[{"name": "idp", "issuer": "ftp://x"}]'],
)
def test_a_wrong_setting_is_refused_without_being_quoted(wrong):
    with pytest.raises(ValueError, match="JSON list") as refused:
        Settings(oidc_issuers=wrong)
    assert "ftp" not in str(refused.value)


async def test_a_caller_of_an_outside_issuer_reads_and_others_do_not(
    idp, database, database_settings
):
    chosen = configured(idp).model_copy(update={"database_url": database_settings.database_url})
    for settings, status in ((chosen, 200), (chosen.model_copy(update={"oidc_issuers": ""}), 401)):
        app = create_app(settings)
        start(app, database)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
            bearer = {"Authorization": f"Bearer {token(idp)}"}
            assert (await http.get("/fhir/Task", headers=bearer)).status_code == status
            wrong = {"Authorization": f"Bearer {token(idp, key=OTHER)}"}
            assert (await http.get("/fhir/Task", headers=wrong)).status_code == 401
