"""Authenticates a client: by its secret, by an assertion that its key signed, by its certificate.

Whoever fails learns nothing about clients: an unknown one, one without keys and a wrong signature
get one answer, after as much work. Errors are those of RFC 6749 5.2. `Credentials` come with
the forms of the token endpoint and of introspection, and are not yet believed.
"""

import asyncio
import base64
import binascii
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import parse_qs, unquote_plus

from prometheus_client import Counter

from app.api.deployment import Deployment
from app.api.login.assertion import (
    LEEWAY_S,
    NOBODY,
    Assertion,
    AssertionRefused,
    is_signed_by,
    read_assertion,
)
from app.api.login.key_sets import FetchFailed
from app.api.login.public_keys import KeySet, key_for, read_keys
from app.api.tries import tries_limited
from app.base.errors import Issue, Refusal
from app.fhir.r4.codes import JWT_BEARER
from app.store.clients import Client, find, secret_matches, use_once

NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}
CHALLENGE = {"WWW-Authenticate": 'Basic realm="no-wrong-door"'}
_NOTHING_PROVEN = "Send the client's id and secret, or a client_assertion."
_ONE_WAY = "Log in in one way: with a secret or with an assertion."

_log = logging.getLogger(__name__)

REFUSED = Counter("nwd_logins_refused_total", "Refused logins of clients", ["way"])


@dataclass(frozen=True, slots=True)
class Credentials:
    """What came with a form to prove who the client is, in one of three ways."""

    client_id: str = ""
    secret: str = field(default="", repr=False)
    assertion: str = field(default="", repr=False)

    @property
    def way(self) -> str:
        """How the client logs in, as the metrics count it."""
        if self.assertion:
            return "assertion"
        return "secret" if self.secret else "certificate"


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end of the connection: its address, and the SHA-256 of the certificate
    that the proxy vouches for, if any.
    """

    address: str
    certificate: str | None = None


def refuse_login(
    status: int, error: str, text: str, headers: dict[str, str] | None = None
) -> Refusal:
    """Makes a refusal with an error code of RFC 6749 5.2."""
    issue = Issue("security", text, detail_code=error)
    return Refusal(status, (issue,), {**NO_STORE, **(headers or {})})


def read_form(body: bytes) -> dict[str, str]:
    """Reads the fields of a form. A field without a value counts as not sent (RFC 6749 3.2)."""
    try:
        fields = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=32)
    except ValueError as error:
        raise refuse_login(400, "invalid_request", "The form could not be read.") from error
    if any(len(values) > 1 for values in fields.values()):
        raise refuse_login(400, "invalid_request", "Send every field once (RFC 6749 3.2).")
    return {name: values[0] for name, values in fields.items() if values[0]}


def read_credentials(fields: dict[str, str], authorization: Sequence[str]) -> Credentials:
    """Reads a client's credentials, which come in one way only (RFC 6749 2.3)."""
    if len(authorization) > 1:
        raise refuse_login(400, "invalid_request", "Send one Authorization header.")
    if "client_assertion" in fields or "client_assertion_type" in fields:
        return _with_assertion(fields, authorization)
    client_id, secret = _secret(fields, authorization[0] if authorization else None)
    if "\x00" in client_id or "\x00" in secret:
        raise unknown_client()
    return Credentials(client_id, secret)


def _with_assertion(fields: dict[str, str], authorization: Sequence[str]) -> Credentials:
    if authorization or "client_secret" in fields:
        raise refuse_login(400, "invalid_request", _ONE_WAY)
    if fields.get("client_assertion_type") != JWT_BEARER:
        raise refuse_login(401, "invalid_client", f"Send client_assertion_type={JWT_BEARER}.")
    if "client_assertion" not in fields:
        raise refuse_login(400, "invalid_request", "Send client_assertion, a signed JWT.")
    return Credentials(fields.get("client_id", ""), assertion=fields["client_assertion"])


def _secret(fields: dict[str, str], authorization: str | None) -> tuple[str, str]:
    """The client's id and secret: from the header or the form, never both (RFC 6749 2.3)."""
    if authorization is not None:
        if "client_secret" in fields:
            raise refuse_login(
                400, "invalid_request", "Send the secret once: in the header or the form."
            )
        client_id, secret = _basic(authorization)
        if fields.get("client_id", client_id) != client_id:
            text = "`client_id` is not the client of the header."
            raise refuse_login(400, "invalid_request", text)
        return client_id, secret
    if "client_id" not in fields:
        raise refuse_login(401, "invalid_client", _NOTHING_PROVEN, CHALLENGE)
    return fields["client_id"], fields.get("client_secret", "")


def _basic(authorization: str) -> tuple[str, str]:
    """The id and secret of HTTP Basic. One blank or more follow the scheme (RFC 9110 11.4)."""
    kind, _, encoded = authorization.partition(" ")
    try:
        pair = base64.b64decode(encoded.strip(" \t"), validate=True).decode()
        name, colon, secret = pair.partition(":")
        name, secret = (unquote_plus(part, errors="strict") for part in (name, secret))
    except (binascii.Error, ValueError):
        kind, name, colon, secret = "", "", "", ""
    if kind.lower() != "basic" or not colon:
        text = "Send the client's id and secret."
        raise refuse_login(401, "invalid_client", text, CHALLENGE)
    return name, secret


def unknown_client() -> Refusal:
    """Makes the one answer to whoever is not known, or has not proven who it is."""
    text = "The client is not known, or its secret or key is not."
    return refuse_login(401, "invalid_client", text, CHALLENGE)


async def authenticate(parts: Deployment, form: Credentials, connection: Peer) -> Client:
    """Finds the client that a form's credentials prove. Raises 401, with one text for all.

    A client with a registered certificate must show it, however it logs in, and may log in with it
    alone; where nobody vouches for certificates (`CLIENT_CERTIFICATE_HEADER`) none counts.
    """
    client: Client | None = None
    try:
        if not (form.assertion or form.secret or connection.certificate):
            raise refuse_login(401, "invalid_client", _NOTHING_PROVEN, CHALLENGE)
        assertion = _read_assertion(parts, form) if form.assertion else None
        claimed = assertion.client_id if assertion else form.client_id
        async with tries_limited(parts, claimed, connection.address):
            client = await _found(parts, claimed)
            if assertion is not None:
                await _prove_by_assertion(parts, client, assertion)
            elif form.secret or not (client and client.keys.certificate and connection.certificate):
                await _prove_by_secret(client, form.secret)
            wanted = bound_certificate(parts, client) if client else None
            if client is None or (wanted is not None and wanted != connection.certificate):
                raise unknown_client()
    except Refusal as refusal:
        if refusal.status == 401:
            _note(form, client, connection)
        raise
    return client


def bound_certificate(parts: Deployment, client: Client) -> str | None:
    """Returns the certificate without which the client's tokens are not good (RFC 8705 3)."""
    return client.keys.certificate if parts.settings.client_certificate_header else None


def _note(form: Credentials, client: Client | None, connection: Peer) -> None:
    """Counts and logs a refused login: of a name that is no client's, not even the name."""
    REFUSED.labels(form.way).inc()
    fields = {"client": client.id if client else "unknown", "peer": connection.address}
    _log.warning("login refused", extra=fields)


async def _found(parts: Deployment, client_id: str) -> Client | None:
    production = parts.settings.environment == "production"
    return await find(parts.database, client_id, production=production, now=datetime.now(UTC))


async def _prove_by_secret(client: Client | None, secret: str) -> None:
    # In a thread: scrypt is slow, and runs for unknown clients too.
    hashes = client.secret_hashes if client else ()
    if not await asyncio.to_thread(secret_matches, secret, hashes):
        raise unknown_client()


def _read_assertion(parts: Deployment, form: Credentials) -> Assertion:
    try:
        assertion = read_assertion(form.assertion, parts.settings.token_url, time.time())
    except AssertionRefused as fault:
        raise refuse_login(401, "invalid_client", str(fault)) from None
    if form.client_id and form.client_id != assertion.client_id:
        text = "`client_id` is not the client of the assertion."
        raise refuse_login(400, "invalid_request", text)
    return assertion


async def _prove_by_assertion(
    parts: Deployment, client: Client | None, assertion: Assertion
) -> None:
    keys = await _keys(parts, client, assertion) if client else ()
    key = key_for(keys, assertion.kid, assertion.algorithm)
    signed = is_signed_by(assertion, key or NOBODY[assertion.algorithm])
    if client is None or key is None or not signed:
        raise unknown_client()
    expires = datetime.fromtimestamp(assertion.expires + LEEWAY_S, UTC)
    if not await use_once(parts.database, client.id, assertion.jti, expires):
        text = "This assertion was used before: make a new one, with a new `jti`, for each login."
        raise refuse_login(401, "invalid_client", text)


async def _keys(parts: Deployment, client: Client, assertion: Assertion) -> KeySet:
    """The client's registered keys; none where they cannot be had, or `jku` names other ones."""
    url = client.keys.jwks_uri
    if assertion.jku is not None and assertion.jku != url:
        return ()
    if url is not None:
        try:
            return await parts.key_sets.find(
                client.organization_id, url, assertion.kid, assertion.algorithm
            )
        except FetchFailed:
            return ()
    return read_keys(client.keys.jwks.encode()) if client.keys.jwks else ()
