"""A wire between a service and PostgreSQL: it counts what goes over it.

Speaks as much of the frontend protocol as it takes to tell messages apart (PostgreSQL docs, 54.7).
"""

import asyncio
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

from sqlalchemy.engine import make_url

#: A simple query and an execution, BEGIN and COMMIT among them, are a statement each.
_STATEMENTS = b"QE"
#: A simple query, a sync and a flush: the client waits for the server's answer.
_ROUND_TRIPS = b"QSH"


class Talk:
    """What one connection says, as far as it takes to know which statement runs."""

    def __init__(self) -> None:
        #: The text of the statement that runs, or ran last.
        self.said = ""
        self._prepared: dict[bytes, str] = {}

    def hears(self, kind: bytes, body: bytes) -> None:
        """Takes in one message of the client's."""
        if kind == b"P":
            name, text, _ = body.split(b"\0", 2)
            self._prepared[name] = text.decode()
        elif kind == b"B":
            self.said = self._prepared.get(body.split(b"\0", 2)[1], "")
        elif kind == b"Q":
            self.said = body.rstrip(b"\0;").decode()

    @property
    def hints(self) -> bool:
        """Whether it wakes the workers: that goes whenever it is ready, and no request waits."""
        return "pg_notify" in self.said


class Wire:
    """Start with `async with Wire(url, folder) as wire`; `wire.url` leads through it.

    Hints to the workers are not counted.
    """

    def __init__(self, url: str, folder: Path) -> None:
        self._target = make_url(url)
        self._folder = folder
        self.statements = 0
        self.trips = 0
        self._open: set[asyncio.StreamWriter] = set()
        self._ending = AsyncExitStack()

    @property
    def url(self) -> str:
        """The URL of the same database, by way of this wire."""
        through = self._target.set(host=None, port=None).update_query_dict(
            {"host": str(self._folder), "port": "5432"}
        )
        return through.render_as_string(hide_password=False)

    async def __aenter__(self) -> "Wire":
        path = str(self._folder / ".s.PGSQL.5432")
        server = await asyncio.start_unix_server(self._join, path)
        self._ending.push_async_callback(server.wait_closed)
        self._ending.callback(server.close)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.cut()
        await self._ending.aclose()

    def cut(self) -> None:
        """Ends all its connections at once."""
        for end in self._open:
            end.transport.abort()

    async def carry(self, talk: Talk, kind: bytes, message: bytes, back: Any) -> bool:
        """Hands on one message of the client's; False ends its connection."""
        if not talk.hints:
            self.statements += kind in _STATEMENTS
            self.trips += kind in _ROUND_TRIPS
        back.write(message)
        return True

    async def answers(self, data: bytes, writer: asyncio.StreamWriter) -> None:
        """Hands on what the server says."""
        writer.write(data)
        await writer.drain()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host = self._target.query.get("host") or self._target.host or "localhost"
        port = self._target.query.get("port") or self._target.port or 5432
        if str(host).startswith("/"):
            return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        return await asyncio.open_connection(str(host), int(port))

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await self._connect()
        self._open |= {writer, back}
        answers = asyncio.create_task(self._pump(there, writer))
        with suppress(OSError, asyncio.IncompleteReadError):
            await self._forward(reader, back)
        answers.cancel()
        for end in (writer, back):
            self._open.discard(end)
            end.close()

    async def _forward(self, reader: asyncio.StreamReader, back: Any) -> None:
        length = await reader.readexactly(4)  # the startup message has no type
        startup = await reader.readexactly(int.from_bytes(length) - 4)
        back.write(length + startup)
        talk = Talk()
        while True:
            head = await reader.readexactly(5)
            body = await reader.readexactly(int.from_bytes(head[1:]) - 4)
            talk.hears(head[:1], body)
            if not await self.carry(talk, head[:1], head + body, back):
                return

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                await self.answers(data, writer)
        writer.close()
