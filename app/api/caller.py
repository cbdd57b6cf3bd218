"""The caller of a request, from the bearer token; and two checks of the caller's scopes.

A check needs no database: `app.api.bearer.Tokens` remembers a verified token until it expires.

`is_stranger` finds a request without a good token to a route that wants a token. The gate asks
before it reads the body, so that nobody but a client can make the service hold a body; the refusal
itself comes from the handler's own dependency (`caller` below).
"""

import time
from dataclasses import replace
from typing import Annotated

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant
from fastapi.openapi.models import OAuthFlowClientCredentials, OAuthFlows
from fastapi.security import OAuth2
from starlette.routing import Match
from starlette.types import Scope

from app.api.bearer import TokenRefused
from app.api.deployment import Deployment, deployment, deployment_of
from app.api.login.certificate import shown_certificate
from app.base.errors import Refusal, refuse
from app.model.caller import CLIENTS, DECIDE, NETWORK, ROSTER, Caller
from app.store.audit.access import known_as

REALM = 'Bearer realm="no-wrong-door"'

#: Scopes that the Authorize button of the interactive documentation offers.
DOCUMENTED_SCOPES = {
    "system/*.cruds": "Everything that the client was granted on FHIR resources",
    "system/ServiceRequest.crus": "Refer, read, search and take back",
    "system/Task.rus": "Read, search and move tasks",
    "system/ClaimResponse.rs": "Read and search authorizations",
    "system/Subscription.cruds": "Keep Subscriptions and webhook endpoints, and read deliveries",
    DECIDE: "Plan staff: decide referrals",
    ROSTER: "Plan staff: load the roster",
    NETWORK: "Plan staff: keep the network",
    CLIENTS: "Plan staff: register clients",
}


class _BearerScheme(OAuth2):
    """Reads the bearer token; in the contract, the security scheme of guarded operations."""

    async def __call__(self, request: Request) -> Caller:  # type: ignore[override]
        sent = request.headers.getlist("authorization")
        if len(sent) > 1:  # the service would have to guess which one counts
            raise refuse(400, "structure", "Send one Authorization header.")
        header = sent[0] if sent else None
        if header is None:
            raise _unauthorized("login", "Send an access token: `Authorization: Bearer …`.")
        kind, _, token = header.partition(" ")
        if kind.lower() != "bearer" or not token.strip():
            raise _unauthorized("login", "Send an access token: `Authorization: Bearer …`.")
        parts = deployment(request)
        try:
            holder = await _verified(parts, request.scope, token)
        except TokenRefused as refused:
            raise _refused(refused) from None
        request.scope["state"]["client_id"] = holder.client_id
        known = replace(holder, at=parts.clock.now())
        known_as(known)
        return known


caller = _BearerScheme(
    flows=OAuthFlows(
        clientCredentials=OAuthFlowClientCredentials(
            tokenUrl="/oauth/token", scopes=DOCUMENTED_SCOPES
        )
    ),
    scheme_name="client",
    description="Client credentials: a token from `/oauth/token` is good for five minutes.",
)

CallerDep = Annotated[Caller, Depends(caller)]


def require(caller: Caller, resource: str, letter: str) -> None:
    """Raises 403 unless a scope grants `letter` (c, r, u, d or s) on a FHIR resource type."""
    if not caller.may(resource, letter):
        raise _missing_scope(f"system/{resource}.{letter}")


def require_scope(caller: Caller, scope: str) -> None:
    """Raises 403 unless the caller has exactly this scope (`nwd/decide` …)."""
    if scope not in caller.scopes:
        raise _missing_scope(scope)


def _missing_scope(scope: str) -> Refusal:
    return refuse(
        403,
        "forbidden",
        f"This needs the scope {scope}, which your token does not carry.",
        WWW_Authenticate=f'{REALM}, error="insufficient_scope", scope="{scope}"',
    )


def _refused(refused: TokenRefused) -> Refusal:
    if refused.expired:
        text = "The access token has expired. Ask for a new one at /oauth/token."
        return _unauthorized("expired", text, error="invalid_token")
    text = "The access token is not valid here. Ask for a new one at /oauth/token."
    return _unauthorized("login", text, error="invalid_token")


def _unauthorized(code: str, text: str, error: str = "") -> Refusal:
    challenge = f'{REALM}, error="{error}"' if error else REALM
    return refuse(401, code, text, WWW_Authenticate=challenge)


async def is_stranger(scope: Scope) -> bool:
    """Tells whether the handler's dependencies will refuse the request."""
    return await holder_of(scope) is None and any(
        is_guarded(route.dependant)
        for route in scope["app"].routes
        if hasattr(route, "dependant") and route.matches(dict(scope))[0] is Match.FULL
    )


async def holder_of(scope: Scope) -> Caller | None:
    """The holder of the one good token of a request; None where there is none."""
    sent = [value for name, value in scope["headers"] if name == b"authorization"]
    kind, _, token = (sent[0] if len(sent) == 1 else b"").partition(b" ")
    if kind.lower() != b"bearer":
        return None
    try:
        return await _verified(deployment_of(scope["app"]), scope, token.decode("latin-1"))
    except TokenRefused:
        return None


async def _verified(parts: Deployment, scope: Scope, token: str) -> Caller:
    """The holder of a token of ours, on this connection, or of an outside issuer's.

    Raises `TokenRefused`.
    """
    certificate = shown_certificate(scope, parts.settings.client_certificate_header)
    try:
        return parts.tokens.verify(token.strip(), time.time(), certificate)
    except TokenRefused as refused:
        if refused.expired or not parts.settings.oidc_issuers:
            raise
    return await parts.outside.verify(token.strip(), time.time())


def is_guarded(dependant: Dependant) -> bool:
    """Tells whether a route wants a caller."""
    return dependant.call is caller or any(map(is_guarded, dependant.dependencies))
