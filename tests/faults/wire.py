"""A wire between the service and PostgreSQL: it counts round trips, and can be cut at a commit.

Speaks as much of the frontend protocol as it takes to tell messages apart (PostgreSQL docs, 54.7):
each `Q` (simple query) and each `S` (sync) is one round trip. A statement without a transaction
around it commits at its sync. Hints to the workers are no request's, and not counted.
"""

import asyncio
import re
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

from sqlalchemy.engine import make_url

#: Statements that write.
WRITES = re.compile(r"\b(INSERT INTO|UPDATE \w+ SET|DELETE FROM)\b")
#: What to do when a commit comes by.
PASS, CUT_BEFORE, CUT_AFTER = "pass", "cut before it arrives", "cut before it is answered"


class Talk:
    """What one connection says, as far as it takes to know when it commits."""

    def __init__(self) -> None:
        #: The text of the statement that runs, or ran last.
        self.said = ""
        self._prepared: dict[bytes, str] = {}
        self._in_transaction = False

    def hears(self, kind: bytes, body: bytes) -> bool:
        """Whether this message commits: a COMMIT, or the end of a statement that writes alone."""
        if kind == b"P":
            name, text, _ = body.split(b"\0", 2)
            self._prepared[name] = text.decode()
        elif kind == b"B":
            self.said = self._prepared.get(body.split(b"\0", 2)[1], "")
        elif kind == b"Q":
            self.said = body.rstrip(b"\0;").decode()
            self._in_transaction = self.said.startswith("BEGIN")
            return self.said.startswith("COMMIT")
        return kind == b"S" and not self._in_transaction and bool(WRITES.search(self.said))


class Wire:
    """Start with `async with Wire(url, folder) as wire`; `wire.url` leads through it."""

    def __init__(self, url: str, folder: Path) -> None:
        self._target = make_url(url)
        self._folder = folder
        #: By connection.
        self.round_trips: dict[int, list[str]] = {}
        self.at_commit = PASS
        #: How many commits come through before that is done.
        self.let_pass = 0
        self._silent = False
        self._open: set[asyncio.StreamWriter] = set()
        self._ending = AsyncExitStack()

    @property
    def url(self) -> str:
        through = self._target.set(host=None, port=None).update_query_dict(
            {"host": str(self._folder), "port": "5432"}
        )
        return through.render_as_string(hide_password=False)

    async def __aenter__(self) -> "Wire":
        path = str(self._folder / ".s.PGSQL.5432")
        server = await asyncio.start_unix_server(self._carry, path)
        self._ending.push_async_callback(server.wait_closed)
        self._ending.callback(server.close)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._cut()
        await self._ending.aclose()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host = self._target.query.get("host") or self._target.host or "localhost"
        port = self._target.query.get("port") or self._target.port or 5432
        if str(host).startswith("/"):
            return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        return await asyncio.open_connection(str(host), int(port))

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
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
            commits = talk.hears(head[:1], body)
            if head[:1] in b"QS" and "pg_notify" not in talk.said:
                said = talk.said if head[:1] == b"Q" else "statement"
                self.round_trips.setdefault(id(reader), []).append(said)
            if commits and self.at_commit != PASS and self.let_pass:
                self.let_pass -= 1
                commits = False
            if commits and self.at_commit == CUT_BEFORE:
                self._cut()
                return
            self._silent = commits and self.at_commit == CUT_AFTER
            back.write(head + body)
            if self._silent:
                await back.drain()
                await asyncio.sleep(0.2)  # the server does it; nobody hears
                self._cut()
                return

    def _cut(self) -> None:
        self._silent = False
        for end in self._open:
            end.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                if not self._silent:
                    writer.write(data)
                    await writer.drain()
        writer.close()
