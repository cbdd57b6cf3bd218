"""A real HTTP receiver on a free port: it records what arrives and answers what it is told."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import orjson
from aiohttp import web

from app.store.clients import DEMONSTRATION
from bench.bodies import PERFORMING

#: Whoever has an endpoint in a test.
LISTENERS = (
    *(organization for organization, _ in DEMONSTRATION.values()),
    *PERFORMING,
    "org-foghorn",
)


def allowed(target: str) -> str:
    """`WEBHOOK_ALLOW_PRIVATE` that lets each of them be told at `host:port`."""
    return ",".join(f"{organization}={target}" for organization in LISTENERS)


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it arrived."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float
    #: Path and query, byte for byte.
    target: str = ""

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def data(self) -> dict:
        return orjson.loads(self.body)


@dataclass
class Reply:
    """What the receiver answers, after `wait` (seconds) and once `until` is set, where given."""

    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    wait: float = 0.0
    until: asyncio.Event | None = None


class Receiver:
    """Start with `async with Receiver() as receiver`; `url(path)` is where it listens, on a free
    port unless one is given.
    """

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self.received: list[Received] = []
        self.answer: Callable[[Received], Reply] = lambda _: Reply()
        self._arrived = asyncio.Event()

    async def __aenter__(self) -> "Receiver":
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._take)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    @property
    def allowed(self) -> str:
        """As `WEBHOOK_ALLOW_PRIVATE` lists it, for each organization that listens in a test."""
        return allowed(self.target)

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"

    def url(self, path: str = "hook") -> str:
        return f"http://{self.target}/{path}"

    def at(self, path: str) -> list[Received]:
        return [each for each in self.received if each.path == f"/{path}"]

    async def until(self, condition: Callable[[], bool], seconds: float = 15) -> None:
        """Returns when something that arrived made `condition` true; else `TimeoutError`."""
        async with asyncio.timeout(seconds):
            while not condition():
                self._arrived.clear()
                await self._arrived.wait()

    async def count(self, wanted: int, seconds: float = 15) -> list[Received]:
        await self.until(lambda: len(self.received) >= wanted, seconds)
        return self.received

    async def _take(self, request: web.Request) -> web.Response:
        one = Received(
            request.path,
            {name.lower(): value for name, value in request.headers.items()},
            await request.read(),
            time.perf_counter(),
            request.raw_path,
        )
        self.received.append(one)
        self._arrived.set()
        reply = self.answer(one)
        if reply.wait:
            await asyncio.sleep(reply.wait)
        if reply.until is not None:
            await reply.until.wait()
        return web.Response(status=reply.status, headers=reply.headers, body=reply.body)
