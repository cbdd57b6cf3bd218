"""Seals the record: puts each committed event into the chain of its plan, once.

Requests do not wait for the chain: no lock on a plan, no order among processes. A worker seals
beside them, every second. Events get their place in the order in which they are sealed; the order
of their ids is nearly that. An event that commits late, because its transaction was long, is sealed
by a later pass: each pass looks back by `_LATE`, and takes what no seal names yet.

Any number of processes may seal at once, without a lock. A seal is one row, and its number follows
the last one's: of two that write the same number the second writes nothing, and its events wait for
the next pass. A process that is killed leaves a whole seal or none.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from app.base.ids import first_id, made_at
from app.store.audit.chain import COLUMNS, START, hashes_after
from app.store.database import Database, Row, Source

#: No transaction of the service is older (`SESSION`); two processes' clocks differ by less.
_LATE = timedelta(minutes=2)
#: So many events have one seal.
_BATCH = 1000

#: Each plan with events; skips through the index of each month, however many events there are.
_PLANS = """WITH RECURSIVE known AS (
    SELECT min(plan) AS plan FROM audit_event
    UNION ALL SELECT (SELECT min(plan) FROM audit_event WHERE plan > known.plan) FROM known
    WHERE known.plan IS NOT NULL)
SELECT plan FROM known WHERE plan IS NOT NULL"""
_LAST = """SELECT number, first_seq, cardinality(events) AS size, hashes,
    (SELECT max(last_id) FROM audit_seal WHERE plan = $1) AS highest
FROM audit_seal WHERE plan = $1 ORDER BY number DESC LIMIT 1"""
#: $1 plan, $2 the first id looked at, $3 limit. What no seal names yet.
_UNSEALED = f"""SELECT {COLUMNS} FROM audit_event e
WHERE plan = $1 AND id >= $2 AND NOT EXISTS (
    SELECT FROM (SELECT unnest(events) AS id FROM audit_seal WHERE plan = $1 AND last_id >= $2)
    AS sealed WHERE sealed.id = e.id)
ORDER BY id LIMIT $3"""
_SEAL = """INSERT INTO audit_seal (plan, number, first_seq, events, last_id, hashes, sealed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING number"""


@dataclass(frozen=True, slots=True)
class Sealed:
    """What a pass has done: how many events it sealed, and when the oldest of them was made."""

    events: int
    oldest: datetime | None


async def chains(source: Source) -> list[str]:
    """Lists the plans that have events."""
    return [row["plan"] for row in await source.fetch(_PLANS)]


async def seal_all(database: Database, now: datetime) -> Sealed:
    """Seals all events of all plans that have committed by now."""
    passes = [await seal(database, plan, now) for plan in await chains(database)]
    moments = [each.oldest for each in passes if each.oldest]
    return Sealed(sum(each.events for each in passes), min(moments, default=None))


async def seal(database: Database, plan: str, now: datetime, batch: int = _BATCH) -> Sealed:
    """Seals the events of a plan that have committed by now; ends where another process seals."""
    sealed, oldest = 0, None
    while True:
        last = await database.fetch_one(_LAST, plan)
        since = first_id(made_at(last["highest"]) - _LATE) if last else ""
        rows = await database.fetch(_UNSEALED, plan, since, batch)
        if not rows or not await _write(database, plan, last, rows, now):
            return Sealed(sealed, oldest)
        oldest = oldest or made_at(rows[0]["id"])
        sealed += len(rows)
        if len(rows) < batch:
            return Sealed(sealed, oldest)


async def _write(
    database: Database, plan: str, last: Row | None, rows: list[Row], now: datetime
) -> bool:
    """Writes the next seal of a plan; False if another process has written it."""
    number = last["number"] + 1 if last else 1
    first = last["first_seq"] + last["size"] if last else 1
    hashes = hashes_after(last["hashes"][-len(START) :] if last else START, rows)
    ids = [row["id"] for row in rows]
    values = (plan, number, first, ids, ids[-1], b"".join(hashes), now)
    return await database.fetch_one(_SEAL, *values) is not None
