"""What the database wrote, as its own log has it: rows, index entries and bytes.

The write-ahead log names every row and every index entry that a transaction wrote, which no count
of rows can: an update that touches no index is told from one that does, and a partial index counts
where its predicate held. `CREATE EXTENSION pg_walinspect` is needed, and so is a superuser.
"""

from dataclasses import dataclass
from typing import Any

#: By table (a partition counts as its whole), without what PostgreSQL writes in its catalogs. The
#: parts of a value that is stored out of line (TOAST) are bytes, and neither rows nor entries.
#: A GiST index of one page writes it for an entry; a BRIN index has none.
_BY_TABLE = r"""
WITH log AS (
    SELECT resource_manager AS manager, record_type AS kind, description,
        record_length - fpi_length AS bytes,
        substring(block_ref FROM 'rel \d+/\d+/(\d+)')::oid AS file
    FROM pg_get_wal_records_info($1::text::pg_lsn, $2::text::pg_lsn) WHERE xid::text <> '0'
)
SELECT coalesce(pg_partition_root(t.oid), t.oid)::regclass::text AS name,
    count(*) FILTER (WHERE manager = 'Heap' AND kind LIKE 'INSERT%' AND t.relkind = 'r')
        + coalesce(sum(substring(description FROM 'ntuples: (\d+)')::int) FILTER (
            WHERE manager = 'Heap2' AND kind LIKE 'MULTI_INSERT%' AND t.relkind = 'r'), 0) AS rows,
    count(*) FILTER (WHERE manager = 'Heap' AND kind ~ '^(HOT_)?(UPDATE|DELETE)'
        AND t.relkind = 'r') AS changed,
    count(*) FILTER (WHERE t.relkind = 'r' AND (
        manager = 'Btree' AND (kind IN ('INSERT_LEAF', 'INSERT_POST')
            OR kind LIKE 'SPLIT%' AND description ~ '^level:? 0,')
        OR manager = 'Gist' AND kind = 'PAGE_UPDATE'
        OR manager IN ('Gin', 'Hash') AND kind = 'INSERT')) AS entries,
    coalesce(sum(bytes), 0) AS bytes
FROM log
LEFT JOIN pg_class c ON c.relfilenode = log.file
LEFT JOIN pg_index i ON i.indexrelid = c.oid
LEFT JOIN pg_class t ON t.oid = coalesce(i.indrelid, c.oid)
WHERE t.oid IS NULL OR t.relnamespace <> 'pg_catalog'::regnamespace
GROUP BY 1
"""


@dataclass(frozen=True, slots=True)
class Written:
    """Rows inserted, and of those the number in each table; rows changed or deleted; entries in
    indexes; bytes of the log, without the images of whole pages that follow a checkpoint.
    """

    rows: int
    tables: dict[str, int]
    changed: int
    entries: int
    bytes: int


async def position(connection: Any) -> str:
    """The end of the log."""
    at: str = await connection.fetchval("SELECT pg_current_wal_flush_lsn()::text")
    return at


async def written_since(connection: Any, since: str) -> Written:
    """What all transactions of the server wrote since that position."""
    now = await position(connection)
    # The log cannot be read from its end.
    found = await connection.fetch(_BY_TABLE, since, now) if now != since else []
    return Written(
        rows=sum(row["rows"] for row in found),
        tables={row["name"]: row["rows"] for row in found if row["rows"]},
        changed=sum(row["changed"] for row in found),
        entries=sum(row["entries"] for row in found),
        bytes=int(sum(row["bytes"] for row in found)),
    )
