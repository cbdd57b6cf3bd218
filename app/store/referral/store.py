"""Writes referrals, and turns their rows into values; no other module does.

A move is one statement: the guarded update (or the insert) of the referral and all rows beside it,
as data-modifying CTEs. So a decision costs one round trip, and the database has either all of its
rows or none.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache, lru_cache
from typing import Any

import orjson
from sqlalchemy import Boolean, Date, DateTime, Integer, LargeBinary, Table
from sqlalchemy.types import TypeEngine

from app.base.local_time import stored_day
from app.model.lifecycle import BusinessStatus, State
from app.model.record import Authorization, Referral
from app.store.database import Source
from app.store.referral.changes import Changes
from app.store.tables.decision import information_request, service_authorization
from app.store.tables.notification import delivery, message
from app.store.tables.referral import party, referral, task

_COLUMNS = [column.name for column in referral.columns]
_CASTS: list[tuple[type[TypeEngine[Any]], str]] = [
    (Integer, "int"),
    (DateTime, "timestamptz"),
    (Date, "date"),
    (Boolean, "bool"),
    (LargeBinary, "bytea"),
]
#: At most so many rows go as VALUES, since the driver looks at every element of an array several
#: times. More rows go as arrays: a statement has at most 32,767 parameters, and the text of the
#: statement is then one for every number of rows.
_MOST_VALUES = 8
#: Tables whose row may exist already → the columns that are then updated.
_UPSERT: dict[Table, str] = {
    task: "ON CONFLICT (plan, id) DO UPDATE SET"
    " status = excluded.status, version = excluded.version,"
    " business_status = excluded.business_status, owner_id = excluded.owner_id,"
    " updated_at = excluded.updated_at",
    service_authorization: "ON CONFLICT (plan, referral_id) DO UPDATE SET"
    " performer_id = excluded.performer_id, status = excluded.status,"
    " expiring_told_at = excluded.expiring_told_at, expired_told_at = excluded.expired_told_at,"
    " updated_at = excluded.updated_at",
    information_request: "ON CONFLICT (plan, referral_id, seq) DO UPDATE SET"
    " attempts = excluded.attempts, reminded_at = excluded.reminded_at,"
    " answered_at = excluded.answered_at, ended_at = excluded.ended_at",
    party: "ON CONFLICT (plan, organization_id, referral_id, role) DO UPDATE SET until = NULL",
}

#: Writes a delivery for each endpoint that a message goes to. `told` picks one Task for a
#: Subscription, among the Tasks that its filters let through: first the service Task that its own
#: organization has, then the referral's Task, then the service Task of another organization.
#: Topics other than Task are about the referral.
_FAN_OUT = """INSERT INTO delivery (plan, message_id, endpoint_id, organization_id, referral_id,
    seq, state, attempts, next_attempt_at, created_at, focus)
SELECT ${plan}, m.message_id, e.id, e.organization_id, ${referral}, m.seq,
    CASE e.status WHEN 'active' THEN 'pending' ELSE 'held' END, 0, ${now}, ${now},
    CASE WHEN e.focus = 'Task' OR e.focus = 'ClaimResponse' AND NOT ${authorized}
        THEN 'Task/' || told.task_id ELSE e.focus || '/' || ${referral} END
FROM unnest(${ids}::text[], ${types}::text[], ${seqs}::int[], ${organizations}::text[])
    AS m(message_id, event_type, seq, organization_id)
JOIN webhook_endpoint e ON e.organization_id = m.organization_id
    AND (e.event_types = '{}' OR m.event_type = ANY (e.event_types))
    AND (e.plans = '{}' OR ${plan} = ANY (e.plans))
LEFT JOIN LATERAL (
    SELECT t.task_id FROM unnest(${tasks}::text[], ${statuses}::text[], ${owners}::text[],
        ${requesters}::text[]) WITH ORDINALITY AS t(task_id, status, owner, requester, place)
    WHERE e.kind = 'subscription' AND e.status <> 'disabled'
        AND (e.ends_at IS NULL OR e.ends_at > ${now})
        AND (e.filter_statuses = '{}' OR t.status = ANY (e.filter_statuses))
        AND (e.filter_owners = '{}' OR ${performer} = ANY (e.filter_owners) AND e.focus <> 'Task'
            OR t.owner = ANY (e.filter_owners) AND e.focus = 'Task')
        AND (e.filter_requesters = '{}'
            OR ${requester} = ANY (e.filter_requesters) AND e.focus <> 'Task'
            OR t.requester = ANY (e.filter_requesters) AND e.focus = 'Task')
    ORDER BY t.place > 1 AND t.owner = e.organization_id DESC NULLS LAST,
        t.place LIMIT 1) AS told ON true
WHERE e.kind = 'webhook' OR told.task_id IS NOT NULL"""


class StaleReferral(Exception):
    """The referral changed between our reading and our writing: somebody else moved it."""


def _cast(table: Table, name: str) -> str:
    kind = table.columns[name].type
    return next((cast for base, cast in _CASTS if isinstance(kind, base)), "text")


class _Parameters:
    """Numbers the parameters of one statement."""

    def __init__(self) -> None:
        self.values: list[Any] = []

    def add(self, value: Any) -> str:
        self.values.append(value)
        return f"${len(self.values)}"


@lru_cache(maxsize=1024)
def _insert_sql(table: Table, names: tuple[str, ...], count: int | None, first: int) -> str:
    """Inserts `count` rows as VALUES, or (None) any number of rows as one array a column."""
    columns = ", ".join(f'"{name}"' for name in names)
    casts = [_cast(table, name) for name in names]
    numbers = iter(range(first, first + (count or 1) * len(names)))
    if count is None:
        arrays = ", ".join(f"${next(numbers)}::{cast}[]" for cast in casts)
        rows = f"SELECT * FROM unnest({arrays})"
    else:
        rows = "VALUES " + ", ".join(
            f"({', '.join(f'${next(numbers)}::{cast}' for cast in casts)})" for _ in range(count)
        )
    return f'INSERT INTO "{table.name}" ({columns}) {rows} {_UPSERT.get(table, "")}'


def _insert(parameters: _Parameters, table: Table, rows: Sequence[Mapping[str, Any]]) -> str:
    names = tuple(rows[0])
    first = len(parameters.values) + 1
    if len(rows) > _MOST_VALUES:
        parameters.values.extend([row[name] for row in rows] for name in names)
        return _insert_sql(table, names, None, first)
    for row in rows:
        parameters.values.extend([row[name] for name in names])
    return _insert_sql(table, names, len(rows), first)


@cache
def _referral_sql(new: bool, first: int) -> str:
    if new:
        marks = ", ".join(
            f"${first + index}::{_cast(referral, name)}" for index, name in enumerate(_COLUMNS)
        )
        return f"INSERT INTO referral ({', '.join(_COLUMNS)}) VALUES ({marks}) RETURNING 1"
    sets = ", ".join(
        f"{name} = ${first + index}::{_cast(referral, name)}"
        for index, name in enumerate(_COLUMNS)
        if name not in ("plan", "id")
    )
    guard = first + len(_COLUMNS)
    return (
        f"UPDATE referral SET {sets} WHERE plan = ${first} AND id = ${first + 1}"
        f" AND version = ${guard}::int AND state = ${guard + 1} RETURNING 1"
    )


def _write_referral(parameters: _Parameters, changes: Changes) -> str:
    sql = _referral_sql(changes.before is None, len(parameters.values) + 1)
    parameters.values.extend(getattr(changes.after, name) for name in _COLUMNS)
    if changes.before is not None:
        parameters.values.extend((changes.before.version, changes.before.state.value))
    return sql


def _fan_out(parameters: _Parameters, changes: Changes) -> str:
    rows = {row["id"]: row for row in changes.rows[message]}
    named = [(rows[message_id], organization) for message_id, organization in changes.recipients]
    marks = {
        "plan": parameters.add(changes.after.plan) + "::text",
        "referral": parameters.add(changes.after.id) + "::text",
        "now": parameters.add(changes.after.updated_at) + "::timestamptz",
        "ids": parameters.add([row["id"] for row, _ in named]),
        "types": parameters.add([row["event_type"] for row, _ in named]),
        "seqs": parameters.add([row["seq"] for row, _ in named]),
        "organizations": parameters.add([organization for _, organization in named]),
        "authorized": parameters.add(service_authorization in changes.rows) + "::bool",
        "performer": parameters.add(changes.after.performer_id or changes.after.asked_performer_id)
        + "::text",
        "requester": parameters.add(changes.after.organization_id) + "::text",
    }
    tasks = _tasks(changes)
    for index, name in enumerate(("tasks", "statuses", "owners", "requesters")):
        marks[name] = parameters.add([each[index] for each in tasks])
    sql = _FAN_OUT
    for name, mark in marks.items():
        sql = sql.replace("${" + name + "}", mark)
    return sql


def _tasks(changes: Changes) -> list[tuple[str, str, str | None, str | None]]:
    """Lists the Tasks after the change: id, status, owner, requester; the referral's Task first."""
    rows = changes.rows[task]
    (own,) = (row for row in rows if row["kind"] == "referral")
    plan = own["owner_id"]
    return [
        (own["id"], own["status"], plan, changes.after.organization_id),
        *((r["id"], r["status"], r["owner_id"], plan) for r in rows if r["kind"] == "service"),
    ]


def _depart(parameters: _Parameters, changes: Changes) -> str:
    """Ends the part of performers that were passed over or decline: they see no later change."""
    after = changes.after
    return (
        f"UPDATE party SET until = {parameters.add(after.updated_at)}::timestamptz"
        f" WHERE plan = {parameters.add(after.plan)} AND referral_id = {parameters.add(after.id)}"
        f" AND organization_id = ANY ({parameters.add(changes.departed)}::text[])"
        " AND role <> 'requester' AND until IS NULL"
    )


async def write(connection: Source, changes: Changes) -> None:
    """Writes one move. Raises `StaleReferral` if the referral has changed since it was read.

    A unique violation is raised as the driver's error: the caller knows which repeated request it
    means.
    """
    parameters = _Parameters()
    parts = [f"moved AS ({_write_referral(parameters, changes)})"]
    for table, rows in changes.rows.items():
        parts.append(f'"{table.name}_rows" AS ({_insert(parameters, table, rows)})')
    if changes.departed:
        parts.append(f"departed AS ({_depart(parameters, changes)})")
    if changes.recipients:
        parts.append(f'"{delivery.name}_rows" AS ({_fan_out(parameters, changes)})')
    sql = f"WITH {', '.join(parts)} SELECT count(*) FROM moved"
    row = await connection.fetch_one(sql, *parameters.values)
    if row is None or row[0] != 1:
        raise StaleReferral
    if changes.recipients:
        connection.deliveries_due()


#: The columns of `r`, in the order that `to_referral` reads.
REFERRAL_COLUMNS = ", ".join("r." + name for name in _COLUMNS)


def to_referral(row: Sequence[Any]) -> Referral:
    """Reads a row of `referral`, with its columns in the table's order."""
    values = dict(zip(_COLUMNS, row, strict=True))
    values["state"] = State(values["state"])
    status = values["business_status"]
    values["business_status"] = None if status is None else BusinessStatus(status)
    return Referral(**values)


#: The columns of `service_authorization`, in the order that `to_authorization` reads.
AUTHORIZATION_COLUMNS = """number, service, performer_id, starts_on, ends_on, units, previous_id,
    status, expiring_told_at, expired_told_at"""


def to_authorization(row: Sequence[Any]) -> Authorization:
    """Reads a row of `service_authorization` from the JSON array that the database makes of it."""
    number, service, performer, starts, ends, units, previous, status, *moments = row
    expiring, expired = (moment and datetime.fromisoformat(moment) for moment in moments)
    return Authorization(
        number=number,
        service=service,
        performer_id=performer,
        starts_on=stored_day(starts),
        ends_on=stored_day(ends),
        units=orjson.loads(units) if units else None,
        previous_id=previous,
        status=status,
        expiring_told_at=expiring,
        expired_told_at=expired,
    )
