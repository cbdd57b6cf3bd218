"""What a request must look like before a handler sees it: size, media types, encoding, Accept.

The body is read here, whole, and bounded: handlers get it with `read_body`. A body over the limit
is drained up to 32 MB before the answer, because a plain client writes all of it before it reads.
"""

import asyncio
from urllib.parse import parse_qs

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import Refusal, refuse
from app.fhir.outcome import respond, wrong_method
from app.web.heavy import Heavy
from app.web.media import check_accept, check_content

#: How much of a body that is too large is read before the answer.
_DRAINED = 32 * 1024 * 1024
#: How long a body may take to arrive.
_BODY_WAIT_S = 30.0
_LONGEST_TARGET = 8 * 1024
_LARGEST_HEADERS = 32 * 1024


class Gate:
    """ASGI middleware: refuses what no handler should have to look at."""

    def __init__(self, app: ASGIApp, body_limit: int) -> None:
        self._app = app
        self._limit = body_limit
        self._heavy = Heavy()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            headers = _headers(scope)
            body = await self._body(receive, headers)
            _check(scope, headers, body)
        except Refusal as refusal:
            # Which media types a path takes is no matter where it does not take the method.
            told = wrong_method(scope) if refusal.status == 415 else None
            await respond(scope["path"], told or refusal)(scope, receive, send)
            return
        await self._heavy.answer(self._app, scope, _replay(body, receive), send, len(body))

    async def _body(self, receive: Receive, headers: dict[bytes, bytes]) -> bytes:
        if b"content-length" not in headers and b"transfer-encoding" not in headers:
            return b""
        try:
            async with asyncio.timeout(_BODY_WAIT_S):
                return await _collect(receive, self._limit)
        except TimeoutError:
            raise refuse(
                408,
                "timeout",
                "The body stopped arriving. Send the request again.",
                Connection="close",
            ) from None


async def read_body(request: Request) -> bytes:
    """The body of a request: bounded, complete, as sent."""
    return await request.body()


async def _collect(receive: Receive, limit: int) -> bytes:
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise refuse(400, "structure", "The body ended early. Send the request again.")
        part = message.get("body", b"")
        size += len(part)
        if size <= limit:
            parts.append(part)
        elif size > _DRAINED:
            break
        more = message.get("more_body", False)
    if size > limit:
        megabytes = limit // (1024 * 1024)
        said = f"The body is larger than {megabytes} MB. Send large documents by reference."
        # Past the drained part the connection cannot be used again.
        closing = {"Connection": "close"} if more else {}
        raise refuse(413, "too-long", said, **closing)
    return parts[0] if len(parts) == 1 else b"".join(parts)


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
    if sum(len(name) + len(value) for name, value in scope["headers"]) > _LARGEST_HEADERS:
        raise refuse(431, "too-long", "The headers are too large.")
    return dict(scope["headers"])


def _check(scope: Scope, headers: dict[bytes, bytes], body: bytes) -> None:
    if headers.get(b"content-encoding", b"identity").strip().lower() != b"identity":
        raise refuse(415, "not-supported", "Send the body without a Content-Encoding.")
    path, query = scope["path"], scope["query_string"]
    asked = parse_qs(query.decode("latin-1")).get("_format", []) if b"_format" in query else []
    check_accept(path, headers.get(b"accept", b"").decode("latin-1"), asked)
    if body:
        content_type = headers.get(b"content-type", b"").decode("latin-1")
        check_content(scope["method"], path, content_type)
