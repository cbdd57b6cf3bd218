"""Moves a referral from `unassigned` to the plan that it turns out to belong to.

Same FHIR id, same history, same versions. What hangs on the referral by its key follows the key
(`ON UPDATE CASCADE`); what is append-only and has no such key is copied under the new plan, and
what stays under the old one is found by nobody: every reading goes by the locator or by the
referral's row. The caller holds the referral's lock and composes nothing before this.
"""

from sqlalchemy.ext.asyncio import AsyncConnection

from app.store.tables.metadata import metadata

_REFERRAL = "UPDATE referral SET plan = $2 WHERE plan = $1 AND id = $3"
_VERSIONS = """INSERT INTO resource_version
    (plan, type, id, version, referral_id, updated_at, body, words)
SELECT $2, type, id, version, referral_id, updated_at, body, words FROM resource_version
WHERE plan = $1 AND referral_id = $3"""
#: Before the messages themselves change their plan.
_ATTEMPTS = """INSERT INTO attempt
    (plan, message_id, endpoint_id, number, at, status, error, duration_ms, response, manual)
SELECT $2, a.message_id, a.endpoint_id, a.number, a.at, a.status, a.error, a.duration_ms,
    a.response, a.manual
FROM attempt a JOIN message m ON m.plan = a.plan AND m.id = a.message_id
WHERE a.plan = $1 AND m.referral_id = $3"""
_COPIED = frozenset({"resource_version", "attempt"})


async def change_plan(
    connection: AsyncConnection, referral_id: str, before: str, after: str
) -> None:
    """Everything of the referral is the new plan's from now on, in the caller's transaction."""
    keys = (before, after, referral_id)
    for statement in (_VERSIONS, _ATTEMPTS, _REFERRAL, *_followers()):
        await connection.exec_driver_sql(statement, keys)


def _followers() -> list[str]:
    """An update for each table that names plan and referral without being copied.

    Where the key cascades there is nothing left to do, and the statement finds no row.
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
