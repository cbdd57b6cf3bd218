"""HTTP connections with limits: how many there are, how long and how large a head may be.

A request that the HTTP parser refuses never reaches the application, so its OperationOutcome is
written here. A head (request line and headers) has ten seconds and 64 KB; `gate.py` limits what the
application takes of a head. A connection beyond the limit is answered 503 and closed. A client that
is answered before its whole request was read gets time to read the answer.
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

from app.api.web.envelope import STANDING
from app.base.errors import Issue
from app.base.ids import new_id
from app.fhir.outcome import FHIR_JSON, operation_outcome

#: Seconds for a head to arrive: an ordinary head comes in one packet or two.
HEAD_WAIT_S = 10.0
_LARGEST_HEAD = 64 * 1024
#: Seconds in which bytes that a client sends after its answer are read and dropped.
LINGER_S = 5.0


class Lingering:
    """A transport whose `close` loses no answer (RFC 9112, 9.6).

    A socket that is closed with unread bytes is reset, and the answer may be lost on its way.
    While `more_comes`, `close` therefore closes our half alone, and bytes that still arrive are
    dropped. The client's half is closed when the client ends, or after `linger_s` seconds.
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
    """Uvicorn's connection with limits, which `limited` sets."""

    most: int = 1000
    head_wait_s: float = HEAD_WAIT_S
    linger_s: float = LINGER_S

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._head_bytes = 0
        self._in_head = True
        self._head_timer: TimerHandle | None = None
        self._refused = False

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(Lingering(transport, self.linger_s, self._more_comes))  # type: ignore[arg-type]
        if len(self.connections) > self.most:
            text = "There are too many connections just now. Try again in a moment."
            self._end(503, "throttled", text, b"retry-after: 2\r\n")
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
        if idle and self._head_timer is None:  # blank lines alone begin no message
            self._await_head()
        self._parse(data)
        if self._in_head and self._head_bytes > _LARGEST_HEAD and not self.transport.is_closing():
            self._end(431, "too-long", "The headers are too large.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if not self._in_head:  # the next request on a kept connection
            self._in_head, self._head_bytes = True, 0
        if self._head_timer is None:
            self._await_head()

    def on_headers_complete(self) -> None:
        if not self._offers_another_protocol():
            self._forget_head()
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        if not self._offers_another_protocol():
            super().on_message_complete()

    def _parse(self, data: bytes) -> None:
        """Parses as uvicorn does, but ignores an offer to change the protocol (RFC 9110 7.8).

        After an offer the parser takes the bytes behind the head for the other protocol, and the
        body would be lost: Java's HttpClient offers HTTP/2 with every request without TLS. So the
        head is read again without the offer.
        """
        self._unset_keepalive_if_required()
        left = memoryview(data)
        try:
            while left:
                left = left[self._read(left) :]
        except httptools.HttpParserError:
            text = "Invalid HTTP request received."
            self.logger.warning(text)
            self.send_400_response(text)

    def _read(self, data: memoryview) -> int:
        """Feeds the parser; returns how many bytes it took: all, or the head that made an offer."""
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
        """The head that was just read, without `Upgrade` and without `upgrade` in `Connection`."""
        version = self.parser.get_http_version().encode()
        lines = [b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, version)]
        for name, value in self.headers:
            if name == b"connection":
                tokens = (one for one in value.split(b",") if one.strip().lower() != b"upgrade")
                lines.append(b"connection: " + b",".join(tokens))
            elif name != b"upgrade":
                lines.append(name + b": " + value)
        return b"\r\n".join([*lines, b"", b""])

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's text
        """Answers what the parser, or the reading of the target, refuses."""
        text = "This is not HTTP as RFC 9112 has it. Check the request line and the headers."
        self._end(400, "structure", text)

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(self.head_wait_s, self._too_slow)

    def _forget_head(self) -> None:
        self._in_head, self._head_bytes = False, 0
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _too_slow(self) -> None:
        self._head_timer = None
        if self.transport.is_closing():
            return
        if self._head_bytes:
            text = "The headers stopped arriving. Send the request again."
            self._end(408, "timeout", text)
        else:
            self.transport.close()

    def _more_comes(self) -> bool:
        """Whether the client may still send: it was refused, or answered before its body was read.

        With more than twice `most` connections the server waits for no client.
        """
        cycle: RequestResponseCycle | None = self.cycle
        sending = self._refused or (cycle is not None and cycle.more_body)
        return sending and len(self.connections) <= 2 * self.most

    def _end(self, status: int, code: str, text: str, more: bytes = b"") -> None:
        """Answers without the application, and closes the connection."""
        self._forget_head()
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and cycle.response_started and not cycle.response_complete:
            self.transport.close()  # another answer is being sent: no byte may come between
            return
        self._refused = True
        body = orjson.dumps(operation_outcome([Issue(code, text)]))
        head = [
            STATUS_LINE[status],
            f"content-type: {FHIR_JSON}\r\ncontent-length: {len(body)}\r\n".encode(),
            f"x-request-id: {new_id()}\r\nconnection: close\r\n".encode(),
            *(b"%b: %b\r\n" % header for header in STANDING),
            more,
            b"\r\n",
            body,
        ]
        self.transport.write(b"".join(head))
        self.transport.close()


def limited(
    most: int, head_wait_s: float = HEAD_WAIT_S, linger_s: float = LINGER_S
) -> type[HttpConnection]:
    """The connection class of a process that keeps at most `most` connections."""

    class Limited(HttpConnection):
        """`HttpConnection` with the limits of this process."""

    Limited.most, Limited.head_wait_s, Limited.linger_s = most, head_wait_s, linger_s
    return Limited
