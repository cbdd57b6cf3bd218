"""Verifies the chain of a plan: names the first event that is not as it was sealed.

The chain is read in its order, some seals at a time, so that memory stays flat however long it is.
A chain alone cannot tell that its end was cut off together with its seals, or that all of it was
written anew: a head that was kept elsewhere can (`Head`).

Months that were taken away are no fault where an event of the chain says so (`RETIRED`): the chain
goes on from the hashes that the seals keep. Such an event counts only for months that were out of
retention by then, so that it cannot excuse the loss of others.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from app.base.ids import first_id
from app.store.audit.chain import COLUMNS, START, hashes_after, split
from app.store.database import Row, Source

#: 45 CFR 164.316(b)(2)(i): six years.
RETENTION = timedelta(days=6 * 365 + 2)
#: The interaction of an event that says which months were taken away; its `about` names the end.
RETIRED, BEFORE = "retire", "before/"
#: An event that is older and in no seal was written behind the chain.
_SOON = timedelta(minutes=10)
_AT_ONCE = 5

_SEALS = """SELECT number, first_seq, events, hashes FROM audit_seal
WHERE plan = $1 AND number > $2 ORDER BY number LIMIT $3"""
_EVENTS = f"SELECT {COLUMNS} FROM audit_event WHERE plan = $1 AND id = ANY ($2::text[])"
_RETIRED = """SELECT id, recorded, about FROM audit_event
WHERE plan = $1 AND interaction = $2 ORDER BY id"""
#: An event that is in no seal, or in several. $2: the first id that may still be unsealed.
_OUTSIDE = """SELECT id, times IS NULL AS unsealed
FROM (SELECT id FROM audit_event WHERE plan = $1) AS event
FULL JOIN (SELECT id, count(*) AS times FROM audit_seal, unnest(events) AS id WHERE plan = $1
    GROUP BY id) AS sealed USING (id)
WHERE times > 1 OR times IS NULL AND id < $2 ORDER BY id LIMIT 1"""


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a chain: how many events it has, and the hash after the last."""

    plan: str
    seq: int
    hash: bytes

    def line(self) -> str:
        """Writes the head as one line, to be kept elsewhere."""
        return f"{self.plan} {self.seq} {self.hash.hex()}"

    @classmethod
    def read(cls, line: str) -> "Head":
        """Reads a line that `line` has written. Raises `ValueError`."""
        plan, seq, hash_ = line.split()
        return cls(plan, int(seq), bytes.fromhex(hash_))


class BrokenChain(Exception):
    """The chain is not as it was sealed; the message names the first place and what is wrong."""


async def verify(source: Source, plan: str, now: datetime, kept: Head | None = None) -> Head:
    """Walks the whole chain of a plan and returns its head. Raises `BrokenChain`.

    `kept` is a head of this chain from an earlier time: the chain must still contain it.
    """
    seq, hash_ = 0, START
    retired = await _retired_before(source, plan)
    if kept is not None and kept.seq == 0:
        kept = None
    async for seal, rows in _sealed(source, plan, seq):
        if seal["first_seq"] != seq + 1:
            raise BrokenChain(f"{plan}: seal {seal['number']} does not follow the one before")
        stored = split(seal["hashes"])
        for id_, after in zip(seal["events"], stored, strict=True):
            seq += 1
            row = rows.get(id_)
            if row is None and id_ >= retired:
                raise BrokenChain(f"{plan}: event {seq} ({id_}) is missing: it was deleted")
            if row is not None and hashes_after(hash_, [row])[0] != after:
                text = "is not as it was sealed: it was changed, or its place in the chain was"
                raise BrokenChain(f"{plan}: event {seq} ({id_}) {text}")
            hash_ = after
            if kept is not None and kept.seq == seq and kept.hash != hash_:
                text = "has another hash than the head that was kept: the chain was written anew"
                raise BrokenChain(f"{plan}: event {seq} ({id_}) {text}")
    if kept is not None and kept.seq > seq:
        text = f"the chain ends there, but the head that was kept has {kept.seq} events"
        raise BrokenChain(f"{plan}: after event {seq} events were cut off: {text}")
    await _check_outside(source, plan, now)
    return Head(plan, seq, hash_)


async def _sealed(
    source: Source, plan: str, number: int
) -> AsyncIterator[tuple[Row, Mapping[str, Row]]]:
    """Yields the seals of a plan in order, each with those of its events that are there."""
    while seals := await source.fetch(_SEALS, plan, number, _AT_ONCE):
        ids = [id_ for seal in seals for id_ in seal["events"]]
        rows: Mapping[str, Any] = {row["id"]: row for row in await source.fetch(_EVENTS, plan, ids)}
        for seal in seals:
            number += 1
            if seal["number"] != number:
                raise BrokenChain(f"{plan}: seal {number} is missing")
            yield seal, rows


async def _retired_before(source: Source, plan: str) -> str:
    """Returns the first id that must still be there."""
    rows = await source.fetch(_RETIRED, plan, RETIRED)
    return max((_end(row["about"], row["recorded"]) for row in rows), default="")


def _end(about: Sequence[str], recorded: datetime) -> str:
    named = datetime.fromisoformat(about[0].removeprefix(BEFORE))
    return first_id(min(named, recorded - RETENTION))


async def _check_outside(source: Source, plan: str, now: datetime) -> None:
    """Looks for an event that was written behind the chain, or stands in it twice."""
    row = await source.fetch_one(_OUTSIDE, plan, first_id(now - _SOON))
    if row is not None:
        what = "was never sealed: it was inserted later" if row["unsealed"] else "was sealed twice"
        raise BrokenChain(f"{plan}: event {row['id']} {what}")
