"""Moves a referral from the plan key `unassigned` to the plan that it turns out to belong to.

The referral keeps its FHIR id, its history and its versions. Rows that the service may change get
the new plan. History and determinations follow the referral by their foreign key. Resources and
attempts, which have none, are copied under the new plan; their originals stay under the old one,
where nobody finds them: every read starts at the locator or at the referral's row. The caller holds
the referral's lock and composes no change before this move.
"""

from functools import cache

from sqlalchemy import ClauseElement, ColumnElement, Table, and_, insert, select, update

from app.store.database import Transaction
from app.store.statement import Compiled, compiled, text_given
from app.store.tables.metadata import metadata
from app.store.tables.notification import attempt, message
from app.store.tables.referral import referral, resource_set

_BEFORE = text_given("before")
_AFTER = text_given("after")
_REFERRAL = text_given("referral")


async def change_plan(transaction: Transaction, referral_id: str, before: str, after: str) -> None:
    """Puts all rows of the referral under the new plan, in the caller's transaction."""
    for statement in _statements():
        called = statement.called(before=before, after=after, referral=referral_id)
        await transaction.execute(*called)


@cache
def _statements() -> tuple[Compiled, ...]:
    """Composes a statement for each table with rows of a referral that do not follow by themselves.

    The attempts come first, because their messages tell whose they are, by the old plan.
    """
    of_message = and_(attempt.c.plan == message.c.plan, attempt.c.message_id == message.c.id)
    whose = and_(of_message, message.c.plan == _BEFORE, message.c.referral_id == _REFERRAL)
    moved = update(referral).where(referral.c.plan == _BEFORE, referral.c.id == _REFERRAL)
    others = [
        table
        for table in metadata.sorted_tables
        if {"plan", "referral_id"} <= set(table.columns.keys()) and not table.foreign_keys
    ]
    expressions = (_copy(attempt, whose), moved.values(plan=_AFTER), *map(_moved, others))
    return tuple(compiled(expression) for expression in expressions)


def _moved(table: Table) -> ClauseElement:
    whose = and_(table.c.plan == _BEFORE, table.c.referral_id == _REFERRAL)
    if table is resource_set:
        return _copy(table, whose)
    return update(table).where(whose).values(plan=_AFTER)


def _copy(table: Table, whose: ColumnElement[bool]) -> ClauseElement:
    names = [column.name for column in table.columns]
    values = [_AFTER if name == "plan" else table.columns[name] for name in names]
    return insert(table).from_select(names, select(*values).where(whose))
