"""Records the results of attempts in one transaction: attempt row, delivery, followers, endpoint.

Results of one plan are written together (a group commit). Only the current attempt of a delivery
may change the delivery: a worker that comes back after its lease ended changes nothing but its own
attempt row. `retry.py` decides what an answer means.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.base.ids import new_id
from app.journey.notification.announce import announce
from app.journey.notification.claim import Claim
from app.journey.notification.retry import (
    GIVE_UP_ON_ENDPOINT,
    AttemptOutcome,
    Blocked,
    Dead,
    Delivered,
    Gone,
    Retry,
)
from app.model.messages import About, EventType
from app.store.database import Database, Source, Transaction

#: The reasons for a disabled endpoint, as its owner reads them.
GONE, BLOCKED_TARGET, FAILING = "gone", "blocked-target", "failing"

# result:   has the plan as a column. With a parameter instead, a planner that takes the table for
#           small reads all of the plan's deliveries by another index, and compares each with each.
# follower: what is behind each result in its stream, one probe each: its ORDER BY is the order of
#           the index of streams.
# told:     the record says who was told of which referral, if an answer shows that they were.
# moved:    deliveries behind a failing head wait with it, and are due when the head is done.
_RECORD = """
WITH result AS MATERIALIZED (
  SELECT $1::text AS plan, r.* FROM unnest($2::text[], $3::text[], $4::text[], $5::int[], $6::int[],
    $7::text[], $8::timestamptz[], $9::int[], $10::timestamptz[], $11::int[], $12::text[],
    $13::int[], $14::text[], $15::bool[], $16::text[], $17::text[])
  AS r(message_id, endpoint_id, referral_id, seq, number, state, due, free, at, status, error,
       duration_ms, response, manual, organization, event)
), told AS (
  INSERT INTO audit_event
    (plan, id, recorded, action, interaction, status, client, organization, about)
  SELECT t.plan, t.event, t.at, 'R', 'disclose', t.status, 'delivery', t.organization,
    array_remove(ARRAY['ServiceRequest/' || r.id, 'Patient/' || r.member_id,
      'Patient/' || r.patient_id], NULL)
  FROM result t JOIN referral r ON r.plan = t.plan AND r.id = t.referral_id
  WHERE t.status BETWEEN 200 AND 599
), tried AS (
  INSERT INTO attempt
    (plan, message_id, endpoint_id, number, at, status, error, duration_ms, response, manual)
  SELECT plan, message_id, endpoint_id, number, at, status, error, duration_ms, response, manual
  FROM result ON CONFLICT DO NOTHING
), done AS (
  UPDATE delivery d
  SET state = r.state, next_attempt_at = r.due, lease_until = NULL, manual = false,
      round_start = d.round_start + r.free,
      delivered_at = CASE WHEN r.state = 'delivered' THEN r.at ELSE d.delivered_at END
  FROM result r
  WHERE d.plan = r.plan AND d.message_id = r.message_id AND d.endpoint_id = r.endpoint_id
    AND d.attempts = r.number AND (d.state = 'pending' OR r.state = 'delivered')
), follower AS MATERIALIZED (
  SELECT f.*, r.due, r.state = 'pending' AS waits
  FROM result r CROSS JOIN LATERAL (
    SELECT n.plan, n.message_id, n.endpoint_id, n.state, n.next_attempt_at FROM delivery n
    WHERE n.plan = r.plan AND n.endpoint_id = r.endpoint_id AND n.referral_id = r.referral_id
      AND n.seq > r.seq AND n.state = 'pending'
    ORDER BY n.seq) AS f
), moved AS (
  UPDATE delivery d SET next_attempt_at = f.due FROM follower f
  WHERE CASE WHEN f.waits THEN f.next_attempt_at < f.due ELSE f.next_attempt_at > f.due END
    AND d.plan = f.plan AND d.message_id = f.message_id AND d.endpoint_id = f.endpoint_id
    AND d.state = f.state AND d.next_attempt_at = f.next_attempt_at
    AND d.lease_until IS NULL AND d.attempts = d.round_start
)
SELECT EXISTS (SELECT FROM follower) AS more
"""

#: Locks endpoints before their deliveries, in one order: numbering and recording may wait for each
#: other, but never in a circle.
LOCK_ENDPOINTS = """SELECT e.id FROM unnest($1::text[], $2::text[]) AS c(organization_id, id)
JOIN webhook_endpoint e ON e.organization_id = c.organization_id AND e.id = c.id
ORDER BY e.organization_id, e.id FOR UPDATE OF e"""
_MARK_WELL = """
UPDATE webhook_endpoint SET failing_since = NULL,
  paused_until = CASE WHEN paused_until > $3 THEN paused_until END
WHERE organization_id = $1 AND id = $2 AND failing_since IS NOT NULL
"""
_MARK_FAILING = """
UPDATE webhook_endpoint SET failing_since = $3
WHERE organization_id = $1 AND id = $2 AND failing_since IS NULL
"""
_PAUSE = """
UPDATE webhook_endpoint SET paused_until = $3
WHERE organization_id = $1 AND id = $2 AND (paused_until IS NULL OR paused_until < $3)
"""
_DISABLE = """
UPDATE webhook_endpoint SET status = CASE kind WHEN 'webhook' THEN 'disabled' ELSE 'error' END,
  disabled_reason = $3, updated_at = $4, version = version + 1, next_beat_at = NULL
WHERE organization_id = $1 AND id = $2 AND status = 'active' RETURNING id
"""
_HOLD = """
UPDATE delivery SET state = 'held' WHERE plan = $1 AND endpoint_id = $2 AND state = 'pending'
"""


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one attempt. `at`: when the attempt began; `now`: when it ended."""

    claim: Claim
    outcome: AttemptOutcome
    at: datetime
    now: datetime
    duration_ms: int
    status: int | None
    error: str | None
    response: str | None

    @property
    def state(self) -> str:
        match self.outcome:
            case Delivered():
                return "delivered"
            case Retry():
                return "pending"
            case Dead():
                # The subscription goes into error; its deliveries are sent once it is active again.
                return "held" if self.claim.subscribed else "dead"
            case Gone() | Blocked():
                return "held"

    @property
    def due(self) -> datetime:
        return self.outcome.at if isinstance(self.outcome, Retry) else self.now


async def record(database: Database, plan: str, results: Sequence[Result]) -> bool:
    """Writes the results of one plan; returns whether a stream among them has more to send."""
    columns = list(zip(*(_row(result) for result in results), strict=True))
    if not any(_reason_to_disable(result) or _marks(result) for result in results):
        return await _record(database, plan, columns)
    async with database.begin() as transaction:
        claims = [result.claim for result in results]
        organizations = [claim.organization_id for claim in claims]
        await transaction.execute(
            LOCK_ENDPOINTS, organizations, [claim.endpoint_id for claim in claims]
        )
        more = await _record(transaction, plan, columns)
        for result in results:
            await _change_endpoint(transaction, result)
    return more


async def _record(source: Source, plan: str, columns: Sequence[Any]) -> bool:
    (row,) = await source.fetch(_RECORD, plan, *columns)
    return bool(row["more"])


def _row(result: Result) -> tuple[Any, ...]:
    """Makes one row of `result` in `_RECORD`. A blocked target does not use up a try."""
    claim = result.claim
    return (
        claim.message_id,
        claim.endpoint_id,
        claim.referral_id,
        claim.seq,
        claim.number,
        result.state,
        result.due,
        1 if isinstance(result.outcome, Blocked) else 0,
        result.at,
        result.status,
        result.error,
        result.duration_ms,
        result.response,
        claim.manual,
        claim.organization_id,
        new_id(),
    )


async def _change_endpoint(transaction: Transaction, result: Result) -> None:
    """Writes into the endpoint of an attempt what follows for it; mostly nothing."""
    reason = _reason_to_disable(result)
    if reason is not None:
        await _disable(transaction, result, reason)
        return
    for statement, *values in _marks(result):
        await transaction.execute(statement, *values)


async def _disable(transaction: Transaction, result: Result, reason: str) -> None:
    """Disables an endpoint, and tells the organization's other endpoints.

    Tells nobody if somebody else disabled it in the same moment.
    """
    claim, now = result.claim, result.now
    endpoint = (claim.organization_id, claim.endpoint_id)
    if await transaction.fetch_one(_DISABLE, *endpoint, reason, now) is not None:
        kind = "subscription" if claim.subscribed else "webhook"
        about = About(endpoint_id=claim.endpoint_id, endpoint_kind=kind, disabled_reason=reason)
        event, to = EventType.ENDPOINT_DISABLED, [claim.organization_id]
        await announce(transaction, event, to, about, now, "", active=True)
    await transaction.execute(_HOLD, claim.plan, claim.endpoint_id)


def _marks(result: Result) -> list[tuple[Any, ...]]:
    """Lists the statements, with values, that mark an endpoint well, failing or paused."""
    claim, now = result.claim, result.now
    endpoint = (claim.organization_id, claim.endpoint_id)
    if isinstance(result.outcome, Delivered):
        return [(_MARK_WELL, *endpoint, now)] if claim.failing_since is not None else []
    statements: list[tuple[Any, ...]] = []
    if claim.failing_since is None:
        statements.append((_MARK_FAILING, *endpoint, now))
    if isinstance(result.outcome, Retry) and result.outcome.pause is not None:
        statements.append((_PAUSE, *endpoint, result.outcome.pause))
    return statements


def _reason_to_disable(result: Result) -> str | None:
    match result.outcome:
        case Dead() if result.claim.subscribed:
            return FAILING
        case Gone():
            return GONE
        case Blocked():
            return BLOCKED_TARGET
        case Delivered():
            return None
    since = result.claim.failing_since
    if since is not None and result.now - since >= GIVE_UP_ON_ENDPOINT:
        return FAILING
    return None
