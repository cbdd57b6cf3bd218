"""The caller of a request, from its bearer token; and the two questions a handler asks about it.

No database: a verified token is remembered until it expires (`token.Tokens`).

Whether a request comes from a stranger: without a good token, to a route that wants one.

Asked before a body is read, so that nobody but a client can make the service hold one. The refusal
itself comes from the handler's own dependencies (`caller` below).
"""

import time
from typing import Annotated

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant
from fastapi.openapi.models import OAuthFlowClientCredentials, OAuthFlows
from fastapi.security import OAuth2
from starlette.routing import Match
from starlette.types import Scope

from app.api.bearer import TokenRefused
from app.api.deployment import deployment, deployment_of
from app.base.errors import Refusal, refuse
from app.model.caller import DECIDE, NETWORK, ROSTER, Caller

REALM = 'Bearer realm="no-wrong-door"'

#: What the Authorize button of the interactive documentation offers.
DOCUMENTED_SCOPES = {
    "system/*.cruds": "Everything that the client was granted on FHIR resources",
    "system/ServiceRequest.crus": "Refer, read, search and take back",
    "system/Task.rus": "Read, search and move tasks",
    "system/ClaimResponse.rs": "Read and search authorizations",
    "system/Subscription.cruds": "Keep Subscriptions and webhook endpoints, and read deliveries",
    DECIDE: "Plan staff: decide referrals",
    ROSTER: "Plan staff: load the roster",
    NETWORK: "Plan staff: keep the network",
}


class _Door(OAuth2):
    """Reads the bearer token, and documents itself as the security scheme of guarded operations."""

    async def __call__(self, request: Request) -> Caller:  # type: ignore[override]
        sent = request.headers.getlist("authorization")
        if len(sent) > 1:  # which of them is meant would be a guess
            raise refuse(400, "structure", "Send one Authorization header.")
        header = sent[0] if sent else None
        if header is None:
            raise _unauthorized("login", "Send an access token: `Authorization: Bearer …`.")
        kind, _, token = header.partition(" ")
        if kind.lower() != "bearer" or not token.strip():
            raise _unauthorized("login", "Send an access token: `Authorization: Bearer …`.")
        known = deployment(request).tokens
        try:
            found = known.verify(token.strip(), time.time())
        except TokenRefused as refused:
            raise _refused(refused) from None
        request.scope["state"]["client_id"] = found.client_id
        return found


caller = _Door(
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
    """403 unless a scope grants `letter` (c, r, u, d or s) on a FHIR resource type."""
    if not caller.may(resource, letter):
        raise _short(f"system/{resource}.{letter}")


def require_scope(caller: Caller, scope: str) -> None:
    """403 unless the caller was granted this very scope (`nwd/decide` …)."""
    if scope not in caller.scopes:
        raise _short(scope)


def _short(scope: str) -> Refusal:
    return refuse(
        403,
        "forbidden",
        f"This needs the scope {scope}, which your token does not carry.",
        WWW_Authenticate=f'{REALM}, error="insufficient_scope", scope="{scope}"',
    )


def _refused(refused: TokenRefused) -> Refusal:
    if refused.expired:
        said = "The access token has expired. Ask for a new one at /oauth/token."
        return _unauthorized("expired", said, error="invalid_token")
    said = "The access token is not valid here. Ask for a new one at /oauth/token."
    return _unauthorized("login", said, error="invalid_token")


def _unauthorized(code: str, said: str, error: str = "") -> Refusal:
    challenge = f'{REALM}, error="{error}"' if error else REALM
    return refuse(401, code, said, WWW_Authenticate=challenge)


def is_stranger(scope: Scope) -> bool:
    """True where the handler's dependencies will refuse the request."""
    return not _has_token(scope) and any(
        _is_guarded(route.dependant)
        for route in scope["app"].routes
        if hasattr(route, "dependant") and route.matches(dict(scope))[0] is Match.FULL
    )


def _has_token(scope: Scope) -> bool:
    sent = [value for name, value in scope["headers"] if name == b"authorization"]
    kind, _, token = (sent[0] if len(sent) == 1 else b"").partition(b" ")
    if kind.lower() != b"bearer":
        return False
    known = deployment_of(scope["app"]).tokens
    try:
        known.verify(token.decode("latin-1").strip(), time.time())
    except TokenRefused:
        return False
    return True


def _is_guarded(dependant: Dependant) -> bool:
    return dependant.call is caller or any(map(_is_guarded, dependant.dependencies))
