"""A connection as the server keeps it: how many there are, how long and large a head may be.

What the HTTP parser refuses never reaches the application, so that its OperationOutcome is written
here. A head (request line and headers) has ten seconds and 64 KB; what the application itself takes
of it is `gate.py`'s. A connection beyond the limit is answered 503 and closed. Who is answered
before all was read is given the time to read the answer.
"""

from asyncio import TimerHandle, Transport, get_running_loop
from collections.abc import Callable
from typing import Any

import httptools
import orjson
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from app.base.errors import Issue
from app.base.ids import new_id
from app.fhir.outcome import FHIR_JSON, operation_outcome

#: A head that is honest arrives in one packet or two.
HEAD_WAIT_S = 10.0
_LARGEST_HEAD = 64 * 1024
#: What a client goes on sending after its answer is thrown away for so long.
LINGER_S = 5.0


class Lingering:
    """A transport whose `close` loses no answer (RFC 9112, 9.6).

    A socket that is closed with bytes unread is reset, and what was answered may be lost on the
    way. While `more_comes`, our half alone is closed; what still arrives nobody reads, and the rest
    is closed when the client ends, or after `linger_s`.
    """

    def __init__(
        self, transport: Transport, linger_s: float, more_comes: Callable[[], bool]
    ) -> None:
        self._transport = transport
        self._linger_s = linger_s
        self._more_comes = more_comes
        self._ending = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        return self._ending or self._transport.is_closing()

    def write(self, data: bytes) -> None:
        if not self._ending:
            self._transport.write(data)

    def close(self) -> None:
        if self.is_closing():
            return
        if not (self._more_comes() and self._transport.can_write_eof()):
            self._transport.close()
            return
        self._ending = True
        self._transport.write_eof()
        if not self._transport.is_reading():
            self._transport.resume_reading()
        get_running_loop().call_later(self._linger_s, self._transport.close)


class HttpConnection(HttpToolsProtocol):
    """Uvicorn's connection with limits; they are set by `limited`."""

    most: int = 1000
    head_wait_s: float = HEAD_WAIT_S
    linger_s: float = LINGER_S

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._head_bytes = 0
        self._in_head = True
        self._patience: TimerHandle | None = None
        self._refused = False

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(Lingering(transport, self.linger_s, self._more_comes))  # type: ignore[arg-type]
        if len(self.connections) > self.most:
            said = "There are too many connections just now. Try again in a moment."
            self._end(503, "throttled", said, b"retry-after: 2\r\n")
            return
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if self._in_head:
            self._head_bytes += len(data)
        cycle: RequestResponseCycle | None = self.cycle
        idle = cycle is None or cycle.response_complete
        if idle and self._patience is None:  # blank lines alone begin no message
            self._await_head()
        self._parse(data)
        if self._in_head and self._head_bytes > _LARGEST_HEAD and not self.transport.is_closing():
            self._end(431, "too-long", "The headers are too large.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if not self._in_head:  # the next on a connection that was kept
            self._in_head, self._head_bytes = True, 0
        if self._patience is None:
            self._await_head()

    def on_headers_complete(self) -> None:
        if not self._offers_another_protocol():
            self._forget_head()
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        if not self._offers_another_protocol():
            super().on_message_complete()

    def _parse(self, data: bytes) -> None:
        """As uvicorn does, except where a client offers to change the protocol: the parser then
        takes what follows the head for that other protocol, and the body would be lost. Java's
        HttpClient offers HTTP/2 with every request without TLS. RFC 9110 7.8: an offer may be
        ignored, so the same head is read again without it.
        """
        self._unset_keepalive_if_required()
        left = memoryview(data)
        try:
            while left:
                left = left[self._read(left) :]
        except httptools.HttpParserError:
            said = "Invalid HTTP request received."
            self.logger.warning(said)
            self.send_400_response(said)

    def _read(self, data: memoryview) -> int:
        """How much the parser has taken: all of it, or the head that made an offer."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            if self._offers_another_protocol():
                self.parser.feed_data(self._without_offer())
                return int(offer.args[0])
        return len(data)

    def _offers_another_protocol(self) -> bool:
        return self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT"

    def _without_offer(self) -> bytes:
        """The head that was just read, without `Upgrade` and what `HttpConnection` says of it."""
        version = self.parser.get_http_version().encode()
        lines = [b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, version)]
        for name, value in self.headers:
            if name == b"connection":
                tokens = (one for one in value.split(b",") if one.strip().lower() != b"upgrade")
                lines.append(b"connection: " + b",".join(tokens))
            elif name != b"upgrade":
                lines.append(name + b": " + value)
        return b"\r\n".join([*lines, b"", b""])

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn words it
        """What the parser, or the reading of the target, could not take."""
        said = "This is not HTTP as RFC 9112 has it. Check the request line and the headers."
        self._end(400, "structure", said)

    def _await_head(self) -> None:
        self._patience = self.loop.call_later(self.head_wait_s, self._too_slow)

    def _forget_head(self) -> None:
        self._in_head, self._head_bytes = False, 0
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _too_slow(self) -> None:
        self._patience = None
        if self.transport.is_closing():
            return
        if self._head_bytes:
            said = "The headers stopped arriving. Send the request again."
            self._end(408, "timeout", said)
        else:
            self.transport.close()

    def _more_comes(self) -> bool:
        """Whether the client may be sending: it was cut off, or answered before its body was read.

        Among very many connections nobody is waited for.
        """
        cycle: RequestResponseCycle | None = self.cycle
        sending = self._refused or (cycle is not None and cycle.more_body)
        return sending and len(self.connections) <= 2 * self.most

    def _end(self, status: int, code: str, said: str, more: bytes = b"") -> None:
        """Answers without the application, and closes."""
        self._forget_head()
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and cycle.response_started and not cycle.response_complete:
            self.transport.close()  # another answer is on its way: nothing may be put between
            return
        self._refused = True
        body = orjson.dumps(operation_outcome([Issue(code, said)]))
        head = [
            STATUS_LINE[status],
            f"content-type: {FHIR_JSON}\r\ncontent-length: {len(body)}\r\n".encode(),
            f"x-request-id: {new_id()}\r\ncache-control: no-store\r\n".encode(),
            b"x-content-type-options: nosniff\r\nconnection: close\r\n",
            more,
            b"\r\n",
            body,
        ]
        self.transport.write(b"".join(head))
        self.transport.close()


def limited(
    most: int, head_wait_s: float = HEAD_WAIT_S, linger_s: float = LINGER_S
) -> type[HttpConnection]:
    """The connection of a process that keeps `most` of them."""

    class Limited(HttpConnection):
        """With the limits of this process."""

    Limited.most, Limited.head_wait_s, Limited.linger_s = most, head_wait_s, linger_s
    return Limited
