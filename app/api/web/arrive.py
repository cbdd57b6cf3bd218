"""How a body arrives: bounded in size and time, inflated as it comes, drained where it is refused.

A plain client writes all of its body before it reads the answer, so that what is refused is read to
its end, up to 32 MB, and not kept.
"""

import asyncio
import zlib

from starlette.types import Receive

from app.base.errors import Refusal, refuse

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
