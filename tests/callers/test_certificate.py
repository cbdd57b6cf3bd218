"""Mutual TLS behind a proxy: whoever registered a certificate is nobody without it."""

import base64
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from app.api.login.certificate import thumbprint
from app.main import create_app
from app.store import clients as store
from app.store.clients import NewClient, PublicKeys, register
from tests.callers.test_door import FORM, NOW, furnish
from tests.deployed import start

HEADER = "Client-Cert"


def certificate(name: str) -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    at = datetime.now(UTC)
    made = x509.CertificateBuilder().subject_name(who).issuer_name(who).public_key(key.public_key())
    made = made.serial_number(7).not_valid_before(at).not_valid_after(at + timedelta(days=1))
    return made.sign(key, hashes.SHA256())


OURS, OTHER = certificate("ehr.example"), certificate("other.example")


def pem(one: x509.Certificate) -> str:
    return quote(one.public_bytes(Encoding.PEM).decode())


def rfc_9440(one: x509.Certificate) -> str:
    return f":{base64.b64encode(one.public_bytes(Encoding.DER)).decode()}:"


@pytest.fixture
def service(database, database_settings, monkeypatch):
    """Opens the service with the option on or off; its client `ehr` registered a certificate."""

    async def opened(header: str) -> httpx.AsyncClient:
        monkeypatch.setattr(store, "_N", 16)
        await furnish(database)
        new = NewClient(
            "ehr",
            "org-h",
            ["system/Task.rs"],
            "TREAT",
            keys=PublicKeys(certificate=thumbprint(OURS)),
            with_secret=True,
        )
        _, secret = await register(database, new, NOW)
        app = create_app(database_settings.model_copy(update={"client_certificate_header": header}))
        start(app, database)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        http = httpx.AsyncClient(transport=transport, base_url="http://test")
        http.secret = secret
        return http

    return opened


def log_in(http, shown, secret: str | None = None):
    data = {**FORM, "client_id": "ehr", **({"client_secret": secret} if secret else {})}
    return http.post("/oauth/token", data=data, headers=shown)


@pytest.mark.parametrize("written", [pem, rfc_9440])
async def test_a_certificate_logs_in_and_its_tokens_are_good_with_it_alone(service, written):
    async with await service(HEADER) as http:
        shown, other = {HEADER: written(OURS)}, {HEADER: written(OTHER)}
        got = await log_in(http, shown)
        assert got.status_code == 200, got.text
        bearer = {"Authorization": f"Bearer {got.json()['access_token']}"}
        asked = [
            (await http.get("/fhir/Task", headers={**bearer, **more})).status_code
            for more in (shown, {}, other, {HEADER: "garbage"})
        ]
        assert asked == [200, 401, 401, 401]
        twice = [(HEADER, written(OURS)), (HEADER, written(OURS)), *bearer.items()]
        assert (await http.get("/fhir/Task", headers=twice)).status_code == 401
        unread = await http.post("/fhir/ServiceRequest", headers={**bearer, **other}, content="x")
        assert unread.status_code == 401


async def test_without_its_certificate_neither_secret_nor_name_is_enough(service):
    async with await service(HEADER) as http:
        for shown in ({}, {HEADER: pem(OTHER)}, {HEADER: ""}, {HEADER: "a" * 9000}):
            assert (await log_in(http, shown)).status_code == 401
            assert (await log_in(http, shown, http.secret)).status_code == 401
        assert (await log_in(http, {HEADER: pem(OURS)}, http.secret)).status_code == 200
        assert (await log_in(http, {HEADER: pem(OURS)}, "wrong")).status_code == 401


async def test_nobody_vouches_for_a_header_while_the_option_is_off(service):
    async with await service("") as http:
        assert (await log_in(http, {HEADER: pem(OURS)})).status_code == 401
        got = await log_in(http, {}, http.secret)
        assert got.status_code == 200
        bearer = {"Authorization": f"Bearer {got.json()['access_token']}"}
        assert (await http.get("/fhir/Task", headers=bearer)).status_code == 200
