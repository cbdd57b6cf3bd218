"""Composes the one statement that writes a move: the referral and all rows beside it.

Its first result checks what the caller has read: that nobody else has moved the referral, and that
the offer still has the place, or still has none. A check that fails raises inside the statement
(`nwd_require`, a function of the schema), so that nothing of it is written. PostgreSQL evaluates
the checks before it writes the rows that no check refers to.

A statement is composed once for each shape: which tables get how many rows, and what is checked.
"""

from functools import cache, lru_cache
from typing import Any, Literal, NamedTuple

from sqlalchemy import (
    CTE,
    ColumnElement,
    DateTime,
    Integer,
    Select,
    Table,
    and_,
    any_,
    bindparam,
    func,
    literal_column,
    not_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, Insert, aggregate_order_by, insert
from sqlalchemy.types import Boolean, Text

from app.model.known import TAKING
from app.store.statement import Compiled, compiled, number_given, text_given, texts_given
from app.store.tables.decision import information_request, service_authorization
from app.store.tables.directory import offer
from app.store.tables.notification import delivery
from app.store.tables.referral import (
    idempotency_key,
    party,
    referral,
    referral_identifier,
    task,
)

#: At most so many rows go as VALUES, since the driver looks at every element of an array several
#: times. More rows go as arrays: a statement has at most 32,767 parameters, and the statement is
#: then one for every number of rows.
MOST_VALUES = 8
#: Tables whose row may exist already → the columns that are then updated.
_UPDATED: dict[Table, tuple[str, ...]] = {
    task: ("status", "version", "business_status", "owner_id", "updated_at"),
    service_authorization: (
        "performer_id", "status", "expiring_told_at", "expired_told_at", "updated_at",
    ),
    information_request: ("attempts", "reminded_at", "answered_at", "ended_at"),
}  # fmt: skip

#: Tables of which parallel posts write the same rows: of one post that was sent twice, or of two
#: referrals of one member for one service. Of the loser nothing is written.
_RACING = (referral_identifier, idempotency_key, service_authorization)
#: The check that fails then.
RACE = "race"

#: Writes a delivery for each endpoint that a message goes to. `told` picks one Task for a
#: Subscription, among the Tasks that its filters let through: first the service Task that its own
#: organization has, then the referral's Task, then the service Task of another organization.
#: Topics other than Task are about the referral.
_FAN_OUT = """INSERT INTO delivery (plan, message_id, endpoint_id, organization_id, referral_id,
    seq, state, attempts, next_attempt_at, created_at, focus)
SELECT :plan, m.message_id, e.id, e.organization_id, :referral, m.seq,
    CASE e.status WHEN 'active' THEN 'pending' ELSE 'held' END, 0, :now, :now,
    CASE WHEN e.focus = 'Task' OR e.focus = 'ClaimResponse' AND NOT :authorized
        THEN 'Task/' || told.task_id ELSE e.focus || '/' || :referral END
FROM unnest(:messages, :types, :seqs, :organizations)
    AS m(message_id, event_type, seq, organization_id)
JOIN webhook_endpoint e ON e.organization_id = m.organization_id
    AND (e.event_types = '{}' OR m.event_type = ANY (e.event_types))
    AND (e.plans = '{}' OR :plan = ANY (e.plans))
LEFT JOIN LATERAL (
    SELECT t.task_id FROM unnest(:tasks, :statuses, :owners, :requesters)
        WITH ORDINALITY AS t(task_id, status, owner, requester, place)
    WHERE e.kind = 'subscription' AND e.status <> 'disabled'
        AND (e.ends_at IS NULL OR e.ends_at > :now)
        AND (e.filter_statuses = '{}' OR t.status = ANY (e.filter_statuses))
        AND (e.filter_owners = '{}' OR :performer = ANY (e.filter_owners) AND e.focus <> 'Task'
            OR t.owner = ANY (e.filter_owners) AND e.focus = 'Task')
        AND (e.filter_requesters = '{}'
            OR :requester = ANY (e.filter_requesters) AND e.focus <> 'Task'
            OR t.requester = ANY (e.filter_requesters) AND e.focus = 'Task')
    ORDER BY t.place > 1 AND t.owner = e.organization_id DESC NULLS LAST,
        t.place LIMIT 1) AS told ON true
WHERE e.kind = 'webhook' OR told.task_id IS NOT NULL"""
#: The parameters of `_FAN_OUT`, each with its type.
_OF_FAN_OUT: dict[str, Any] = {
    **dict.fromkeys(("plan", "referral", "performer", "requester"), Text()),
    **dict.fromkeys(
        ("messages", "types", "organizations", "tasks", "statuses", "owners", "requesters"),
        ARRAY(Text),
    ),
    "seqs": ARRAY(Integer),
    "now": DateTime(timezone=True),
    "authorized": Boolean(),
}

#: A condition on an offer: it would give a place now (spec.md 5).
_HAS_ROOM: ColumnElement[bool] = and_(
    offer.c.active,
    offer.c.capacity_status == any_(bindparam("taking", sorted(TAKING), ARRAY(Text))),
    offer.c.taken + offer.c.taken_outside < offer.c.places,
)


class TableRows(NamedTuple):
    """TableRows of one table in a shape: their columns, and their number; None for any number."""

    table: Table
    columns: tuple[str, ...]
    number: int | None


class MoveShape(NamedTuple):
    """What a statement writes and checks. `place`: it takes one, or waits for one."""

    new: bool
    rows: tuple[TableRows, ...]
    departs: bool
    fans_out: bool
    place: Literal["take", "wait"] | None


def _mark(table: Table, row: int, name: str) -> str:
    """Names the parameter of a column of a row."""
    return f"{table.name}_{row}_{name}"


@cache
def marks(table: Table, row: int, columns: tuple[str, ...]) -> tuple[str, ...]:
    """Names the parameters of all columns of a row."""
    return tuple(_mark(table, row, name) for name in columns)


@lru_cache(maxsize=1024)
def statement(shape: MoveShape) -> Compiled:
    """Composes the statement of a shape; `marks` names the parameters of its rows."""
    moved = (_insert_referral() if shape.new else _update_referral()).cte("moved")
    checks = [_check(moved, "version")]
    if shape.place is not None:
        checks.append(_check(_take() if shape.place == "take" else _wait(), "place"))
    racing = [rows for rows in shape.rows if shape.new and rows.table in _RACING]
    checks.extend(_check_written(rows) for rows in racing)
    whole = select(*checks)
    for rows in shape.rows:
        if rows not in racing:
            whole = whole.add_cte(_insert(rows).cte(f"{rows.table.name}_rows"))
    if shape.departs:
        whole = whole.add_cte(_depart().cte("departed"))
    if shape.fans_out:
        parameters = (bindparam(name, type_=kind) for name, kind in _OF_FAN_OUT.items())
        fan_out = text(_FAN_OUT).bindparams(*parameters).columns()
        whole = whole.add_cte(fan_out.cte(f"{delivery.name}_rows"))
    return compiled(whole)


def _check(found: CTE, what: str) -> ColumnElement[bool]:
    """Raises, in the database, unless there is one row: the check called `what` has failed."""
    one = select(func.count()).select_from(found).scalar_subquery() == 1
    return func.nwd_require(one, what)


def _check_written(rows: TableRows) -> ColumnElement[bool]:
    """Raises, in the database, unless every row was new: another request was faster.

    The error of the constraint itself would quote the rows in PostgreSQL's log.
    """
    table, columns, number = rows
    written: Any = _new(rows).on_conflict_do_nothing().returning(literal_column("1"))
    found = select(func.count()).select_from(written.cte(f"{table.name}_rows")).scalar_subquery()
    given = func.cardinality(bindparam(_mark(table, 0, columns[0]), type_=ARRAY(Text)))
    return func.nwd_require(found == (given if number is None else number), RACE)


def _of(table: Table, name: str, row: int = 0) -> ColumnElement[Any]:
    return bindparam(_mark(table, row, name), type_=table.columns[name].type)


def _insert_referral() -> Any:
    values = {column.name: _of(referral, column.name) for column in referral.columns}
    return insert(referral).values(values).returning(literal_column("1"))


def _update_referral() -> Any:
    """Updates the referral, if it still has the version and the state that were read."""
    names = [column.name for column in referral.columns if column.name not in ("plan", "id")]
    values = {name: _of(referral, name) for name in names}
    return (
        update(referral)
        .where(
            referral.c.plan == _of(referral, "plan"),
            referral.c.id == _of(referral, "id"),
            referral.c.version == number_given("read_version"),
            referral.c.state == text_given("read_state"),
        )
        .values(values)
        .returning(literal_column("1"))
    )


def _named_offer() -> ColumnElement[bool]:
    of_plan = offer.c.plan == _of(referral, "plan")
    return and_(of_plan, offer.c.id == text_given("offer"))


def _take() -> CTE:
    """Takes the place, if the offer still has one, and the status that was read."""
    as_read = offer.c.capacity_status == text_given("offer_status")
    return (
        update(offer)
        .where(_named_offer(), _HAS_ROOM, as_read)
        .values(taken=offer.c.taken + 1)
        .returning(literal_column("1"))
        .cte("place")
    )


def _wait() -> CTE:
    """Locks the offer, if it still has no place: whoever frees one then finds who waits."""
    return (
        select(literal_column("1"))
        .where(_named_offer(), not_(_HAS_ROOM))
        .select_from(offer)
        .with_for_update()
        .cte("place")
    )


def _new(rows: TableRows) -> Insert:
    table, columns, number = rows
    if number is None:
        return insert(table).from_select(list(columns), _given(table, columns))
    return insert(table).values(
        [{name: _of(table, name, row) for name in columns} for row in range(number)]
    )


def _insert(rows: TableRows) -> Insert:
    table, written = rows.table, _new(rows)
    if table is party:
        return written.on_conflict_do_update(constraint=table.primary_key, set_={"until": None})
    if updated := _UPDATED.get(table):
        new = {name: written.excluded[name] for name in updated}
        return written.on_conflict_do_update(constraint=table.primary_key, set_=new)
    return written


def is_array(table: Table, column: str) -> bool:
    """Tells whether a column has arrays: with many rows their elements come one after another."""
    return isinstance(table.columns[column].type, ARRAY)


def _given(table: Table, columns: tuple[str, ...]) -> Select[Any]:
    """Selects any number of rows, given as an array for each column.

    Where a column has arrays itself, each element comes with the other columns of its row, which
    tell the rows apart: arrays of different lengths would not fit into one.
    """
    kinds = {column: table.columns[column].type for column in columns}
    arrays = [
        bindparam(mark, type_=kinds[column] if is_array(table, column) else ARRAY(kinds[column]))
        for mark, column in zip(marks(table, 0, columns), columns, strict=True)
    ]
    given = (
        func.unnest(*arrays)
        .table_valued(*columns, with_ordinality="place")
        .render_derived(name="given")
    )
    single = [given.c[column] for column in columns if not is_array(table, column)]
    if len(single) == len(columns):
        return select(*single)
    return select(
        *(
            func.array_agg(aggregate_order_by(given.c[column], given.c.place))
            if is_array(table, column)
            else given.c[column]
            for column in columns
        )
    ).group_by(*single)


def _depart() -> Any:
    """Ends the part of performers that were passed over or decline: they see no later change."""
    return (
        update(party)
        .where(
            party.c.plan == _of(referral, "plan"),
            party.c.referral_id == _of(referral, "id"),
            party.c.organization_id == any_(texts_given("departed")),
            party.c.role != "requester",
            party.c.until.is_(None),
        )
        .values(until=_of(referral, "updated_at"))
    )
