"""`POST /oauth/token` and `/oauth/introspect`, and SMART discovery.

A client sends client credentials (RFC 6749 4.4) and proves who it is (`app.api.authenticate`).
Errors of both endpoints are RFC 6749 JSON (`app.api.web.refusals.respond` chooses the form of an
error by the path).
"""

import time

import orjson
from fastapi import APIRouter, Request, Response

from app.api.authenticate import (
    NO_STORE,
    Peer,
    authenticate,
    bound_certificate,
    read_credentials,
    read_form,
    refuse_login,
)
from app.api.bearer import TokenRefused
from app.api.caller import DOCUMENTED_SCOPES
from app.api.contract.access import (
    DISCOVERY,
    DISCOVERY_RESPONSES,
    INTROSPECTION,
    INTROSPECTION_RESPONSES,
    TOKEN,
    TOKEN_RESPONSES,
)
from app.api.deployment import deployment
from app.api.login.assertion import ALGORITHMS
from app.api.login.certificate import shown_certificate
from app.api.web.gate import read_body
from app.model.caller import Caller, grant
from app.store.clients import Client

router = APIRouter()


@router.post(
    "/oauth/token",
    operation_id="requestToken",
    summary="Ask for an access token",
    tags=["Access"],
    responses=TOKEN_RESPONSES,
    openapi_extra=TOKEN,
)
async def request_token(request: Request) -> Response:
    """Client credentials: an assertion signed with the client's key, or its id and secret by HTTP
    Basic or in the form.

    `scope` may be left out (everything the client was granted); scopes that are unknown or were not
    granted are dropped, SMART v1 scopes are translated. The token is good for at most 300 seconds.
    """
    fields = read_form(await read_body(request))
    if "grant_type" not in fields:
        raise refuse_login(400, "invalid_request", "Send grant_type=client_credentials.")
    if fields["grant_type"] != "client_credentials":
        raise refuse_login(400, "unsupported_grant_type", "Send grant_type=client_credentials.")
    client = await _authenticated(request, fields)
    scopes, words = grant(fields.get("scope", ""), client.scopes)
    if not scopes:
        text = "None of these scopes was granted to this client."
        raise refuse_login(400, "invalid_scope", text)
    parts = deployment(request)
    tokens = parts.tokens
    holder = Caller(client.id, client.organization_id, client.plan, scopes, client.purpose)
    body = {
        "access_token": tokens.issue(
            holder,
            time.time(),
            series=client.series,
            certificate=bound_certificate(parts, client),
        ),
        "token_type": "bearer",
        "expires_in": tokens.lifetime_s,
        "scope": " ".join(words),
    }
    return Response(orjson.dumps(body), media_type="application/json", headers=NO_STORE)


@router.post(
    "/oauth/introspect",
    operation_id="introspectToken",
    summary="Ask what an access token is good for",
    tags=["Access"],
    responses=INTROSPECTION_RESPONSES,
    openapi_extra=INTROSPECTION,
)
async def introspect(request: Request) -> Response:
    """Token introspection (RFC 7662) of the caller's own tokens; the caller logs in as for a token.

    Of all other tokens it says no more than that they are not active.
    """
    fields = read_form(await read_body(request))
    if "token" not in fields:
        raise refuse_login(400, "invalid_request", "Send the token: `token=…`.")
    client = await _authenticated(request, fields)
    try:
        holder = deployment(request).tokens.holder(fields["token"], time.time())
    except TokenRefused:
        holder = None
    body: dict[str, object] = {"active": False}
    if holder is not None and holder.caller.client_id == client.id:
        base = deployment(request).settings.fhir_base
        body = {
            "active": True,
            "scope": " ".join(sorted(holder.caller.scopes)),
            "client_id": client.id,
            "sub": client.id,
            "token_type": "bearer",
            "iss": base,
            "aud": base,
            "iat": holder.issued,
            "exp": int(holder.expires),
            **({"cnf": {"x5t#S256": holder.certificate}} if holder.certificate else {}),
        }
    return Response(orjson.dumps(body), media_type="application/json", headers=NO_STORE)


async def _authenticated(request: Request, fields: dict[str, str]) -> Client:
    form = read_credentials(fields, request.headers.getlist("authorization"))
    parts = deployment(request)
    certificate = shown_certificate(request.scope, parts.settings.client_certificate_header)
    peer = Peer(request.client.host if request.client else "unknown", certificate)
    client = await authenticate(parts, form, peer)
    request.scope["state"]["client_id"] = client.id
    return client


@router.get(
    "/fhir/.well-known/smart-configuration",
    operation_id="readSmartConfiguration",
    summary="Discover how to authenticate",
    tags=["Access"],
    responses=DISCOVERY_RESPONSES,
    openapi_extra=DISCOVERY,
)
async def smart_configuration(request: Request) -> Response:
    """The SMART App Launch 2.2 discovery document: the token endpoint and what it supports.

    Readable by pages of any origin.
    """
    settings = deployment(request).settings
    body = {
        "token_endpoint": settings.token_url,
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": [
            "private_key_jwt",
            "client_secret_basic",
            "client_secret_post",
        ],
        "token_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "introspection_endpoint": settings.introspection_url,
        "scopes_supported": sorted(DOCUMENTED_SCOPES),
        "response_types_supported": [],
        "code_challenge_methods_supported": ["S256"],
        "capabilities": [
            "client-confidential-asymmetric",
            "client-confidential-symmetric",
            "permission-v1",
            "permission-v2",
        ],
    }
    headers = {"Access-Control-Allow-Origin": "*"}
    return Response(orjson.dumps(body), media_type="application/json", headers=headers)
