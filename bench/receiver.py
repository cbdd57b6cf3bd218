"""Receives webhooks and notes when; does nothing else, so that it is not what is measured."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

import orjson

from bench.load import HOST

_DONE = b"HTTP/1.1 204 No Content\r\n\r\n"


@dataclass(slots=True)
class Receiver:
    """What arrived: the message and the moment (`time.perf_counter`), in order.

    Posts to the path `hangs` are taken and not answered until `let_go`.
    """

    port: int = 0
    arrived: list[tuple[float, bytes]] = field(default_factory=list)
    server: Any = None
    hangs: str = ""
    held: list[Any] = field(default_factory=list)

    async def start(self) -> "Receiver":
        """Listens on a free port."""
        loop = asyncio.get_running_loop()
        self.server = await loop.create_server(lambda: _Line(self), HOST, 0)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    def take(self, message: bytes, transport: Any) -> None:
        """One post: noted, and answered unless its path hangs."""
        self.arrived.append((time.perf_counter(), message))
        if self.hangs and message.startswith(f"POST {self.hangs} ".encode()):
            self.held.append(transport)
        else:
            transport.write(_DONE)

    def let_go(self) -> None:
        """Nothing hangs any more; what did is answered."""
        self.hangs, held, self.held = "", self.held, []
        for transport in held:
            transport.write(_DONE)

    def first(self, since: int, event: str, path: str) -> dict[str, float]:
        """Referral id → when its first message of this type came to this path."""
        found: dict[str, float] = {}
        for at, message in self.arrived[since:]:
            head, _, body = message.partition(b"\r\n\r\n")
            payload = orjson.loads(body)
            if payload["type"] == event and head.startswith(f"POST {path} ".encode()):
                found.setdefault(payload["data"]["referral_id"], at)
        return found


class _Line(asyncio.Protocol):
    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            lower = self._buffer[:end].lower()
            at = lower.find(b"content-length:")
            length = int(lower[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            whole = end + 4 + length
            if len(self._buffer) < whole:
                return
            message, self._buffer = self._buffer[:whole], self._buffer[whole:]
            self._receiver.take(message, self._transport)
