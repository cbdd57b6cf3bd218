"""What a request must look like before a handler sees it: headers, token, size, media types, JSON.

The body is read here, whole, bounded and inflated: handlers get it with `read_body`. A stranger's
body is drained and not kept. JSON that is not FHIR is read strictly here, once for all of it;
FHIR's is read by its handlers.
"""

from collections.abc import Callable
from urllib.parse import parse_qs

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.web.arrive import arrive, drain
from app.api.web.fields import combined
from app.api.web.heavy import Heavy
from app.api.web.media import JSON, check_accept, check_content, is_gzip, taken, wrong_encoding
from app.api.web.refusals import TOKEN_PATH, respond, wrong_method
from app.base.errors import Refusal, refuse
from app.fhir.r4.strict_json import Unreadable, parse

_LONGEST_TARGET = 8 * 1024
_LARGEST_HEADERS = 32 * 1024
_MOST_HEADERS = 100
#: A form with a client's id, secret and scopes.
_TOKEN_FORM = 64 * 1024
#: Of `/v1`, where nothing is long: the framework reads it within the loop.
_LARGEST_JSON = 256 * 1024


class Gate:
    """ASGI middleware: refuses what no handler should have to look at."""

    def __init__(self, app: ASGIApp, body_limit: int, is_stranger: Callable[[Scope], bool]) -> None:
        self._app = app
        self._limit = body_limit
        self._heavy = Heavy()
        self._is_stranger = is_stranger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            headers = _headers(scope)
            body = await self._body(scope, receive, headers)
        except Refusal as refusal:
            # Which media types a path takes is no matter where it does not take the method.
            told = wrong_method(scope) if refusal.status == 415 else None
            await respond(scope["path"], told or refusal)(scope, receive, send)
            return
        await self._heavy.answer(self._app, scope, _replay(body, receive), send, len(body))

    def _largest(self, scope: Scope) -> int:
        if scope["path"] == TOKEN_PATH:
            return _TOKEN_FORM
        return _LARGEST_JSON if taken(scope["method"], scope["path"]) == JSON else self._limit

    async def _body(self, scope: Scope, receive: Receive, headers: dict[bytes, bytes]) -> bytes:
        """What the handler gets; nothing where the door will refuse the caller."""
        if b"content-length" not in headers and b"transfer-encoding" not in headers:
            _check(scope, headers, b"")
            return b""
        limit = self._largest(scope)
        if self._is_stranger(scope):
            await drain(receive, limit)
            if told := wrong_method(scope):
                raise told
            _check(scope, headers, b"")
            return b""
        gzipped = is_gzip(headers.get(b"content-encoding", b"").decode("latin-1"))
        if gzipped is None:
            await drain(receive, limit)
            raise wrong_encoding()
        body = await arrive(receive, limit, gzipped=gzipped)
        _check(scope, headers, body)
        if body and taken(scope["method"], scope["path"]) == JSON:
            _check_json(body)
        return body


async def read_body(request: Request) -> bytes:
    """The body of a request: bounded, complete, inflated."""
    return await request.body()


def _replay(body: bytes, receive: Receive) -> Receive:
    """The body once, in one message; then whatever the connection says."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _headers(scope: Scope) -> dict[bytes, bytes]:
    """The headers by name; too much of them, or too long a target, is refused."""
    if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > _LONGEST_TARGET:
        raise refuse(414, "too-long", "The URL is too long. Search with POST to `_search` instead.")
    lines = scope["headers"]
    if sum(len(name) + len(value) for name, value in lines) > _LARGEST_HEADERS:
        raise refuse(431, "too-long", "The headers are too large.")
    if len(lines) > _MOST_HEADERS:
        raise refuse(431, "too-long", f"There are more than {_MOST_HEADERS} headers.")
    return combined(scope)


def _check(scope: Scope, headers: dict[bytes, bytes], body: bytes) -> None:
    path, query = scope["path"], scope["query_string"]
    asked = _formats(query) if b"_format" in query else []
    if path.endswith("/_search") and b"_format" in body:
        asked += _formats(body)
    check_accept(path, headers.get(b"accept", b"").decode("latin-1"), asked)
    if body:
        content_type = headers.get(b"content-type", b"").decode("latin-1")
        check_content(scope["method"], path, content_type)


def _formats(form: bytes) -> list[str]:
    try:
        return parse_qs(form.decode("latin-1"), max_num_fields=1000).get("_format", [])
    except ValueError:  # too many fields: whoever reads the form says so
        return []


def _check_json(body: bytes) -> None:
    """400 with every fault of a body that the framework would read as it likes (RFC 8259 4)."""
    try:
        parse(body)
    except Unreadable as unreadable:
        raise Refusal(400, unreadable.faults) from None
