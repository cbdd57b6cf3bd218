"""A wire between the service and PostgreSQL: it tells round trips, and can be cut at a commit.

A statement without a transaction around it commits at its sync.
"""

import asyncio
import re
from pathlib import Path
from typing import Any

from bench import wire

#: Statements that write.
WRITES = re.compile(r"\b(INSERT INTO|UPDATE \w+ SET|DELETE FROM)\b")
#: What to do when a commit comes by.
PASS, CUT_BEFORE, CUT_AFTER = "pass", "cut before it arrives", "cut before it is answered"


class Wire(wire.Wire):
    """Each `Q` (simple query) and each `S` (sync) is one round trip, but for hints to workers."""

    def __init__(self, url: str, folder: Path) -> None:
        super().__init__(url, folder)
        #: By connection.
        self.round_trips: dict[int, list[str]] = {}
        self.at_commit = PASS
        #: How many commits come through before that is done.
        self.let_pass = 0
        self._silent = False
        self._in_transaction: dict[int, bool] = {}

    async def carry(self, talk: wire.Talk, kind: bytes, message: bytes, back: Any) -> bool:
        commits = self._commits(talk, kind)
        if kind in b"QS" and not talk.hints:
            said = talk.said if kind == b"Q" else "statement"
            self.round_trips.setdefault(id(talk), []).append(said)
        if commits and self.at_commit != PASS and self.let_pass:
            self.let_pass -= 1
            commits = False
        if commits and self.at_commit == CUT_BEFORE:
            self.cut()
            return False
        self._silent = commits and self.at_commit == CUT_AFTER
        back.write(message)
        if self._silent:
            await back.drain()
            await asyncio.sleep(0.2)  # the server does it; nobody hears
            self.cut()
            self._silent = False
            return False
        return True

    async def answers(self, data: bytes, writer: asyncio.StreamWriter) -> None:
        if not self._silent:
            await super().answers(data, writer)

    def _commits(self, talk: wire.Talk, kind: bytes) -> bool:
        """Whether this message commits: a COMMIT, or the end of a statement that writes alone."""
        if kind == b"Q":
            self._in_transaction[id(talk)] = talk.said.startswith("BEGIN")
            return talk.said.startswith("COMMIT")
        alone = kind == b"S" and not self._in_transaction.get(id(talk))
        return alone and bool(WRITES.search(talk.said))
