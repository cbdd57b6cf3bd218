"""The hook of the record: every access that was answered, or refused, leaves its rows first.

ASGI middleware round all routes. What a request reached is noted while it is answered
(`app.store.audit.access`); here the rows are committed before the answer leaves. If they cannot be,
the answer is 503 instead: nothing is read without a record of it. What a move's own statement has
recorded already is not recorded again.

A route with a caller is recorded, unless it stands in `UNRECORDED`: it then shows nothing about a
member by itself. Even there a refusal of the caller is recorded, and whatever was noted.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.caller import is_guarded
from app.api.capability import KEY
from app.api.deployment import deployment_of
from app.api.web.refusals import LOGIN_PATHS, respond
from app.base.errors import Refusal
from app.fhir.reference import is_id
from app.store.audit.access import CURRENT, Access, Interaction

#: Beginnings of paths that show nothing about a member, each with the reason.
UNRECORDED: Mapping[str, str] = {
    "/fhir/Organization": "the network; a referral's copy of one is noted when it is read",
    "/fhir/HealthcareService": "the network",
    "/fhir/Questionnaire/": "the forms, which are the plans'",
    "/fhir/Subscription": "what a client wants to be told; its $events are noted",
    "/v1/catalog": "the plans' published rules",
    "/v1/clients": "who may ask; kept in the history of clients",
    "/v1/organization-proposals": "the network",
    "/v1/reports": "figures; of a list of referrals, its referrals are noted",
    "/v1/webhook-endpoints": "what a client wants to be told; the messages shown are noted",
}
#: Refusals of the caller, or of what it may not see.
_REFUSED = (401, 403, 404)


class Recorder:
    """The middleware; it stands within `Envelope`, which has set the ids of the request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        clock, peer = deployment_of(scope["app"]).clock, scope.get("client")
        access = Access(
            now=clock.now,
            interaction=lambda: interaction_of(scope),
            request_id=scope["state"]["request_id"],
            address=peer[0] if peer else None,
        )
        CURRENT.set(access)
        await self._app(scope, receive, _Recorded(scope, receive, send, access).send)


class _Recorded:
    """Holds an answer back until its access is recorded."""

    __slots__ = ("_access", "_receive", "_replaced", "_scope", "_send")

    def __init__(self, scope: Scope, receive: Receive, send: Send, access: Access) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._access = access
        self._replaced = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            status = message["status"]
            if is_recorded(self._scope, self._access, status):
                try:
                    await self._record(status, message)
                except Refusal as refusal:
                    self._replaced = True
                    answer = respond(self._scope["path"], refusal)
                    await answer(self._scope, self._receive, self._send)
        if not self._replaced:
            await self._send(message)

    async def _record(self, status: int, message: Message) -> None:
        access, scope = self._access, self._scope
        parts = deployment_of(scope["app"])
        if parts.started is None:  # without a database nothing of a member was shown
            return
        rows = access.rows(status, _named(scope, access.interaction(), message))
        await parts.record.write(rows)


def is_recorded(scope: Scope, access: Access, status: int) -> bool:
    """Tells whether an answer with this status leaves rows that nobody has written yet."""
    route: Any = scope.get("route")
    dependant = getattr(route, "dependant", None)
    if scope["path"] in LOGIN_PATHS:  # somebody failed to log in
        access.actor = scope["state"].get("client_id")
        return status == 401
    if dependant is None or not is_guarded(dependant):
        return False
    if status == 401:  # without a token nobody has tried anything
        return any(name == b"authorization" for name, _ in scope["headers"])
    if status >= 400:
        protected = not unrecorded(route.path_format)
        return status in _REFUSED and (protected or status == 403)
    if access.written:
        return False
    return bool(access.by_plan) or not unrecorded(route.path_format)


def unrecorded(path: str) -> bool:
    """Tells whether a route, by its template, shows nothing about a member by itself."""
    return f"{path}/".startswith(tuple(UNRECORDED))


_LOCATED = re.compile(r"/fhir/([A-Za-z]+)/([A-Za-z0-9.-]{1,64})(?:/_history/|$)")
_INTERACTIONS: dict[tuple[str, str], Interaction] = {}


def interaction_of(scope: Scope) -> Interaction:
    """Names what a request does: its interaction or operation in FHIR, else its operation id."""
    route: Any = scope.get("route")
    key = (scope["method"], getattr(route, "path_format", ""))
    known = _INTERACTIONS.get(key)
    if known is None:
        known = _INTERACTIONS[key] = _named_by(route)
    return known


def _named_by(route: Any) -> Interaction:
    if route is None:
        return Interaction("unknown")
    meaning = (route.openapi_extra or {}).get(KEY, {})
    name = (
        meaning.get("interaction") or meaning.get("operation") or route.operation_id or route.name
    )
    return Interaction(name, meaning.get("type"))


def _named(scope: Scope, done: Interaction, message: Message) -> str | None:
    """Names the resource that the answer locates; or that the path names, if it could be one."""
    for name, value in message.get("headers", ()):
        if name == b"location" and (located := _LOCATED.search(value.decode("latin-1"))):
            return f"{located[1]}/{located[2]}"
    path: Mapping[str, str] = scope.get("path_params") or {}
    id_ = unquote(path.get("id", ""))
    return f"{path.get('kind') or done.kind or 'ServiceRequest'}/{id_}" if is_id(id_) else None
