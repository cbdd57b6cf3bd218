"""Reads deliveries: those to the caller's organization, and for plan staff all of their plan.

One statement reads a page. Of the endpoint of another organization, the statement reads only the
id, the kind, whether the endpoint is active, and why not; never its URL, its headers, its
description, or the body of an answer. `show.py` puts the rows into words.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.model.caller import UNASSIGNED
from app.store.database import Row, Source
from app.store.reading.access import SEES_LOCATED, SqlStatement, Visibility, located, plan_keys
from app.views.deliveries.model import Channel, Outcome

#: Plan staff see deliveries to others about referrals of their plan, but no tests of endpoints.
_OTHERS = "d.plan = ANY ({staff}) AND d.referral_id <> d.message_id"
_LAST_FAILED = """coalesce((SELECT a.status IS NULL OR a.status NOT BETWEEN 200 AND 299
    FROM attempt a WHERE a.plan = d.plan AND a.message_id = d.message_id
    AND a.endpoint_id = d.endpoint_id ORDER BY a.number DESC LIMIT 1), false)"""
#: Each state is written out, so that PostgreSQL uses the partial indexes of the states.
_STATES = {
    Outcome.PENDING: f"d.state = 'pending' AND NOT {_LAST_FAILED}",
    Outcome.FAILING: f"d.state = 'pending' AND {_LAST_FAILED}",
    Outcome.DELIVERED: "d.state = 'delivered'",
    Outcome.DEAD: "d.state = 'dead'",
    Outcome.HELD: "d.state = 'held'",
}
_COLUMNS = """d.plan, d.message_id, d.endpoint_id, d.organization_id, d.referral_id, d.seq, d.state,
    d.attempts, d.next_attempt_at, d.delivered_at, d.created_at, d.event_number"""

_SHOWN = f"""SELECT {_COLUMNS}, m.event_type, m.occurred_at, e.kind, e.status, e.disabled_reason,
  coalesce(o.name, d.organization_id) AS organization, tried.tries
FROM found d
JOIN message m ON m.plan = d.plan AND m.id = d.message_id
JOIN webhook_endpoint e ON e.organization_id = d.organization_id AND e.id = d.endpoint_id
LEFT JOIN organization o ON o.id = d.organization_id
CROSS JOIN LATERAL (
  SELECT json_agg(json_build_array(a.number, a.at, a.status, a.error, a.duration_ms, a.manual)
      ORDER BY a.number)::text AS tries
  FROM (SELECT * FROM attempt a WHERE a.plan = d.plan AND a.message_id = d.message_id
      AND a.endpoint_id = d.endpoint_id ORDER BY a.number DESC LIMIT 10) a) AS tried"""

_LETTERS = f"""SELECT c.outcome, c.recipient, c.status, c.medium, c.sent_at, c.reason,
    coalesce(o.name, c.organization_id) AS organization
FROM locator l JOIN correspondence c ON c.plan = l.plan AND c.referral_id = l.referral_id
LEFT JOIN organization o ON o.id = c.organization_id
WHERE l.type = $1::text AND l.id = $2::text AND {SEES_LOCATED}
    AND c.medium IS DISTINCT FROM 'endpoint'
ORDER BY c.created_at, c.id"""


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


async def deliveries_page(connection: Source, wanted: DeliveriesQuery) -> Sequence[Row]:
    """Read the rows of one page, the newest first, and one more row if there is a next page."""
    statement = SqlStatement()
    found, order = _found(statement, wanted)
    return await connection.fetch(f"WITH {found} {_SHOWN} ORDER BY {order}", *statement.values)


async def letters(connection: Source, referral: str, seen: Visibility) -> Sequence[Row]:
    """Read the letters of a referral; none if the caller is not a party to the referral."""
    return await connection.fetch(_LETTERS, *located("ServiceRequest", referral, seen))


def _found(statement: SqlStatement, wanted: DeliveriesQuery) -> tuple[str, str]:
    """Write the CTEs of the page, the last one named `found`, and the order of the rows.

    All deliveries of a plan are read by their key, whose message ids rise with time. Others are
    read by endpoint and time, or from the few messages of one referral.
    """
    narrow = wanted.referral or wanted.endpoint or wanted.kind
    whole = wanted.seen.staff and not narrow
    key = ("message_id", "endpoint_id") if whole else ("created_at", "message_id", "endpoint_id")
    order = ", ".join(f"d.{name} DESC" for name in key)
    which = _which(statement, wanted, key)
    last = f"ORDER BY {order} LIMIT {statement.bind(wanted.limit + 1, 'int')}"
    if whole and wanted.state not in (None, Outcome.DELIVERED):
        # Few rows have such a state: read them by the index of the state, then sort them.
        few = f"few AS MATERIALIZED (SELECT {_COLUMNS} FROM delivery d WHERE {which})"
        return f"{few}, found AS (SELECT * FROM few d {last})", order
    if wanted.referral is not None:
        source = (
            f"SELECT {_COLUMNS} FROM message s JOIN delivery d ON d.plan = s.plan"
            f" AND d.message_id = s.id WHERE s.plan = ANY ({_plans(statement)})"
            f" AND s.referral_id = {statement.bind(wanted.referral)} AND {which}"
        )
    else:
        plans, endpoints, by = _plans(statement), "", ""
        if not whole:
            endpoints = f"CROSS JOIN {_endpoints(statement, wanted)} AS w"
            by = "AND d.endpoint_id = w.id"
        source = (
            f"SELECT each.* FROM unnest({plans}) AS known(plan) {endpoints} CROSS JOIN LATERAL ("
            f"SELECT {_COLUMNS} FROM delivery d WHERE d.plan = known.plan {by} AND {which} {last}"
            ") AS each"
        )
    return f"found AS (SELECT * FROM ({source}) d {last})", order


def _endpoints(statement: SqlStatement, wanted: DeliveriesQuery) -> str:
    """Select the endpoints: the one asked for, those of the caller, or for staff all of a kind."""
    if wanted.endpoint is not None:
        return f"(SELECT {statement.bind(wanted.endpoint)} AS id)"
    if wanted.seen.staff and wanted.kind is not None:
        kind = statement.bind(wanted.kind.value)
        return f"(SELECT id FROM webhook_endpoint WHERE kind = {kind})"
    mine = statement.bind(wanted.seen.organization_id)
    return f"(SELECT id FROM webhook_endpoint WHERE organization_id = {mine})"


def _which(statement: SqlStatement, wanted: DeliveriesQuery, key: Sequence[str]) -> str:
    """Write the conditions on `d`, beginning with the organization that may see the row."""
    mine = f"d.organization_id = {statement.bind(wanted.seen.organization_id)}"
    conditions = [mine]
    if wanted.seen.staff:
        staff = statement.bind([*wanted.seen.staff_plans, UNASSIGNED], "text[]")
        conditions = [f"({_OTHERS.format(staff=staff)} OR {mine})"]
        if wanted.referral is None and wanted.endpoint is None:
            conditions.append(f"d.plan = ANY ({staff})")
    if wanted.state is not None:
        conditions.append(_STATES[wanted.state])
    if wanted.kind is not None:
        conditions.append(
            "EXISTS (SELECT FROM webhook_endpoint k WHERE k.organization_id = d.organization_id"
            f" AND k.id = d.endpoint_id AND k.kind = {statement.bind(wanted.kind.value)})"
        )
    if wanted.after is not None:
        casts = ("timestamptz", "text", "text")
        last = list(zip(wanted.after, casts, strict=True))[-len(key) :]
        marks = ", ".join(statement.bind(value, cast) for value, cast in last)
        conditions.append(f"({', '.join('d.' + name for name in key)}) < ({marks})")
    return " AND ".join(conditions)


def _plans(statement: SqlStatement) -> str:
    return statement.bind(list(plan_keys()), "text[]")
