"""Referrals that the service took, as models of others: which rows are theirs, and which of their
values are their own.

Nothing here knows a table by name but `referral`: the log of the database (`bench.written`) says
which tables get rows of a referral, and its catalog what columns they have.
Models are referrals that no move has changed since their post, two or more for each performer. So a
value that only one of them has, and that some unique index holds, is the model's own: its ids, its
member's number, its identifier. What several have is not: organizations, endpoints, codes.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

_TABLES = """
SELECT c.relname AS name, array_agg(a.attname::text ORDER BY a.attnum) AS columns,
    array_agg(format_type(a.atttypid, a.atttypmod) ORDER BY a.attnum) AS types,
    array(SELECT DISTINCT u.attname::text FROM pg_index i
        JOIN pg_attribute u ON u.attrelid = i.indrelid AND u.attnum = ANY (i.indkey)
        WHERE i.indrelid = c.oid AND i.indisunique AND u.atttypid = 'text'::regtype) AS keys
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY ($1)
    AND a.attnum > 0 AND NOT a.attisdropped
GROUP BY c.oid, c.relname ORDER BY c.relname
"""


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the service: column → type, and the text columns that unique indexes have."""

    name: str
    columns: dict[str, str]
    keys: list[str]


async def tables(connection: Any, names: Iterable[str]) -> list[Table]:
    """The tables of those names."""
    return [
        Table(row["name"], dict(zip(row["columns"], row["types"], strict=True)), row["keys"])
        for row in await connection.fetch(_TABLES, list(names))
    ]


Rows = dict[str, list[Any]]


async def posted(connection: Any, known: Sequence[Table], referrals: Sequence[str]) -> list[Rows]:
    """For each referral, table → the rows that its post wrote: those of its transaction."""
    wrote = "SELECT id, xmin AS wrote FROM referral WHERE id = ANY ($1)"
    by = {row["wrote"]: row["id"] for row in await connection.fetch(wrote, list(referrals))}
    found: dict[str, Rows] = {referral: {} for referral in referrals}
    for table in known:
        sql = f'SELECT xmin AS wrote, t.* FROM "{table.name}" t WHERE xmin = ANY ($1::xid[])'
        for row in await connection.fetch(sql, list(by)):
            found[by[row["wrote"]]].setdefault(table.name, []).append(row)
    return list(found.values())


def own_values(known: Sequence[Table], models: Iterable[Rows]) -> list[set[str]]:
    """The values of each model that no other has."""
    keys = {table.name: table.keys for table in known}
    held = [
        {row[key] for name, rows in model.items() for row in rows for key in keys[name]}
        for model in models
    ]
    count = Counter(value for values in held for value in values)
    return [{value for value in values if value and count[value] == 1} for values in held]
