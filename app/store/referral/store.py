"""Writes referrals, and turns their rows into values; no other module does.

A move is one statement (`app.store.referral.statement`): so a decision costs one round trip, and
the database has either all of its rows or none.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

import orjson
from sqlalchemy import Table

from app.base.local_time import stored_day
from app.model.lifecycle import BusinessStatus, State
from app.model.record import Authorization, Referral
from app.store.audit.access import is_recorded, patients, row_of_move
from app.store.database import Row, Source
from app.store.database_errors import StatementRefused, constraint, sqlstate
from app.store.referral.changes import Changes
from app.store.referral.statement import (
    MOST_VALUES,
    RACE,
    MoveShape,
    TableRows,
    is_array,
    marks,
    statement,
)
from app.store.tables.audit import audit_event
from app.store.tables.decision import service_authorization
from app.store.tables.notification import message
from app.store.tables.referral import referral, referral_history, task

_COLUMNS = tuple(column.name for column in referral.columns)
#: The columns of a referral, each with the name of its parameter in the statement.
_MARKED = tuple(zip(_COLUMNS, marks(referral, 0, _COLUMNS), strict=True))
#: The SQLSTATE of a check that failed (`nwd_require`); its constraint is the name of the check.
_CHECK_FAILED = "NW001"


class StaleReferral(Exception):
    """The referral changed between our reading and our writing: somebody else moved it."""


class LostRace(Exception):
    """A parallel post wrote the same, or gave the member the same service: nothing was written."""


class PlaceGone(Exception):
    """The offer has no place any more, or has one again: somebody else was faster."""


async def write(source: Source, changes: Changes) -> None:
    """Writes one move. Raises `StaleReferral` or `PlaceGone` if what was read is no longer so, and
    `LostRace` if a new referral was written by another request meanwhile.
    """
    changes.rows[audit_event] = [_for_the_record(changes)]
    shape = MoveShape(
        new=changes.before is None,
        rows=tuple(
            TableRows(table, tuple(rows[0]), len(rows) if len(rows) <= MOST_VALUES else None)
            for table, rows in changes.rows.items()
        ),
        departs=bool(changes.departed),
        fans_out=bool(changes.recipients),
        place=_place(changes),
    )
    try:
        await source.execute(*statement(shape).called(**_values(changes)))
    except StatementRefused as error:
        if sqlstate(error) != _CHECK_FAILED:
            raise
        lost = {"place": PlaceGone, RACE: LostRace}
        raise lost.get(constraint(error), StaleReferral) from error
    is_recorded()
    if changes.recipients:
        source.deliveries_due()


def _for_the_record(changes: Changes) -> dict[str, Any]:
    """Makes the move's row of the record: by the request, or by whoever the history names."""
    after = changes.after
    about = [f"ServiceRequest/{after.id}", *patients(after.member_id, after.patient_id)]
    made = changes.rows.get(referral_history) or [{"actor": "clock", "event": "announce"}]
    by = {name: made[0].get(name) for name in ("actor", "organization_id", "request_id", "event")}
    return row_of_move(after.plan, about, after.updated_at, by)


def _values(changes: Changes) -> dict[str, Any]:
    """Lists the parameters of the statement by name."""
    after = changes.after
    values = {name: getattr(after, column) for column, name in _MARKED}
    for table, rows in changes.rows.items():
        if len(rows) > MOST_VALUES:
            columns = tuple(rows[0])
            values.update(zip(marks(table, 0, columns), _arrays(table, rows), strict=True))
            continue
        for number, row in enumerate(rows):
            values.update(zip(marks(table, number, tuple(row)), row.values(), strict=True))
    if changes.before is not None:
        values["read_version"] = changes.before.version
        values["read_state"] = changes.before.state.value
    if changes.departed:
        values["departed"] = changes.departed
    if changes.proposed is not None and changes.proposed.offer is not None:
        values["offer"] = changes.proposed.offer.id
        values["offer_status"] = changes.proposed.offer.status
    return values | (_fan_out(changes) if changes.recipients else {})


def _arrays(table: Table, rows: Sequence[Mapping[str, Any]]) -> Iterator[list[Any]]:
    """Yields an array for each column; of a column of arrays, all elements (`statement._given`)."""
    lists = [column for column in rows[0] if is_array(table, column)]
    for column in rows[0]:
        if column in lists:
            yield [element for row in rows for element in row[column]]
        else:
            repeated = ([row[column]] * (len(row[lists[0]]) if lists else 1) for row in rows)
            yield [value for values in repeated for value in values]


def _place(changes: Changes) -> Literal["take", "wait"] | None:
    if changes.proposed is None or changes.proposed.offer is None:
        return None
    return "take" if changes.proposed.performer_id else "wait"


def _fan_out(changes: Changes) -> dict[str, Any]:
    after = changes.after
    rows = {row["id"]: row for row in changes.rows[message]}
    named = [(rows[message_id], organization) for message_id, organization in changes.recipients]
    tasks = _tasks(changes)
    return {
        "plan": after.plan,
        "referral": after.id,
        "now": after.updated_at,
        "messages": [row["id"] for row, _ in named],
        "types": [row["event_type"] for row, _ in named],
        "seqs": [row["seq"] for row, _ in named],
        "organizations": [organization for _, organization in named],
        "authorized": service_authorization in changes.rows,
        "performer": after.performer_id or after.asked_performer_id,
        "requester": after.organization_id,
        "tasks": [each[0] for each in tasks],
        "statuses": [each[1] for each in tasks],
        "owners": [each[2] for each in tasks],
        "requesters": [each[3] for each in tasks],
    }


def _tasks(changes: Changes) -> list[tuple[str, str, str | None, str | None]]:
    """Lists the Tasks after the change: id, status, owner, requester; the referral's Task first."""
    rows = changes.rows[task]
    (own,) = (row for row in rows if row["kind"] == "referral")
    plan = own["owner_id"]
    return [
        (own["id"], own["status"], plan, changes.after.organization_id),
        *((r["id"], r["status"], r["owner_id"], plan) for r in rows if r["kind"] == "service"),
    ]


def to_referral(row: Row) -> Referral:
    """Reads a row of `referral`, by the names of its columns."""
    values = {name: row[name] for name in _COLUMNS}
    values["state"] = State(values["state"])
    status = values["business_status"]
    values["business_status"] = None if status is None else BusinessStatus(status)
    return Referral(**values)


def to_authorization(row: Mapping[str, Any]) -> Authorization:
    """Reads a row of `service_authorization` from the JSON object that the database makes of it."""
    expiring, expired = row["expiring_told_at"], row["expired_told_at"]
    return Authorization(
        number=row["number"],
        service=row["service"],
        performer_id=row["performer_id"],
        starts_on=stored_day(row["starts_on"]),
        ends_on=stored_day(row["ends_on"]),
        units=orjson.loads(row["units"]) if row["units"] else None,
        previous_id=row["previous_id"],
        status=row["status"],
        expiring_told_at=expiring and datetime.fromisoformat(expiring),
        expired_told_at=expired and datetime.fromisoformat(expired),
    )
