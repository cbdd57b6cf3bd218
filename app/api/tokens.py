"""`POST /oauth/token` and SMART discovery, with their place in the contract.

A client sends client credentials with a client secret, by HTTP Basic or in the form (RFC 6749
2.3.1, 4.4). Errors of the token endpoint are RFC 6749 JSON (`app.api.web.refusals.respond` chooses
the form of an error by the path).
"""

import asyncio
import base64
import binascii
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote_plus

import orjson
from fastapi import APIRouter, Request, Response

from app.api.bearer import Tokens
from app.api.caller import DOCUMENTED_SCOPES
from app.api.contract.responses import errors
from app.api.deployment import deployment
from app.api.web.gate import read_body
from app.base.errors import Issue, Refusal
from app.model.caller import Caller, grant
from app.store.clients import find, secret_matches

# The contract: forms, answers, examples

_TOKEN_ERRORS = {
    400: ("invalid_request", "The form cannot be read, or asks for what was never granted."),
    401: ("invalid_client", "The client or its secret is not known."),
    408: ("invalid_request", "The body did not arrive in time."),
    413: ("invalid_request", "The body is larger than 64 KB."),
    415: ("invalid_request", "The body is not a form in UTF-8."),
    503: ("temporarily_unavailable", "The database is away; `Retry-After` says when to come back."),
}


def _text(description: str) -> dict[str, Any]:
    """The schema of a text, with a description of its own.

    openapi-generator merges equal schemas: without descriptions all texts would share one type,
    with the description of any of them.
    """
    return {"type": "string", "description": description}


_ERROR_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "RFC 6749 5.2",
    "required": ["error"],
    "properties": {
        "error": _text("A code of RFC 6749 5.2."),
        "error_description": _text("What to do."),
    },
}

_TOKEN_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["access_token", "token_type", "expires_in", "scope"],
    "properties": {
        "access_token": _text("To be sent as `Authorization: Bearer`."),
        "token_type": {"type": "string", "const": "bearer"},
        "expires_in": {
            "type": "integer",
            "minimum": 1,
            "maximum": 300,
            "description": "Seconds that it is good for.",
        },
        "scope": _text("What it carries, separated by spaces."),
    },
}


def _error(code: str, description: str) -> dict[str, Any]:
    example = {"error": code, "error_description": description}
    content = {"application/json": {"schema": _ERROR_SCHEMA, "example": example}}
    return {"description": description, "content": content}


TOKEN_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The token, how long it is good for, and what it carries.",
        "content": {
            "application/json": {
                "schema": _TOKEN_SCHEMA,
                "example": {
                    "access_token": "eyJhbGciOiJIUzI1NiIsInR5cCI6ImF0K2p3dCJ9.e30.c2ln",
                    "token_type": "bearer",
                    "expires_in": 300,
                    "scope": "system/ServiceRequest.crus system/Task.crus",
                },
            }
        },
    },
    **{status: _error(*error) for status, error in _TOKEN_ERRORS.items()},
}

TOKEN: dict[str, Any] = {
    "security": [],
    "requestBody": {
        "required": True,
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "object",
                    "required": ["grant_type"],
                    "properties": {
                        "grant_type": {"type": "string", "const": "client_credentials"},
                        "client_id": _text("Yours, where it is not sent as HTTP Basic."),
                        "client_secret": {"type": "string", "format": "password"},
                        "scope": {"type": "string", "description": "Space-separated"},
                    },
                },
                "example": {
                    "grant_type": "client_credentials",
                    "client_id": "hospital",
                    "client_secret": "demo-hospital",
                },
            }
        },
    },
}

DISCOVERY: dict[str, Any] = {"security": []}

_STRINGS: dict[str, Any] = {"type": "array", "items": {"type": "string"}}
DISCOVERY_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The discovery document.",
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": [
                        "token_endpoint",
                        "grant_types_supported",
                        "capabilities",
                        "code_challenge_methods_supported",
                    ],
                    "properties": {
                        "token_endpoint": {"type": "string", "format": "uri"},
                        "grant_types_supported": _STRINGS,
                        "token_endpoint_auth_methods_supported": _STRINGS,
                        "scopes_supported": _STRINGS,
                        "response_types_supported": _STRINGS,
                        "code_challenge_methods_supported": _STRINGS,
                        "capabilities": _STRINGS,
                    },
                },
                "example": {
                    "token_endpoint": "https://referrals.example/oauth/token",
                    "grant_types_supported": ["client_credentials"],
                    "token_endpoint_auth_methods_supported": [
                        "client_secret_basic",
                        "client_secret_post",
                    ],
                    "code_challenge_methods_supported": ["S256"],
                    "capabilities": [
                        "client-confidential-symmetric",
                        "permission-v1",
                        "permission-v2",
                    ],
                },
            }
        },
    },
    **errors(405),
}


# The routes

router = APIRouter()

_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}
_CHALLENGE = {"WWW-Authenticate": 'Basic realm="no-wrong-door"'}


@dataclass(frozen=True, slots=True)
class _TokenRequest:
    """The credentials of a client, and the scopes asked for."""

    client_id: str
    secret: str
    scope: str


@router.post(
    "/oauth/token",
    operation_id="requestToken",
    summary="Ask for an access token",
    tags=["Access"],
    responses=TOKEN_RESPONSES,
    openapi_extra=TOKEN,
)
async def request_token(request: Request) -> Response:
    """Client credentials: the client's id and secret by HTTP Basic or in the form.

    `scope` may be left out (everything the client was granted); scopes that are unknown or were not
    granted are dropped, SMART v1 scopes are translated. The token is good for at most 300 seconds.
    """
    sent = _read_request(await read_body(request), request.headers.getlist("authorization"))
    settings = deployment(request).settings
    production = settings.environment == "production"
    client = await find(deployment(request).database, sent.client_id, production=production)
    # In a thread: scrypt is slow, and runs for unknown clients too.
    matched = await asyncio.to_thread(
        secret_matches, sent.secret, client.secret_hash if client else None
    )
    if client is None or not matched:
        raise _unknown_client()
    scopes, words = grant(sent.scope, client.scopes)
    if not scopes:
        raise _refuse(400, "invalid_scope", "None of these scopes was granted to this client.")
    request.scope["state"]["client_id"] = client.id
    holder = Caller(client.id, client.organization_id, client.plan, scopes)
    return _answer(deployment(request).tokens, holder, words)


def _answer(tokens: Tokens, holder: Caller, words: list[str]) -> Response:
    body = {
        "access_token": tokens.issue(holder, time.time()),
        "token_type": "bearer",
        "expires_in": tokens.lifetime_s,
        "scope": " ".join(words),
    }
    return Response(orjson.dumps(body), media_type="application/json", headers=_NO_STORE)


def _read_request(body: bytes, authorization: list[str]) -> _TokenRequest:
    """Reads the form and the `Authorization` headers. Raises the errors of RFC 6749."""
    form = _form(body)
    if "grant_type" not in form:
        raise _refuse(400, "invalid_request", "Send grant_type=client_credentials.")
    if form["grant_type"] != "client_credentials":
        raise _refuse(400, "unsupported_grant_type", "Send grant_type=client_credentials.")
    if len(authorization) > 1:
        raise _refuse(400, "invalid_request", "Send one Authorization header.")
    client_id, secret = _credentials(form, authorization[0] if authorization else None)
    if "\x00" in client_id or "\x00" in secret:
        raise _unknown_client()
    return _TokenRequest(client_id, secret, form.get("scope", ""))


def _form(body: bytes) -> dict[str, str]:
    """The fields of the form. A field without a value counts as not sent (RFC 6749 3.2)."""
    try:
        fields = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=32)
    except ValueError as error:
        raise _refuse(400, "invalid_request", "The form could not be read.") from error
    if any(len(values) > 1 for values in fields.values()):
        raise _refuse(400, "invalid_request", "Send every field once (RFC 6749 3.2).")
    return {name: values[0] for name, values in fields.items() if values[0]}


def _credentials(form: dict[str, str], authorization: str | None) -> tuple[str, str]:
    """The client's id and secret: from the header or the form, never both (RFC 6749 2.3)."""
    if authorization is not None:
        if "client_secret" in form:
            raise _refuse(
                400, "invalid_request", "Send the secret once: in the header or the form."
            )
        client_id, secret = _basic(authorization)
        if form.get("client_id", client_id) != client_id:
            raise _refuse(400, "invalid_request", "`client_id` is not the client of the header.")
        return client_id, secret
    if "client_id" not in form or "client_secret" not in form:
        raise _refuse(401, "invalid_client", "Send the client's id and secret.", _CHALLENGE)
    return form["client_id"], form["client_secret"]


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
        raise _refuse(401, "invalid_client", "Send the client's id and secret.", _CHALLENGE)
    return name, secret


def _unknown_client() -> Refusal:
    return _refuse(401, "invalid_client", "The client or its secret is not known.", _CHALLENGE)


def _refuse(status: int, error: str, text: str, headers: dict[str, str] | None = None) -> Refusal:
    issue = Issue("security", text, detail_code=error)
    return Refusal(status, (issue,), {**_NO_STORE, **(headers or {})})


@router.get(
    "/fhir/.well-known/smart-configuration",
    operation_id="readSmartConfiguration",
    summary="Discover how to authenticate",
    tags=["Access"],
    responses=DISCOVERY_RESPONSES,
    openapi_extra=DISCOVERY,
)
async def smart_configuration(request: Request) -> Response:
    """The SMART App Launch 2.2 discovery document: the token endpoint and what it supports."""
    settings = deployment(request).settings
    body = {
        "token_endpoint": settings.public_url.rstrip("/") + "/oauth/token",
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "scopes_supported": sorted(DOCUMENTED_SCOPES),
        "response_types_supported": [],
        "code_challenge_methods_supported": ["S256"],
        "capabilities": ["client-confidential-symmetric", "permission-v1", "permission-v2"],
    }
    return Response(orjson.dumps(body), media_type="application/json")
