"""Reads deliveries: those to the caller's organization, and for plan staff all of their plan.

One statement reads a page. Of the endpoint of another organization, the statement reads only the
id, the kind, whether the endpoint is active, and why not; never its URL, its headers, its
description, or the body of an answer. `show.py` puts the rows into words.

The statement of a page is made once for each combination of filters (`_Shape`): other filters need
other indexes. All deliveries of a plan are read by their key, whose message ids rise with time.
Others are read by endpoint and time, or from the few messages of one referral.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    Subquery,
    Text,
    and_,
    cast,
    column,
    false,
    func,
    or_,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by

from app.model.caller import UNASSIGNED
from app.store.database import Row, Source
from app.store.reading.access import AT_ID, Visibility, at_id, plan_keys, sees_place
from app.store.reading.tables import PLACE
from app.store.statement import (
    Compiled,
    compiled,
    constant,
    moment_given,
    number_given,
    text_given,
    texts_given,
)
from app.store.tables.directory import organization
from app.store.tables.notification import (
    attempt,
    correspondence,
    delivery,
    message,
    webhook_endpoint,
)
from app.views.deliveries.model import Channel, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveriesQuery:
    """The query for a page. `after` is the last row of the page before: the moment at which the row
    was written, the message, the endpoint.
    """

    seen: Visibility
    referral: str | None = None
    endpoint: str | None = None
    state: Outcome | None = None
    kind: Channel | None = None
    after: tuple[datetime, str, str] | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class _Shape:
    """Which filters a query has; a state is part of the shape, since states have own indexes."""

    staff: bool
    referral: bool
    endpoint: bool
    kind: bool
    after: bool
    state: Outcome | None

    @property
    def whole(self) -> bool:
        """Whether all deliveries of the caller's plan are asked for."""
        return self.staff and not (self.referral or self.endpoint or self.kind)


async def deliveries_page(source: Source, wanted: DeliveriesQuery) -> Sequence[Row]:
    """Read the rows of one page, the newest first, and one more row if there is a next page."""
    seen = wanted.seen
    shape = _Shape(
        staff=seen.staff,
        referral=wanted.referral is not None,
        endpoint=wanted.endpoint is not None,
        kind=wanted.kind is not None,
        after=wanted.after is not None,
        state=wanted.state,
    )
    at, last_message, last_endpoint = wanted.after or (None, None, None)
    statement = _page(shape).called(
        organization=seen.organization_id,
        staff=[*seen.staff_plans, UNASSIGNED],
        plans=list(plan_keys()),
        referral=wanted.referral,
        endpoint=wanted.endpoint,
        kind=wanted.kind and wanted.kind.value,
        at=at,
        last_message=last_message,
        last_endpoint=last_endpoint,
        rows=wanted.limit + 1,
    )
    return await source.fetch(*statement)


async def letters(source: Source, referral: str, seen: Visibility) -> Sequence[Row]:
    """Read the letters of a referral; none if the caller is not a party to the referral."""
    return await source.fetch(*_letters().called(**at_id("ServiceRequest", referral, seen)))


@cache
def _letters() -> Compiled:
    c, o = correspondence.alias("c"), organization.alias("o")
    told = func.coalesce(o.c.name, c.c.organization_id).label("organization")
    rows = (
        select(c.c.outcome, c.c.recipient, c.c.status, c.c.medium, c.c.sent_at, c.c.reason, told)
        .join_from(PLACE, c, and_(c.c.plan == PLACE.c.plan, c.c.referral_id == PLACE.c.referral_id))
        .outerjoin(o, o.c.id == c.c.organization_id)
        .where(AT_ID, sees_place(), c.c.medium.is_distinct_from(constant("endpoint")))
    )
    return compiled(rows.order_by(c.c.created_at, c.c.id))


# The statement of a page

_d = delivery.alias("d")
_ROWS = number_given("rows")
_STAFF_PLAN = _d.c.plan == func.any(texts_given("staff"))
_MINE = _d.c.organization_id == text_given("organization")


@cache
def _page(shape: _Shape) -> Compiled:
    """Selects the deliveries of a page, then what is shown of each."""
    found = _found(shape)
    o, e, m = organization.alias("o"), webhook_endpoint.alias("e"), message.alias("m")
    shown = (
        select(
            found,
            m.c.event_type,
            m.c.occurred_at,
            e.c.kind,
            e.c.status,
            e.c.disabled_reason,
            func.coalesce(o.c.name, found.c.organization_id).label("organization"),
            _tries(found).label("tries"),
        )
        .join_from(found, m, _message_of(m, found))
        .join(
            e, and_(e.c.organization_id == found.c.organization_id, e.c.id == found.c.endpoint_id)
        )
        .outerjoin(o, o.c.id == found.c.organization_id)
    )
    return compiled(shown.order_by(*_newest(shape, found)))


def _message_of(one: FromClause, rows: FromClause) -> ColumnElement[bool]:
    """Makes the condition that a message is that of a row; the referral names its partition."""
    return and_(
        one.c.plan == rows.c.plan,
        one.c.id == rows.c.message_id,
        one.c.referral_id == rows.c.referral_id,
    )


def _of_delivery(rows: FromClause) -> ColumnElement[bool]:
    """Makes the condition that an attempt is one at the delivery of a row."""
    return and_(
        attempt.c.plan == rows.c.plan,
        attempt.c.message_id == rows.c.message_id,
        attempt.c.endpoint_id == rows.c.endpoint_id,
    )


def _tries(found: FromClause) -> ColumnElement[Any]:
    """Selects the last ten attempts, in order, as JSON."""
    last = (
        select(attempt)
        .where(_of_delivery(found))
        .order_by(attempt.c.number.desc())
        .limit(constant(10))
        .correlate(found)
        .subquery("a")
    )
    each = func.json_build_array(
        last.c.number, last.c.at, last.c.status, last.c.error, last.c.duration_ms, last.c.manual
    )
    listed = func.json_agg(aggregate_order_by(each, last.c.number))
    return select(cast(listed, Text())).scalar_subquery()


def _newest(shape: _Shape, rows: FromClause) -> list[ColumnElement[Any]]:
    """Orders rows from the newest; the message ids of a plan rise with time."""
    key = (rows.c.message_id.desc(), rows.c.endpoint_id.desc())
    return list(key) if shape.whole else [rows.c.created_at.desc(), *key]


def _found(shape: _Shape) -> Subquery:
    """Selects the deliveries of the page."""
    few = shape.whole and shape.state not in (None, Outcome.DELIVERED)
    if few:  # Few rows have such a state: read them by the index of the state, then sort them.
        kept = _deliveries(shape).cte("few").prefix_with("MATERIALIZED")
        return _first(shape, select(kept), kept).subquery("d")
    if shape.referral:
        s = message.alias("s")
        source = _deliveries(shape).join(s, _message_of(s, _d))
        about = (
            s.c.plan == func.any(texts_given("plans")),
            s.c.referral_id == text_given("referral"),
        )
        return _first(shape, source.where(*about), _d).subquery("d")
    known = func.unnest(texts_given("plans")).table_valued(column("plan", Text()), name="known")
    by, rows = known.render_derived(), _deliveries(shape)
    rows = rows.where(_d.c.plan == by.c.plan)
    sources: FromClause = by
    if not shape.whole:
        w = _endpoints(shape)
        rows = rows.where(_d.c.endpoint_id == w.c.id)
        sources = by.join(w, true())
    each = _first(shape, rows, _d).lateral("each")
    return _first(shape, select(each).select_from(sources.join(each, true())), each).subquery("d")


def _first(shape: _Shape, rows: Select[Any], source: FromClause) -> Select[Any]:
    return rows.order_by(*_newest(shape, source)).limit(_ROWS)


def _endpoints(shape: _Shape) -> Subquery:
    """Selects the endpoints: the one asked for, those of the caller, or for staff all of a kind."""
    e = webhook_endpoint.alias("w")
    if shape.endpoint:
        return select(text_given("endpoint").label("id")).subquery("w")
    if shape.staff and shape.kind:
        return select(e.c.id).where(e.c.kind == text_given("kind")).subquery("w")
    return select(e.c.id).where(e.c.organization_id == text_given("organization")).subquery("w")


def _deliveries(shape: _Shape) -> Select[Any]:
    """Selects from `delivery` what the caller may see and the filters let pass."""
    rows = select(
        _d.c.plan, _d.c.message_id, _d.c.endpoint_id, _d.c.organization_id, _d.c.referral_id,
        _d.c.seq, _d.c.state, _d.c.attempts, _d.c.next_attempt_at, _d.c.delivered_at,
        _d.c.created_at, _d.c.event_number,
    )  # fmt: skip
    if shape.staff:
        # Plan staff see deliveries to others about referrals of their plan, but no tests.
        others = and_(_STAFF_PLAN, _d.c.referral_id != _d.c.message_id)
        rows = rows.where(or_(others, _MINE))
        if not (shape.referral or shape.endpoint):
            rows = rows.where(_STAFF_PLAN)
    else:
        rows = rows.where(_MINE)
    if shape.state is not None:
        rows = rows.where(_in_state(shape.state))
    if shape.kind:
        k = webhook_endpoint.alias("k")
        own = and_(k.c.organization_id == _d.c.organization_id, k.c.id == _d.c.endpoint_id)
        rows = rows.where(select(k.c.id).where(own, k.c.kind == text_given("kind")).exists())
    if shape.after:
        key = (_d.c.message_id, _d.c.endpoint_id)
        last = (text_given("last_message"), text_given("last_endpoint"))
        if shape.whole:
            return rows.where(tuple_(*key) < tuple_(*last))
        at = moment_given("at")
        return rows.where(tuple_(_d.c.created_at, *key) < tuple_(at, *last))
    return rows


def _in_state(state: Outcome) -> ColumnElement[bool]:
    """Tests the state as it is shown: of those that are pending, some fail at present."""
    if state not in (Outcome.PENDING, Outcome.FAILING):
        return _d.c.state == constant(state.value)
    last = (
        select(attempt.c.status.is_(None) | ~attempt.c.status.between(constant(200), constant(299)))
        .where(_of_delivery(_d))
        .order_by(attempt.c.number.desc())
        .limit(constant(1))
    )
    failed = func.coalesce(last.scalar_subquery(), false())
    pending = _d.c.state == constant(Outcome.PENDING.value)
    return and_(pending, failed if state is Outcome.FAILING else ~failed)
