"""A large stock of referrals: copies of models, row by row, as if they had come over the years, so
that tables and indexes grow as they would.

The models are delivered referrals (`bench.models`). Each copy has names of its own and all its
moments earlier than the copy before, ten thousand referrals a month: so a report over a month finds
as many in a large stock as in a small one. Days (`date`) stay, so that no clock falls due. A UUID
stays one, with the earlier moment in it, so that keys come in the order of time, and rows are in
the partitions of their months, which are made back to the first.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from app.store.months import MONTHLY, month_after, partition
from bench.models import Table, own_values, posted, tables

#: Seconds from one referral to the next.
_APART_S = 30 * 86_400 / 10_000
#: Referrals that are written in one transaction.
_AT_ONCE = 5_000

#: How an id of ours begins (a regular expression).
_ID = "^[0-9a-f]{8}-[0-9a-f]{4}-7"
#: Makes a copy's value of one that is a model's own: a UUID with its moment so many seconds
#: earlier, any other with a suffix.
_MOVED = rf"""
CREATE FUNCTION pg_temp.moved(value text, seconds float8, suffix text) RETURNS text
IMMUTABLE LANGUAGE sql AS $$ SELECT CASE WHEN value ~ '{_ID}'
    THEN overlay(lpad(to_hex(('x' || replace(left(value, 13), '-', ''))::bit(48)::bigint
        - (1000 * seconds)::bigint), 12, '0') PLACING '-' FROM 9 FOR 0) || substr(value, 14)
    ELSE value || suffix END $$
"""
_SIZES = """
SELECT coalesce(pg_partition_root(c.oid), c.oid)::regclass::text AS name,
    sum(pg_table_size(c.oid) - coalesce(pg_total_relation_size(nullif(c.reltoastrelid, 0)), 0))
        AS heap,
    sum(pg_indexes_size(c.oid)) AS indexes,
    sum(coalesce(pg_total_relation_size(nullif(c.reltoastrelid, 0)), 0)) AS toast
FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
GROUP BY 1
"""

#: Table → bytes of its rows, of its indexes, and of values stored out of line.
Sizes = dict[str, tuple[int, int, int]]


async def sizes(connection: Any) -> Sizes:
    """What every table takes on disk."""
    rows = await connection.fetch(_SIZES)
    return {row[0]: (int(row[1]), int(row[2]), int(row[3])) for row in rows}


@dataclass(slots=True)
class Stock:
    """Copies the models into the service's tables. The connection is a superuser's, and a session
    of its own: foreign keys are not looked at, every other constraint and index is.
    """

    connection: Any
    models: Sequence[str]
    #: The tables that have rows of the models.
    names: Sequence[str]
    #: Copies of each model so far: the next ones are earlier.
    copied: int = 0
    _copies: list[str] = field(default_factory=list)

    async def grow(self, count: int) -> float:
        """Adds `count` referrals or a few more; returns the seconds that it took."""
        began = time.perf_counter()
        if not self._copies:
            await self._take_models()
        last = self.copied + -(-count // len(self.models))
        await self._make_months(timedelta(seconds=last * _APART_S * len(self.models)))
        step = max(1, _AT_ONCE // len(self.models))
        # The earliest first, as they would have come.
        for top in range(last, self.copied, -step):
            bottom = max(self.copied + 1, top - step + 1)
            async with self.connection.transaction():
                for sql in self._copies:
                    await self.connection.execute(sql, top, bottom)
        self.copied = last
        await self.connection.execute("VACUUM ANALYZE")
        return time.perf_counter() - began

    async def _take_models(self) -> None:
        """Puts all rows of the models, also those of their deliveries, into tables beside."""
        await self.connection.execute("SET session_replication_role = replica")
        known = await tables(self.connection, self.names)
        rows = await posted(self.connection, known, self.models)
        own = set().union(*own_values(known, rows))
        await self.connection.execute(_MOVED)
        for table in known:
            if table.keys:
                held = " OR ".join(f'"{key}" = ANY ($1)' for key in table.keys)
                taken = await self._take(table, held, own)
                if taken:
                    self._copies.append(taken)

    async def _make_months(self, back: timedelta) -> None:
        """Makes the partitions of all months since so long ago, as if they had been made then."""
        month = datetime.now(UTC).date()
        first = (datetime.now(UTC) - back).date().replace(day=1)
        while month >= first:
            since, until = await self.connection.fetchval("SELECT nwd_month_bounds($1)", month)
            for table in MONTHLY:
                await self.connection.execute(
                    f"CREATE TABLE IF NOT EXISTS {partition(table, month)} PARTITION OF {table}"
                    f" FOR VALUES FROM ('{since}') TO ('{until}')"
                )
            month = month_after(month, -1)

    async def _take(self, table: Table, held: str, own: set[str]) -> str:
        """Puts the models' rows of a table beside; returns the statement that copies them."""
        found = await self.connection.fetch(f'SELECT * FROM "{table.name}" WHERE {held}', list(own))
        if not found:
            return ""
        beside = f'"model_{table.name}"'
        await self.connection.execute(
            f'CREATE TEMP TABLE {beside} AS SELECT * FROM "{table.name}" LIMIT 0'
        )
        await self.connection.copy_records_to_table(beside.strip('"'), records=found)
        away = f"n * {_APART_S * len(self.models)}::float8"
        values = []
        for column, kind in table.columns.items():
            names = [row[column] for row in found if row[column] is not None]
            mine = {name for name in names if kind == "text" and name.partition(".")[0] in own}
            if mine:
                moved = f"""pg_temp.moved("{column}", {away}, '-' || n)"""
                if len(mine) == len(set(names)):
                    values.append(moved)
                else:  # in some rows the id of a letter, in others a number
                    values.append(f"""CASE WHEN "{column}" ~ '{_ID}' THEN {moved}
                        ELSE "{column}" END""")
            elif kind == "timestamp with time zone":
                values.append(f"\"{column}\" - {away} * interval '1 s'")
            else:
                values.append(f'"{column}"')
        return (
            f'INSERT INTO "{table.name}" SELECT {", ".join(values)}'
            f" FROM generate_series($1::int, $2::int, -1) n, {beside}"
        )


def a_referral(before: Sizes, after: Sizes, count: int) -> dict[str, list[float]]:
    """Table → bytes that each of `count` more referrals takes: rows, indexes, out of line."""
    none = (0, 0, 0)
    return {
        name: [
            (now - then) / count
            for now, then in zip(after[name], before.get(name, none), strict=True)
        ]
        for name in after
    }
