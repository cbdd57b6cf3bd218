"""Moves a referral from the plan key `unassigned` to the plan that it turns out to belong to.

The referral keeps its FHIR id, its history and its versions. Rows with a foreign key to the
referral change with that key (`ON UPDATE CASCADE`). Append-only rows without such a key are copied
under the new plan. Their originals stay under the old plan, where nobody finds them: every read
starts at the locator or at the referral's row. The caller holds the referral's lock and composes
no change before this move.
"""

from app.store.database import Transaction
from app.store.tables.metadata import metadata

_REFERRAL = "UPDATE referral SET plan = $2 WHERE plan = $1 AND id = $3"
_VERSIONS = """INSERT INTO resource_version
    (plan, type, id, version, referral_id, updated_at, body, words)
SELECT $2, type, id, version, referral_id, updated_at, body, words FROM resource_version
WHERE plan = $1 AND referral_id = $3"""
#: Runs before the messages change their plan: it finds the attempts by the old plan.
_ATTEMPTS = """INSERT INTO attempt
    (plan, message_id, endpoint_id, number, at, status, error, duration_ms, response, manual)
SELECT $2, a.message_id, a.endpoint_id, a.number, a.at, a.status, a.error, a.duration_ms,
    a.response, a.manual
FROM attempt a JOIN message m ON m.plan = a.plan AND m.id = a.message_id
WHERE a.plan = $1 AND m.referral_id = $3"""
_COPIED = frozenset({"resource_version", "attempt"})


async def change_plan(transaction: Transaction, referral_id: str, before: str, after: str) -> None:
    """Puts all rows of the referral under the new plan, in the caller's transaction."""
    keys = (before, after, referral_id)
    for statement in (_VERSIONS, _ATTEMPTS, _REFERRAL, *_updates_of_other_tables()):
        await transaction.execute(statement, *keys)


def _updates_of_other_tables() -> list[str]:
    """Composes an update for each table that names plan and referral and is not copied.

    Tables whose key cascades are left out: their rows have changed with the row they refer to.
    """
    return [
        f'UPDATE "{table.name}" SET plan = $2 WHERE plan = $1 AND referral_id = $3'
        for table in metadata.sorted_tables
        if {"plan", "referral_id"} <= set(table.columns.keys())
        and table.name not in _COPIED
        and not _cascades(table)
    ]


def _cascades(table: object) -> bool:
    return any(
        key.onupdate == "CASCADE" and "plan" in key.column_keys
        for key in getattr(table, "foreign_key_constraints", ())
    )
