"""A large stock of referrals: copies of some that the service took, row by row, so that tables and
indexes grow as they would in years.
"""

from typing import Any

from app.store.tables.metadata import metadata

#: How many different referrals are copied.
_MODELS = 20
#: The columns that tell one referral's rows from another's.
_OWN = {"id", "referral_id", "message_id", "cin", "number", "value"}
#: Every table with rows of a referral, and the column that names the referral.
_TABLES = [
    (table, "id" if table.name == "referral" else "referral_id")
    for table in metadata.sorted_tables
    if table.name == "referral" or "referral_id" in table.columns
]

_CHOOSE = """SELECT r.id FROM referral r WHERE r.state = 'approved' AND NOT EXISTS (
    SELECT FROM delivery d WHERE d.plan = r.plan AND d.referral_id = r.id
        AND d.state <> 'delivered')
LIMIT $1"""


async def grow(connection: Any, count: int) -> int:
    """Adds about `count` referrals, decided and told; returns how many are stored now."""
    models = [row["id"] for row in await connection.fetch(_CHOOSE, _MODELS)]
    for table, own in _TABLES:
        await connection.execute(_copy(table, own), models, count // len(models))
    await connection.execute("VACUUM ANALYZE")
    stored: int = await connection.fetchval("SELECT count(*) FROM referral")
    return stored


def _copy(table: Any, own: str) -> str:
    names = [column.name for column in table.columns]
    values = [f"{name} || '-' || n" if name in _OWN else name for name in names]
    return (
        f"INSERT INTO {table.name} ({', '.join(names)}) SELECT {', '.join(values)}"
        f" FROM {table.name}, generate_series(1, $2::int) n WHERE {own} = ANY ($1::text[])"
    )


async def rows_of_a_referral(connection: Any) -> float:
    """How many rows the service writes for a referral, on the average of what is stored."""
    counts = " + ".join(f"(SELECT count(*) FROM {table.name})" for table, _ in _TABLES)
    sql = f"SELECT ({counts})::float8 / (SELECT count(*) FROM referral)"
    rows: float = await connection.fetchval(sql)
    return rows
