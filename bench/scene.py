"""Starts what is measured, on a PostgreSQL of its own that syncs every commit, and ends it.

The demonstration's network, enlarged so that referrals do not all compete for one offer nor repeat
members; the service, the floor and, on request, the delivery worker, each a process of its own.
"""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import orjson
from sqlalchemy.engine import make_url

from app.commands.migrate import upgrade
from app.store.clients import DEMONSTRATION
from bench.bodies import PERFORMING
from bench.enlarge import enlarge, performers_listen
from bench.floor import SCHEMA
from bench.load import HOST, Connection, Wrong, request
from bench.processes import Postgres, Process
from bench.receiver import Receiver
from demo.postgres import EmbeddedPostgres
from demo.throwaway import home

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "demo" / "data"
#: The clients that refer, and which messages their organizations want.
CLIENTS = {"hospital": [], "practice": ["referral.approved"]}

_LISTENS = "SELECT count(*) FROM pg_stat_activity WHERE query ILIKE 'LISTEN %'"


class Scene:
    """The running scene: ports, the database, and the CPU of each part."""

    def __init__(self, server: EmbeddedPostgres, receiver: Receiver, members: int) -> None:
        self.url = make_url(server.url).set(drivername="postgresql").render_as_string(False)
        self.postgres = Postgres(server.home)
        self.receiver = receiver
        self.members = members
        self.port, self.floor_port = free_port(), free_port()
        self.settings = {
            **os.environ,
            "DATABASE_URL": server.url,
            "PORT": str(self.port),
            "PUBLIC_URL": f"http://{HOST}:{self.port}",
            "DEMONSTRATION": "true",
            "WEBHOOK_ALLOW_PRIVATE": ",".join(
                f"{organization}={HOST}:{receiver.port}"
                for organization in (*(own for own, _ in DEMONSTRATION.values()), *PERFORMING)
            ),
            "TOKEN_SECRET": "bench only: of no use to anybody",
            "REQUESTS_PER_MINUTE": "0",
        }

    async def run(
        self, *arguments: str, out: int = asyncio.subprocess.DEVNULL, **more: str
    ) -> Process:
        """Starts a Python module in a process of its own; `more` are settings besides."""
        return Process(
            await asyncio.create_subprocess_exec(
                sys.executable,
                *arguments,
                cwd=ROOT,
                env={**self.settings, **more},
                stdout=out,
            )
        )

    async def said(self, *arguments: str) -> bytes:
        """What a command prints that ends by itself; `RuntimeError` when it fails."""
        return await (await self.run(*arguments, out=asyncio.subprocess.PIPE)).ended()

    @asynccontextmanager
    async def running(self, *arguments: str, **more: str) -> AsyncIterator[Process]:
        """The same, ended at the end."""
        process = await self.run(*arguments, **more)
        try:
            yield process
        finally:
            await process.stop()

    async def prepare(self) -> None:
        """Migrates, loads the demonstration's network and enlarges it."""
        await upgrade(self.settings["DATABASE_URL"])
        files = [str(DATA / name) for name in ("network.ndjson", "roster.ndjson")]
        await (await self.run("-m", "app", "load", *files)).ended()
        async with self.database() as connection:
            await enlarge(connection, self.members)
            await connection.execute(SCHEMA)
            await connection.execute("CREATE EXTENSION pg_walinspect")

    @asynccontextmanager
    async def database(self) -> AsyncIterator[Any]:
        """The owner's connection."""
        connection = await asyncpg.connect(self.url)
        try:
            yield connection
        finally:
            await connection.close()

    async def answers(self, process: Process, port: int, path: str) -> None:
        """Returns when a port answers; `RuntimeError` when its process ends instead."""
        async with asyncio.timeout(60):
            while True:
                process.check()
                try:
                    line = await Connection.open(port)
                    await line.send(request("GET", path))
                    line.close()
                except OSError:
                    await asyncio.sleep(0.05)
                else:
                    return

    async def token(self, client: str) -> str:
        """A new access token of a demonstration client, as the Authorization header takes it."""
        form = f"grant_type=client_credentials&client_id={client}&client_secret=demo-{client}"
        line = await Connection.open(self.port)
        answer = await line.send(
            request("POST", "/oauth/token", form.encode(),
                    Content_Type="application/x-www-form-urlencoded")
        )  # fmt: skip
        line.close()
        return "Bearer " + orjson.loads(answer.body)["access_token"]

    async def register(self) -> None:
        """Endpoints for the referring clients (as `CLIENTS` says) and for every performer."""
        for client, events in CLIENTS.items():
            made = await self.endpoint(client, events)
        async with self.database() as connection:
            url = f"http://{HOST}:{self.receiver.port}/performer-"
            await performers_listen(connection, url, made)

    async def endpoint(self, client: str, events: list[str]) -> str:
        """A webhook endpoint of a client's organization, at the path that is its name."""
        url = f"http://{HOST}:{self.receiver.port}/{client}"
        wanted = {"url": url, "event_types": events, "send_test": False}
        line = await Connection.open(self.port)
        answer = await line.send(
            request("POST", "/v1/webhook-endpoints", orjson.dumps(wanted),
                    Content_Type="application/json", Authorization=await self.token(client))
        )  # fmt: skip
        line.close()
        if answer.status != 201:
            raise Wrong(f"no endpoint: {answer.status} {answer.body!r}")
        made: str = orjson.loads(answer.body)["id"]
        return made

    @asynccontextmanager
    async def serving(self, port: int, **more: str) -> AsyncIterator[Process]:
        """One more process of the service, from the moment at which it answers."""
        async with self.running("-m", "app", "serve", PORT=str(port), **more) as service:
            await self.answers(service, port, "/health/live")
            yield service

    @asynccontextmanager
    async def delivering(self, **more: str) -> AsyncIterator[Process]:
        """A delivery worker, from the moment at which it listens."""
        async with (
            self.running("-m", "app", "deliver", **more) as worker,
            self.database() as connection,
        ):
            async with asyncio.timeout(60):
                while not await connection.fetchval(_LISTENS):
                    worker.check()
                    await asyncio.sleep(0.05)
            yield worker

    async def quiet(self, seconds: float) -> None:
        """Waits until nothing is left to deliver; `TimeoutError` after so many seconds."""
        async with asyncio.timeout(seconds):
            while await self.waiting():  # noqa: ASYNC110  another process delivers
                await asyncio.sleep(0.1)

    async def waiting(self) -> int:
        """Deliveries that are due and not made."""
        async with self.database() as connection:
            return await connection.fetchval(
                "SELECT count(*) FROM delivery WHERE state = 'pending'"
            )


def free_port() -> int:
    """A port of this machine that nobody uses."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


@asynccontextmanager
async def scene(members: int) -> AsyncIterator[tuple[Scene, Process, Process]]:
    """The scene with service and floor running; both processes are given for their CPU.

    `members` is how many the enlarged roster has: more than a run refers.
    """
    async with AsyncExitStack() as ending:
        server = EmbeddedPostgres(ending.enter_context(home()), durable=True)
        await asyncio.to_thread(server.start)
        ending.callback(server.stop, immediately=True)
        receiver = await Receiver().start()
        ending.callback(receiver.server.close)
        here = Scene(server, receiver, members)
        await here.prepare()
        service = await here.run("-m", "app", "serve")
        ending.push_async_callback(service.stop)
        floor = await here.run("-m", "bench.floor", str(here.floor_port), here.url)
        ending.push_async_callback(floor.stop)
        await here.answers(service, here.port, "/health/live")
        await here.answers(floor, here.floor_port, "/floor/none")
        await here.register()
        yield here, service, floor
