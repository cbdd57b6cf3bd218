"""Writes one move of a referral as a Provenance, from its row of history, when the row is read.

The database writes the Provenance, because searches compare the shown values: so a row of history
is never stored twice, and a search finds exactly what a read shows. The plan's own notes are left
out. All expressions are about a row of `MOVE`.
"""

import re

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Integer,
    LargeBinary,
    Text,
    and_,
    any_,
    case,
    cast,
    column,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB

from app.fhir.r4 import codes
from app.store.reading.match import END, MILLISECOND, PART
from app.store.reading.tables import MOVE
from app.store.statement import SqlCondition, SqlExpression, constant
from app.store.tables.referral import resource_set

_ID = re.compile(r"(.+)-([0-9]{5})")
_ENDS_WITH = "-([0-9]{5})$"


def _joined(*parts: str | SqlExpression) -> SqlExpression:
    """Joins texts; NULL if one of them is."""
    first, *rest = (constant(part) if isinstance(part, str) else part for part in parts)
    for part in rest:
        first = first.op("||", return_type=Text())(part)
    return first


def _object(**elements: str | SqlExpression) -> SqlExpression:
    pairs = [
        each if isinstance(each, ColumnElement) else constant(each)
        for pair in elements.items()
        for each in pair
    ]
    return func.jsonb_build_object(*pairs, type_=JSONB())


def _list(element: SqlExpression) -> SqlExpression:
    return func.jsonb_build_array(element, type_=JSONB())


def _coding(system: str, code: str | SqlExpression) -> SqlExpression:
    return _list(_object(system=system, code=code))


def _text(element: SqlExpression, name: str) -> SqlExpression:
    """Returns a text of a JSON object; NULL for one without a letter."""
    return func.nullif(element.op("->>", return_type=Text())(constant(name)), constant(""))


def _time(moment: SqlExpression, form: str) -> SqlExpression:
    utc = moment.op("AT TIME ZONE")(constant("UTC"))
    return func.to_char(utc, constant(form), type_=Text())


#: The referral's id, then the move's number in five digits: so ids sort in the order of moves.
ID = _joined(MOVE.c.referral_id, "-", func.lpad(cast(MOVE.c.seq, Text), constant(5), constant("0")))


def _version() -> SqlExpression:
    """Finds the ServiceRequest version that the move made: the first of its time or later."""
    s = resource_set.alias("s")
    return (
        select(s.c.version)
        .where(
            s.c.plan == MOVE.c.plan,
            s.c.referral_id == MOVE.c.referral_id,
            constant("ServiceRequest") == any_(s.c.names),
            s.c.updated_at >= MOVE.c.at,
        )
        .order_by(s.c.version)
        .limit(constant(1))
        .correlate_except(s)
        .scalar_subquery()
    )


def _reasons() -> SqlExpression:
    elements = func.jsonb_array_elements(cast(MOVE.c.reason, JSONB))
    each = elements.table_valued(column("reason", JSONB())).render_derived(name="c")
    reason = each.c.reason
    code = _text(reason, "code")
    coded = case((code.is_not(None), _coding(codes.DETERMINATION_REASON, code)))
    written = _object(coding=coded, text=_text(reason, "text"))
    listed = select(func.jsonb_agg(written, type_=JSONB())).select_from(each)
    return listed.correlate_except(each).scalar_subquery()


def _agent() -> SqlExpression:
    performer = _object(coding=_coding(codes.PROVENANCE_PARTICIPANT, "performer"))
    known = _object(reference=_joined("Organization/", MOVE.c.organization_id))
    ours = case(
        (MOVE.c.actor == constant("rules"), constant("The rules of the plan")),
        (MOVE.c.actor == constant("clock"), constant("The clock")),
        else_=constant("This service"),
    )
    who = case((MOVE.c.organization_id.is_not(None), known), else_=_object(display=ours))
    return _object(type=performer, who=who)


def body() -> SqlExpression:
    """Writes the resource as bytes; elements without a known value are left out."""
    at = _time(MOVE.c.at, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
    version = cast(_version(), Text)
    target = _joined(
        "ServiceRequest/",
        MOVE.c.referral_id,
        func.coalesce(_joined("/_history/", version), constant("")),
    )
    policy = _joined(codes.BASE + "policy/", MOVE.c.policy)
    written = _object(
        resourceType="Provenance",
        id=ID,
        meta=_object(versionId="1", lastUpdated=at),
        target=_list(_object(reference=target)),
        recorded=at,
        occurredDateTime=at,
        policy=case((MOVE.c.policy.is_not(None), _list(policy))),
        reason=case((MOVE.c.event != constant("receive"), _reasons())),
        activity=_object(coding=_coding(codes.REFERRAL_EVENT, MOVE.c.event)),
        agent=_list(_agent()),
    )
    plain = cast(func.jsonb_strip_nulls(written, type_=JSONB()), Text)
    return func.convert_to(plain, constant("UTF8"), type_=LargeBinary())


def words() -> SqlExpression:
    """Writes the values that a search compares, in the form of `app.store.reading.words`.

    The values are the time (a millisecond) and the agent.
    """
    form = 'YYYY-MM-DD"T"HH24:MI:SS.US'
    low = func.date_trunc(constant("milliseconds"), MOVE.c.at)
    high = func.date_trunc(constant("milliseconds"), MOVE.c.at.op("+")(MILLISECOND))
    recorded, agent = "recorded" + PART, "agent" + PART
    return _joined(
        END + recorded + END + recorded,
        _time(low, form),
        PART,
        _time(high, form),
        END + agent + END,
        func.coalesce(
            _joined(
                agent + "Organization/",
                MOVE.c.organization_id,
                END + agent,
                MOVE.c.organization_id,
                END,
            ),
            constant(""),
        ),
    )


def of_key(key: FromClause) -> SqlCondition:
    """Makes the condition that a row (plan, id) names the move; other ids name no move."""
    referral_id = func.regexp_replace(key.c.id, constant("-[0-9]{5}$"), constant(""))
    number = cast(func.substring(key.c.id, constant(_ENDS_WITH)), Integer)
    return and_(MOVE.c.plan == key.c.plan, MOVE.c.referral_id == referral_id, MOVE.c.seq == number)


def move_named(provenance_id: str) -> tuple[str, int] | None:
    """Read the referral's id and the move's number; None for a Provenance that a client sent."""
    match = _ID.fullmatch(provenance_id)
    return (match[1], int(match[2])) if match else None
