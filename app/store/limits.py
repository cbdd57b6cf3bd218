"""How much a caller may use of the service in a time, counted for all processes in PostgreSQL.

A quota is `most` of something in `seconds`, as a token bucket (the generic cell rate algorithm):
all of it may be used at once, and it comes back evenly. Each question is one statement that locks
one row for a moment, so that processes share one count whatever they do at once. `now` is in
seconds since 1970; a clock that was set back delays nobody longer than `seconds`.

`Leases` keeps frequent questions away from the database: a process takes a slice of the quota at a
time, a twentieth. So of n processes a client may be refused while n-1 slices lie unused in others,
and may use as many more than its quota after a pause: with two processes, 5% either way.

`strike` is for guesses: who fails too often is locked out, longer each time.
"""

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.store.database import Source
from app.store.database_errors import DATABASE_ERRORS


@dataclass(frozen=True, slots=True)
class Quota:
    """`most` uses in `seconds`, of each source by itself. `most` is 1 or more."""

    name: str
    most: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Taken:
    """What was given (0: refused), what is left, and the seconds until all of it is there again."""

    granted: int
    left: int
    resets_s: int

    @property
    def refused(self) -> bool:
        return self.granted == 0


# One statement each. $1 name, $2 key, $3 now, $4 seconds, $5 most, and what is asked for

_SPENT = "least(greatest(q.spent_until, $3::float8), $3::float8 + $4::float8)"
#: Uses that are left; the small number makes up for what floats lose.
_ROOM = f"floor(($3::float8 + $4::float8 - {_SPENT}) * $5::int / $4::float8 + 1e-4)::int"

_TAKE = f"""INSERT INTO quota_use AS q (name, key, spent_until, granted)
VALUES ($1, $2, $3::float8 + least($6::int, $5::int) * $4::float8 / $5::int,
    least($6::int, $5::int))
ON CONFLICT (name, key) DO UPDATE SET granted = least($6::int, {_ROOM}),
    spent_until = {_SPENT} + least($6::int, {_ROOM}) * $4::float8 / $5::int
RETURNING q.granted, q.spent_until"""

_SEE = "SELECT 0 AS granted, spent_until FROM quota_use WHERE name = $1 AND key = $2"


async def take(source: Source, quota: Quota, key: str, now: float, cost: int = 1) -> Taken:
    """Uses at most `cost` of a quota: what is left of it, where that is less."""
    values = (quota.name, key, now, quota.seconds, quota.most, cost)
    row = await source.fetch_one(_TAKE, *values)
    return _taken(quota, row["granted"], row["spent_until"], now) if row else _whole(quota)


async def see(source: Source, quota: Quota, key: str, now: float) -> Taken:
    """What is left of a quota; uses nothing."""
    row = await source.fetch_one(_SEE, quota.name, key)
    return _taken(quota, 0, row["spent_until"], now) if row else _whole(quota)


def _whole(quota: Quota) -> Taken:
    return Taken(0, quota.most, 0)


def _taken(quota: Quota, granted: int, spent_until: float, now: float) -> Taken:
    spent = min(max(spent_until - now, 0.0), quota.seconds)
    left = math.floor((quota.seconds - spent) * quota.most / quota.seconds + 1e-4)
    return Taken(granted, left, math.ceil(spent))


# Members whom a client asks about


@dataclass(frozen=True, slots=True)
class QuestionTaken:
    """Whether a question may be answered, what is left of the members, and the seconds to wait."""

    refused: bool
    left: int
    wait_s: int


# $6 the client's member, $7 to $9 name, most and seconds of the misses. Two questions at once about
# one new member may count twice.
_ASK = f"""WITH misses AS (SELECT spent_until FROM quota_use WHERE name = $7 AND key = $2
    AND floor(($3::float8 + $9::float8 - spent_until) * $8::int / $9::float8 + 1e-4) <= 0
    AND spent_until <= $3::float8 + $9::float8 + 1),
known AS (SELECT FROM asked_member
    WHERE client_id = $2 AND member = $6 AND until > $3::float8),
used AS (INSERT INTO quota_use AS q (name, key, spent_until, granted)
    SELECT $1, $2, $3::float8 + $4::float8 / $5::int, 1
    WHERE NOT EXISTS (SELECT FROM known) AND NOT EXISTS (SELECT FROM misses)
    ON CONFLICT (name, key) DO UPDATE SET granted = least(1, {_ROOM}),
        spent_until = {_SPENT} + least(1, {_ROOM}) * $4::float8 / $5::int
    RETURNING q.granted, q.spent_until),
noted AS (INSERT INTO asked_member (client_id, member, until)
    SELECT $2, $6, $3::float8 + $4::float8 FROM used WHERE used.granted > 0
    ON CONFLICT (client_id, member) DO UPDATE SET until = excluded.until)
SELECT (SELECT spent_until FROM misses) AS missed_until,
    coalesce((SELECT granted FROM used), 1) AS granted,
    coalesce((SELECT spent_until FROM used),
        (SELECT spent_until FROM quota_use WHERE name = $1 AND key = $2), 0) AS spent_until"""


async def ask_about(
    source: Source, quotas: tuple[Quota, Quota], client: str, member: str, now: float
) -> QuestionTaken:
    """Uses one of a quota of different members, unless the client has asked about this one.

    `quotas`: of members, and of misses: none is counted here, but who has none left is refused.
    `member` is a keyed hash; one who was refused is not noted.
    """
    members, misses = quotas
    values = (members.name, client, now, members.seconds, members.most, member)
    row = await source.fetch_one(_ASK, *values, misses.name, misses.most, misses.seconds)
    if row is None:  # the statement always has a row
        return QuestionTaken(False, members.most, 0)
    taken = _taken(members, row["granted"], row["spent_until"], now)
    waits = [members.seconds / members.most] if taken.refused else []
    if row["missed_until"] is not None:
        waits.append(row["missed_until"] - now - misses.seconds + misses.seconds / misses.most)
    return QuestionTaken(bool(waits), taken.left, max(1, math.ceil(max(waits, default=0))))


# Guesses

#: The longest lock, and the time without one after which the next is short again.
_LONGEST_LOCK_S, _FORGIVEN_S = 900, 3600

# $6 the longest lock, $7 the time to forgive. A lock is `seconds` long, and then doubles.
_AGAIN = "CASE WHEN q.locked_until + $7::float8 < $3::float8 THEN 0 ELSE q.strikes END"
_FULL = f"({_ROOM} <= 0 AND q.locked_until <= $3::float8)"
_STRIKE = f"""INSERT INTO quota_use AS q (name, key, spent_until, granted)
VALUES ($1, $2, $3::float8 + $4::float8 / $5::int, 1)
ON CONFLICT (name, key) DO UPDATE SET granted = least(1, {_ROOM}),
    spent_until = {_SPENT} + least(1, {_ROOM}) * $4::float8 / $5::int,
    strikes = CASE WHEN {_FULL} THEN least({_AGAIN} + 1, 30) ELSE q.strikes END,
    locked_until = CASE WHEN {_FULL}
        THEN $3::float8 + least($6::float8, $4::float8 * 2 ^ ({_AGAIN})) ELSE q.locked_until END
RETURNING greatest(q.locked_until - $3::float8, 0) AS wait"""

_LOCKED = """SELECT coalesce(max(locked_until), 0) AS until FROM quota_use
WHERE name = ANY ($1::text[]) AND key = ANY ($2::text[])"""


async def strike(source: Source, quota: Quota, key: str, now: float) -> int:
    """Counts a failure. Returns the seconds for which its source is now locked out; 0: not.

    One failure more than `most` locks for `seconds`, the next time for twice as long, up to a
    quarter of an hour; after an hour without a lock it begins anew.
    """
    values = (quota.name, key, now, quota.seconds, quota.most, _LONGEST_LOCK_S, _FORGIVEN_S)
    row = await source.fetch_one(_STRIKE, *values)
    return math.ceil(row["wait"]) if row else 0


async def locked_s(source: Source, names: Sequence[str], keys: Sequence[str], now: float) -> int:
    """The seconds for which a source is locked out by one of its keys; 0: it is not."""
    row = await source.fetch_one(_LOCKED, list(names), list(keys))
    return math.ceil(max(row["until"] - now, 0)) if row else 0


# Slices of a quota for one process

#: A slice is this part of a quota; a process remembers the leases of so many sources.
_SLICES, _REMEMBERED = 20, 4096
#: Seconds for which nothing is counted while the database is away.
_UNCOUNTED_S = 2.0


@dataclass(slots=True)
class _Lease:
    """Uses at hand; `left` and `resets_at` are those of the whole quota as last heard of."""

    at_hand: int
    left: int
    resets_at: float
    refused_until: float
    asking: asyncio.Lock


class Leases:
    """The slices of one quota that a process has at hand, one for each source."""

    def __init__(self, quota: Quota, now: Callable[[], float] = time.time) -> None:
        self.quota = quota
        self._slice = max(1, quota.most // _SLICES)
        self._now = now
        self._leases: OrderedDict[str, _Lease] = OrderedDict()

    async def use(self, source: Source, key: str) -> Taken:
        """Uses one of the quota; most often without a statement. Never refuses for want of a
        database: what needs it will say so.

        Of a refusal `resets_s` is when to come back: there is a slice again.
        """
        lease = self._of(key)
        if lease.at_hand <= 0 and lease.refused_until <= self._now():
            async with lease.asking:
                await self._fill(source, key, lease)
        now = self._now()
        if lease.at_hand <= 0:
            return Taken(0, 0, max(1, math.ceil(lease.refused_until - now)))
        lease.at_hand -= 1
        return Taken(1, lease.left + lease.at_hand, max(1, math.ceil(lease.resets_at - now)))

    def _of(self, key: str) -> _Lease:
        lease = self._leases.get(key)
        if lease is None:
            lease = self._leases[key] = _Lease(0, 0, 0.0, 0.0, asyncio.Lock())
            if len(self._leases) > _REMEMBERED:
                self._leases.popitem(last=False)
        else:
            self._leases.move_to_end(key)
        return lease

    async def _fill(self, source: Source, key: str, lease: _Lease) -> None:
        now = self._now()
        if lease.at_hand > 0 or lease.refused_until > now:
            return  # another request of this source has asked meanwhile
        try:
            taken = await take(source, self.quota, key, now, self._slice)
        except DATABASE_ERRORS:
            taken = Taken(self._slice, 0, math.ceil(_UNCOUNTED_S))
        lease.at_hand, lease.left = taken.granted, taken.left
        lease.resets_at = now + taken.resets_s
        if taken.refused:
            lease.refused_until = now + self.quota.seconds * self._slice / self.quota.most


# What is over

#: $1 now, $2 rows in a statement.
_FORGET = (
    f"""DELETE FROM quota_use WHERE ctid = ANY (ARRAY(SELECT ctid FROM quota_use
    WHERE spent_until < $1::float8 AND (strikes = 0 OR locked_until + {_FORGIVEN_S} < $1::float8)
    LIMIT $2::int))
    RETURNING name""",
    """DELETE FROM asked_member WHERE ctid = ANY (ARRAY(SELECT ctid FROM asked_member
    WHERE until < $1::float8 LIMIT $2::int)) RETURNING client_id""",
)


async def forget_unused(source: Source, now: float, batch: int = 1000) -> int:
    """Deletes what no longer counts, `batch` rows a statement. Returns the number of rows."""
    gone = 0
    for statement in _FORGET:
        while rows := await source.fetch(statement, now, batch):
            gone += len(rows)
    return gone
