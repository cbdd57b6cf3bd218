"""The gate before every handler: checks headers, token, size, media types and JSON of a request.

Header fields follow RFC 9110: a list on several lines is one list, other fields come once. `Host`
must be sent and be a host name; it builds no link (`PUBLIC_URL` does).

The gate reads the whole body, bounded in size and time, and inflates it as it arrives; handlers
get the body with `read_body`. The body of a caller without a good token is read and dropped. A
plain client writes its whole body before it reads the answer, so a refused body is read to its end,
up to 32 MB, and dropped. JSON that is not FHIR is parsed strictly here; handlers parse FHIR.

Requests with large bodies are answered one at a time, each until its answer begins, so that they
use up neither memory nor the database's connections. The garbage collector rests meanwhile: it
would walk over everything that such a body holds, although these trees are freed with their
request without its help.
"""

import asyncio
import gc
import re
import zlib
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.web.media import (
    FORM,
    JSON,
    check_accept,
    check_content,
    is_gzip,
    taken,
    wrong_encoding,
)
from app.api.web.refusals import respond, wrong_method
from app.base.errors import Refusal, refuse
from app.base.heavy_work import SMALL, mark_if_heavy
from app.fhir.r4.strict_json import UnreadableJson, parse

_LONGEST_TARGET = 8 * 1024
_LARGEST_HEADERS = 32 * 1024
_MOST_HEADERS = 100
#: Bytes of a form: of a search, or of a client's id, secret and scopes.
_LARGEST_FORM = 64 * 1024
#: Bytes of a `/v1` body; none is long, for the framework reads it on the event loop.
_LARGEST_JSON = 256 * 1024


class Gate:
    """ASGI middleware: refuses requests that no handler should have to look at."""

    def __init__(
        self, app: ASGIApp, body_limit: int, is_stranger: Callable[[Scope], Awaitable[bool]]
    ) -> None:
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
            # A path that does not take the method takes no media type: 405 comes before 415.
            not_taken = wrong_method(scope) if refusal.status == 415 else None
            await respond(scope["path"], not_taken or refusal)(scope, receive, send)
            return
        await self._heavy.answer(self._app, scope, _replay(body, receive), send, len(body))

    def _largest(self, scope: Scope) -> int:
        types = taken(scope["method"], scope["path"])
        if types == FORM:
            return _LARGEST_FORM
        return _LARGEST_JSON if types == JSON else self._limit

    async def _body(self, scope: Scope, receive: Receive, headers: dict[bytes, bytes]) -> bytes:
        """The body for the handler; empty where the caller will be refused."""
        if b"content-length" not in headers and b"transfer-encoding" not in headers:
            _check(scope, headers, b"")
            return b""
        limit = self._largest(scope)
        if await self._is_stranger(scope):
            await drain(receive, limit)
            if not_taken := wrong_method(scope):
                raise not_taken
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
    """Gives the body once, in one message; then the messages of the connection."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _headers(scope: Scope) -> dict[bytes, bytes]:
    """The headers by name. 414 for too long a target, 431 for too many or too large headers."""
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
    except ValueError:  # too many fields: the handler that reads the form refuses them
        return []


def _check_json(body: bytes) -> None:
    """Raises 400 with every fault of a JSON body, such as a repeated name (RFC 8259 4).

    The framework would accept such a body, and read it in its own way.
    """
    try:
        parse(body)
    except UnreadableJson as unreadable:
        raise Refusal(400, unreadable.faults) from None


# The header fields

Lines = list[tuple[bytes, bytes]]

#: Fields whose value is a list, which each further line continues (RFC 9110 5.3).
_LISTS = frozenset(
    {
        b"accept", b"accept-charset", b"accept-encoding", b"accept-language", b"cache-control",
        b"connection", b"content-encoding", b"if-match", b"if-none-match", b"prefer", b"te",
    }
)  # fmt: skip
#: Fields that may come once: of two lines the service would have to guess one.
_SINGLE = frozenset(
    {b"host", b"content-type", b"content-length", b"if-none-exist", b"idempotency-key"}
)
_HOST = re.compile(rb"(?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")


def combined(scope: Scope) -> dict[bytes, bytes]:
    """The header fields by name. The lines of a list are joined, in `scope` as well.

    400 where a field of `_SINGLE` comes twice, or `Host` is no host. Of any other repeated field
    `scope` keeps every line, and the result has the last line.
    """
    fields: dict[bytes, bytes] = {}
    lines: Lines = scope["headers"]
    repeated = False
    for name, value in lines:
        if name in fields:
            if name in _SINGLE:
                raise refuse(400, "structure", f"Send one {name.decode().title()} header.")
            if name in _LISTS:
                repeated = True
                fields[name] += b", " + value
                continue
        fields[name] = value
    if repeated:
        others = [line for line in lines if line[0] not in _LISTS]
        scope["headers"] = others + [line for line in fields.items() if line[0] in _LISTS]
    _check_host(scope, fields.get(b"host"))
    return fields


def _check_host(scope: Scope, host: bytes | None) -> None:
    if host is None and scope.get("http_version") == "1.0":
        return  # HTTP/1.0 has no Host: probes of load balancers send none
    if host is None or not _HOST.fullmatch(host.strip()):
        raise refuse(400, "structure", "Send one Host header: a host name, with its port if any.")


# Large bodies: one at a time

#: How many large requests may wait, and for how many seconds.
_MOST_WAITING = 30
_LONGEST_WAIT_S = 30.0


class Heavy:
    """The one place for a request with a large body, and the requests that wait for it."""

    def __init__(self) -> None:
        self._place = asyncio.Semaphore(1)
        self._waiting = 0

    async def answer(
        self, app: ASGIApp, scope: Scope, receive: Receive, send: Send, size: int
    ) -> None:
        """Answers by `app`: a small body at once, a large body in turn; 503 for too long a wait."""
        if size <= SMALL:
            await app(scope, receive, send)
            return
        if not await self._enter():
            text = "Many large bodies are being read just now. Send this one again in a moment."
            refusal = refuse(503, "transient", text, Retry_After="5")
            await respond(scope["path"], refusal)(scope, receive, send)
            return
        left = False

        def leave() -> None:
            nonlocal left
            if not left:
                left = True
                gc.enable()
                self._place.release()

        async def sending(message: Message) -> None:
            leave()  # the work is done: other requests need not wait for a slow reader
            await send(message)

        mark_if_heavy(size)
        try:
            await app(scope, receive, sending)
        finally:
            leave()

    async def _enter(self) -> bool:
        if self._waiting >= _MOST_WAITING:
            return False
        self._waiting += 1
        try:
            async with asyncio.timeout(_LONGEST_WAIT_S):
                await self._place.acquire()
        except TimeoutError:
            return False
        finally:
            self._waiting -= 1
        gc.disable()
        return True


# The arrival of a body

#: Bytes of a refused body that are read before the answer.
_DRAINED = 32 * 1024 * 1024
#: Seconds that a body may take to arrive.
_BODY_WAIT_S = 30.0
_GZIP = 16 + zlib.MAX_WBITS


class _Plain:
    """Keeps a body as sent, up to `limit` bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self.size = 0

    def take(self, part: bytes) -> None:
        self.size += len(part)
        if self.size <= self._limit:
            self._parts.append(part)
        else:
            self._parts.clear()

    def whole(self) -> bytes:
        if self.size > self._limit:
            raise _too_large(self._limit)
        return self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)


class _Inflated:
    """Inflates one gzip member, up to one byte beyond `limit`, however large the rest is."""

    def __init__(self, limit: int) -> None:
        self._plain = _Plain(limit)
        self._room = limit + 1
        self._stream = zlib.decompressobj(_GZIP)
        self._broken = False

    def take(self, part: bytes) -> None:
        if self._broken or self._room <= 0 or not part:
            return
        if self._stream.eof:  # a second member, or other bytes
            self._broken = True
            return
        try:
            made = self._stream.decompress(part, self._room)
        except zlib.error:
            self._broken = True
            return
        self._room -= len(made)
        self._plain.take(made)
        self._broken = bool(self._stream.unused_data)

    def whole(self) -> bytes:
        body = self._plain.whole()
        if self._broken or not self._stream.eof:
            text = "The body is not one complete gzip member. Compress it again, or send it plain."
            raise refuse(400, "structure", text)
        return body


async def arrive(receive: Receive, limit: int, *, gzipped: bool = False) -> bytes:
    """Reads the whole body. 413 beyond `limit`, inflated too; 408 where the body stops arriving."""
    kept = _Inflated(limit) if gzipped else _Plain(limit)
    sent = await _pass(receive, kept, limit)
    if sent > limit:
        # Bytes beyond `_DRAINED` stay unread: the connection cannot be used again.
        raise _too_large(limit, closing=sent > _DRAINED)
    return kept.whole()


async def drain(receive: Receive, limit: int) -> None:
    """Reads and drops the body of a caller who may not send one; 413 beyond `limit`."""
    sent = await _pass(receive, _Nothing(), limit)
    if sent > limit:
        raise _too_large(limit, closing=sent > _DRAINED)


class _Nothing:
    """Drops a body."""

    def take(self, part: bytes) -> None:
        """Drops a part."""


async def _pass(receive: Receive, kept: _Plain | _Inflated | _Nothing, limit: int) -> int:
    """Hands every part of a body to `kept`, to the end or `_DRAINED` bytes. Returns the size."""
    try:
        async with asyncio.timeout(_BODY_WAIT_S):
            return await _parts(receive, kept, limit)
    except TimeoutError:
        text = "The body stopped arriving. Send the request again."
        raise refuse(408, "timeout", text, Connection="close") from None


async def _parts(receive: Receive, kept: _Plain | _Inflated | _Nothing, limit: int) -> int:
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise refuse(400, "structure", "The body ended early. Send the request again.")
        part = message.get("body", b"")
        size += len(part)
        if size > max(limit, _DRAINED):
            break
        kept.take(part)
        more = message.get("more_body", False)
    return size


def _too_large(limit: int, *, closing: bool = False) -> Refusal:
    kilobytes = limit // 1024
    if kilobytes < 1024:
        text = f"The body is larger than {kilobytes} KB."
    else:
        text = f"The body is larger than {kilobytes // 1024} MB. Send large documents by reference."
    return refuse(413, "too-long", text, **({"Connection": "close"} if closing else {}))
