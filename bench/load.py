"""Sends requests over kept connections and takes the time of each; loopback only.

A lean HTTP/1.1 client, so that the generator takes as little of the machine as can be: answers with
a Content-Length, one request under way per connection.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. Times are `time.perf_counter` seconds."""

    status: int
    headers: bytes
    body: bytes
    began: float
    ended: float

    def header(self, name: str) -> str | None:
        """The value of a header, where it is there."""
        for line in self.headers.split(b"\r\n")[1:]:
            key, _, value = line.partition(b":")
            if key.strip().lower() == name.lower().encode():
                return value.strip().decode()
        return None


class Wrong(Exception):
    """An answer that the measurement cannot use: what is measured must also work."""


class _Line(asyncio.Protocol):
    """One connection: collects one answer at a time."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._wanted = -1
        self._head = b""
        self.waiting: asyncio.Future[tuple[bytes, bytes]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._wanted < 0:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            self._head = bytes(self._buffer[:end])
            lower = self._head.lower()
            at = lower.find(b"content-length:")
            length = int(lower[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            self._wanted = end + 4 + length
        if len(self._buffer) >= self._wanted and self.waiting and not self.waiting.done():
            body = bytes(self._buffer[len(self._head) + 4 : self._wanted])
            del self._buffer[: self._wanted]
            self._wanted = -1
            self.waiting.set_result((self._head, body))

    def connection_lost(self, exc: Exception | None) -> None:
        if self.waiting and not self.waiting.done():
            self.waiting.set_exception(exc or ConnectionResetError("the server hung up"))


class Connection:
    """A kept connection to a port of this machine."""

    def __init__(self, line: _Line) -> None:
        self._line = line

    @classmethod
    async def open(cls, port: int) -> "Connection":
        _, line = await asyncio.get_running_loop().create_connection(_Line, HOST, port)
        return cls(line)

    async def send(self, request: bytes) -> Answer:
        """Sends one request and waits for its answer."""
        self._line.waiting = asyncio.get_running_loop().create_future()
        began = time.perf_counter()
        self._line.transport.write(request)  # type: ignore[attr-defined]
        head, body = await self._line.waiting
        return Answer(int(head[9:12]), head, body, began, time.perf_counter())

    def close(self) -> None:
        self._line.transport.close()


def request(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """The bytes of a request; `Content_Type` stands for `Content-Type`."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {HOST}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@dataclass(slots=True)
class Measured:
    """What one kind of request showed, over all its turns. `shed` were told to come again (503):
    the service does not queue what it cannot take.
    """

    connections: int
    shed: int = 0
    seconds: float = 0.0
    times: list[float] = field(default_factory=list)
    cpu: float = 0.0

    @property
    def rate(self) -> float:
        """Answers per second."""
        return len(self.times) / self.seconds if self.seconds else 0.0

    def percentile(self, share: float) -> float:
        """Milliseconds within which this share of the answers came."""
        ordered = sorted(self.times)
        return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


async def turn(
    measured: Measured,
    port: int,
    make: Callable[[], bytes],
    seconds: float,
    status: int,
    *,
    most: int = 20_000,
) -> list[Answer]:
    """One turn: so many connections, each sending the next request when the last is answered."""
    lines = [await Connection.open(port) for _ in range(measured.connections)]
    answers: list[Answer] = []
    left = most
    began = time.perf_counter()

    async def work(line: Connection) -> None:
        nonlocal left
        while time.perf_counter() - began < seconds and left > 0:
            left -= 1
            answer = await line.send(make())
            if answer.status == 503:
                measured.shed += 1
            elif answer.status != status:
                raise Wrong(f"{answer.status} instead of {status}: {answer.body[:400]!r}")
            else:
                answers.append(answer)

    await asyncio.gather(*(work(line) for line in lines))
    measured.seconds += time.perf_counter() - began
    measured.times.extend(answer.ended - answer.began for answer in answers)
    for line in lines:
        line.close()
    return answers


async def send(port: int, requests: Iterable[bytes]) -> list[Answer]:
    """The answers to requests sent one after the other; `Wrong` for one that is no success."""
    line = await Connection.open(port)
    answers = [await line.send(one) for one in requests]
    line.close()
    for answer in answers:
        if answer.status not in (200, 201):
            raise Wrong(f"{answer.status}: {answer.body[:400]!r}")
    return answers


def location_id(answer: Answer) -> str:
    """The id in its Location."""
    return path_of(answer.header("location") or "").rpartition("/")[2]


def path_of(location: str) -> str:
    """`/fhir/ServiceRequest/1` of a Location that names a version."""
    path = location.partition("://")[2].partition("/")[2] if "://" in location else location[1:]
    return "/" + path.partition("/_history")[0]
