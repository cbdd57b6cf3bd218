"""What a request must look like before a handler sees it: headers, token, size, media types, JSON.

The body is read here, whole, bounded and inflated: handlers get it with `read_body`. A stranger's
body is drained and not kept. JSON that is not FHIR is read strictly here, once for all of it;
FHIR's is read by its handlers.

Header fields as RFC 9110 has them: lists on several lines are one list, other fields come once.

`Host` must be there and be a host: it is looked at here and builds no link (`PUBLIC_URL` does).

Requests with large bodies, one at a time: each until its answer begins.

So neither memory nor the database's connections are used up by them, and the garbage collector,
which would walk over all that such a body holds, can rest meanwhile: those are trees, which go with
their request without its help.

How a body arrives: bounded in size and time, inflated as it comes, drained where it is refused.

A plain client writes all of its body before it reads the answer, so that what is refused is read to
its end, up to 32 MB, and not kept.
"""

import asyncio
import gc
import re
import zlib
from collections.abc import Callable
from urllib.parse import parse_qs

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.web.media import JSON, check_accept, check_content, is_gzip, taken, wrong_encoding
from app.api.web.refusals import TOKEN_PATH, respond, wrong_method
from app.base.errors import Refusal, refuse
from app.base.heavy_work import SMALL, mark_if_heavy
from app.fhir.r4.strict_json import UnreadableJson, parse

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
        """What the handler gets; nothing where the caller will be refused."""
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
    except UnreadableJson as unreadable:
        raise Refusal(400, unreadable.faults) from None


Lines = list[tuple[bytes, bytes]]

#: Fields that are lists: each further line goes on with the list (RFC 9110 5.3).
_LISTS = frozenset(
    {
        b"accept", b"accept-charset", b"accept-encoding", b"accept-language", b"cache-control",
        b"connection", b"content-encoding", b"if-match", b"if-none-match", b"prefer", b"te",
    }
)  # fmt: skip
#: Which of two such lines is meant would be a guess.
_SINGLE = frozenset(
    {b"host", b"content-type", b"content-length", b"if-none-exist", b"idempotency-key"}
)
_HOST = re.compile(rb"(?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")


def combined(scope: Scope) -> dict[bytes, bytes]:
    """The fields by name; the scope's own lines are put together in the same way. 400: see above.

    Lines of other names stay as they are; the last one stands here.
    """
    found: dict[bytes, bytes] = {}
    lines: Lines = scope["headers"]
    repeated = False
    for name, value in lines:
        if name in found:
            if name in _SINGLE:
                raise refuse(400, "structure", f"Send one {name.decode().title()} header.")
            if name in _LISTS:
                repeated = True
                found[name] += b", " + value
                continue
        found[name] = value
    if repeated:
        others = [line for line in lines if line[0] not in _LISTS]
        scope["headers"] = others + [line for line in found.items() if line[0] in _LISTS]
    _check_host(scope, found.get(b"host"))
    return found


def _check_host(scope: Scope, host: bytes | None) -> None:
    if host is None and scope.get("http_version") == "1.0":
        return  # HTTP/1.0 knows no Host: probes of load balancers
    if host is None or not _HOST.fullmatch(host.strip()):
        raise refuse(400, "structure", "Send one Host header: a host name, with its port if any.")


#: How many may wait, and how long.
_MOST_WAITING = 30
_LONGEST_WAIT_S = 30.0


class Heavy:
    """The one place for a heavy request, and those who wait for it."""

    def __init__(self) -> None:
        self._place = asyncio.Semaphore(1)
        self._waiting = 0

    async def answer(
        self, app: ASGIApp, scope: Scope, receive: Receive, send: Send, size: int
    ) -> None:
        """Answers by `app`: at once where the body is small, else in its turn."""
        if size <= SMALL:
            await app(scope, receive, send)
            return
        if not await self._enter():
            said = "Many large bodies are being read just now. Send this one again in a moment."
            refusal = refuse(503, "transient", said, Retry_After="5")
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
            leave()  # the work is done: a slow reader keeps nobody waiting
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


#: How much of a body that is not taken is read before the answer.
_DRAINED = 32 * 1024 * 1024
#: How long a body may take to arrive.
_BODY_WAIT_S = 30.0
_GZIP = 16 + zlib.MAX_WBITS


class _Plain:
    """Keeps a body as it is sent, up to a limit."""

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
    """Inflates one gzip member; makes no more than the limit of it, whatever it would become."""

    def __init__(self, limit: int) -> None:
        self._plain = _Plain(limit)
        self._room = limit + 1
        self._stream = zlib.decompressobj(_GZIP)
        self._broken = False

    def take(self, part: bytes) -> None:
        if self._broken or self._room <= 0 or not part:
            return
        if self._stream.eof:  # a second member, or anything else
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
            said = "The body is not one complete gzip member. Compress it again, or send it plain."
            raise refuse(400, "structure", said)
        return body


async def arrive(receive: Receive, limit: int, *, gzipped: bool = False) -> bytes:
    """The body, whole. 413 beyond the limit, also of what gzip makes of it; 408 where it stops."""
    kept = _Inflated(limit) if gzipped else _Plain(limit)
    sent = await _pass(receive, kept, limit)
    if sent > limit:
        # Past the drained part the connection cannot be used again.
        raise _too_large(limit, closing=sent > _DRAINED)
    return kept.whole()


async def drain(receive: Receive, limit: int) -> None:
    """Reads a body of somebody who may not send one, and keeps nothing; 413 beyond the limit."""
    sent = await _pass(receive, _Nothing(), limit)
    if sent > limit:
        raise _too_large(limit, closing=sent > _DRAINED)


class _Nothing:
    """Keeps nothing."""

    def take(self, part: bytes) -> None:
        """Lets it go."""


async def _pass(receive: Receive, kept: _Plain | _Inflated | _Nothing, limit: int) -> int:
    """Hands on every part of a body until its end, or until it is far too large; its size."""
    try:
        async with asyncio.timeout(_BODY_WAIT_S):
            return await _parts(receive, kept, limit)
    except TimeoutError:
        said = "The body stopped arriving. Send the request again."
        raise refuse(408, "timeout", said, Connection="close") from None


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
        said = f"The body is larger than {kilobytes} KB."
    else:
        said = f"The body is larger than {kilobytes // 1024} MB. Send large documents by reference."
    return refuse(413, "too-long", said, **({"Connection": "close"} if closing else {}))
