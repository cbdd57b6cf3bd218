"""The outermost layer of every request: ids, standing response headers, log line, metrics.

Every answer, errors included, echoes the ids of its request. `request.state.request_id` and
`request.state.correlation_id` hold the ids for code that writes history or messages. HEAD is
answered here for every route, as GET without the body. The log line names the route's template,
never a path value, a query or a body. An exception that no handler catches becomes a 500 without
details: its class and frames are logged; its message is not, because a message may quote a payload.
"""

import logging
import re
import time
from functools import cache
from typing import Any

from prometheus_client import Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.web.refusals import respond
from app.base.errors import refuse
from app.base.ids import new_id

log = logging.getLogger("app.request")

HeaderFields = list[tuple[bytes, bytes]]

_ID = re.compile(rb"[\w.\-:]{1,128}")
#: What no id may contain, because logs show ids: a CIN (9 and eight more) or a Social Security
#: number. An id of hexadecimal digits alone is random, and may look like one by chance.
_PERSONAL = re.compile(rb"(?<![0-9])(?:9[0-9]{6}[0-9A-Za-z][A-Za-z]|[0-9]{3}-[0-9]{2}-[0-9]{4})")
_RANDOM = re.compile(rb"[0-9A-Fa-f]{32}|[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
#: Headers of every answer that does not set them itself: nobody stores it, frames it, or finds a
#: script in it.
STANDING = [
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
]
#: Of a service behind TLS: browsers come by TLS alone for two years (RFC 6797).
_BY_TLS = (b"strict-transport-security", b"max-age=63072000")


class Envelope:
    """ASGI middleware without a framework's base class: it costs a request microseconds."""

    def __init__(self, app: ASGIApp, *, by_tls: bool = False) -> None:
        self._app = app
        self._standing = [*STANDING, _BY_TLS] if by_tls else STANDING

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        if scope["path"].endswith("/"):  # clients send paths with and without a last slash
            scope["path"] = scope["path"][:-1] or "/"
        state = scope.setdefault("state", {})
        state["request_id"], state["correlation_id"] = _ids(scope)
        method: str = scope["method"]
        if method == "HEAD":  # a copy: the server leaves the body out, too, by its own scope
            scope = {**scope, "method": "GET"}
        answer = _Answer(send, _echo(state), self._standing, empty=method == "HEAD")
        try:
            await self._app(scope, receive, answer.send)
        except Exception as error:  # noqa: BLE001 - the last place to answer from
            _log_error(scope, error)
            if not answer.status:
                await _answer_500(scope, receive, answer.send)
        _log_and_count(scope, method, answer.status, time.perf_counter() - began)


class _Answer:
    """Adds the standing headers to an answer, and remembers the status of the answer.

    `empty`: sends the headers without a body.
    """

    def __init__(
        self, send: Send, headers: HeaderFields, standing: HeaderFields, *, empty: bool = False
    ) -> None:
        self._send = send
        self._headers = headers
        self._standing = standing
        self._empty = empty
        self.status = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            given = message.setdefault("headers", [])
            names = {name.lower() for name, _ in given}
            message["headers"] = [
                *given,
                *self._headers,
                *(header for header in self._standing if header[0] not in names),
            ]
        elif self._empty:
            message = {**message, "body": b""}
        await self._send(message)


def _ids(scope: Scope) -> tuple[str, str | None]:
    """The caller's request and correlation ids where they may be logged; else a new request id."""
    request = correlation = None
    for name, value in scope["headers"]:
        if name == b"x-request-id" and may_be_logged(value):
            request = value.decode("ascii")
        elif name == b"x-correlation-id" and may_be_logged(value):
            correlation = value.decode("ascii")
    return request or new_id(), correlation


def may_be_logged(id_: bytes) -> bool:
    """Tells whether an id is short and plain, and contains no number of a person."""
    if not _ID.fullmatch(id_):
        return False
    return bool(_RANDOM.fullmatch(id_)) or not _PERSONAL.search(id_)


def _echo(state: dict[str, Any]) -> HeaderFields:
    headers = [(b"x-request-id", state["request_id"].encode())]
    if state["correlation_id"]:
        headers.append((b"x-correlation-id", state["correlation_id"].encode()))
    return headers


def route_template(scope: Scope) -> str:
    """The route's template: `/fhir/ServiceRequest/{id}`; `unmatched` for a path without route."""
    template: str = getattr(scope.get("route"), "path_format", None) or "unmatched"
    return template


def _log_and_count(scope: Scope, method: str, status: int, seconds: float) -> None:
    route, state = route_template(scope), scope["state"]
    observe(method, route, status, seconds)
    log.info(
        "request",
        extra={
            "request_id": state["request_id"],
            "correlation_id": state["correlation_id"],
            "method": method,
            "route": route,
            "status": status,
            "ms": round(seconds * 1000, 2),
            "client": state.get("client_id"),
        },
    )


def _log_error(scope: Scope, error: Exception) -> None:
    log.error(
        "unexpected",
        extra={"request_id": scope["state"]["request_id"], "route": route_template(scope)},
        exc_info=error,
    )


async def _answer_500(scope: Scope, receive: Receive, send: Send) -> None:
    text = "The service failed on this request. If it fails again, tell us its X-Request-ID."
    await respond(scope["path"], refuse(500, "exception", text))(scope, receive, send)


_REQUESTS = Counter("nwd_requests_total", "Requests answered", ["method", "route", "status"])
_SECONDS = Histogram(
    "nwd_request_seconds",
    "Time to answer",
    ["method", "route"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)

METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})


def observe(method: str, route: str, status: int, seconds: float) -> None:
    """Counts one answered request. Unknown methods share one label, so that labels stay few."""
    counter, histogram = _series(method if method in METHODS else "other", route, status)
    counter.inc()
    histogram.observe(seconds)


@cache
def _series(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    """The series of these labels, cached: finding a series costs more than counting."""
    return _REQUESTS.labels(method, route, status), _SECONDS.labels(method, route)
