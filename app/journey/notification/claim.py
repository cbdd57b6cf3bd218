"""Claims due deliveries, and gives them back. The delivery rows are the queue.

A claim is one statement, and commits before anything is sent. It takes the head of each stream (the
deliveries of one endpoint for one referral) and leaves a lease on it. If a worker dies, the lease
ends, and another worker claims the row with the same webhook-id. Every claim raises `attempts`,
which keeps a late result from changing the delivery (`record.py`). Times come from the caller's
clock.

`sweep` repairs what races leave behind. Every worker runs it every few seconds; a repeat is
harmless. An endpoint may be disabled or enabled while a move that saw it otherwise commits, and a
message may join a stream whose head waits for its next attempt. `sweep` loses and sends nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.store.database import Source

#: Seconds of an endpoint's rate that may be saved up: more than the time between two polls.
_SAVED_S = 2.0


# A loose index scan: one probe for each plan.
_PLANS = """
WITH RECURSIVE waiting AS (
  (SELECT plan FROM delivery WHERE state IN ('pending', 'held') ORDER BY plan LIMIT 1)
  UNION ALL
  SELECT next.plan FROM waiting CROSS JOIN LATERAL (
    SELECT plan FROM delivery WHERE state IN ('pending', 'held') AND plan > waiting.plan
    ORDER BY plan LIMIT 1) AS next
) SELECT plan FROM waiting
"""

# queue:   the endpoints with pending deliveries, one probe each, however long their backlog.
# limited: the endpoints with a rate, locked, so that no two workers spend the same allowance. A
#          message costs 60 / rate seconds of the time since `sent_until`; at most $8 seconds (or
#          one message) are saved up while nothing is sent.
# due:     for each active endpoint as many heads as it has room for; for a failing one, one head.
#          The plan is a column of it for the reason given in `record.py`, the referral because it
#          names the message's partition; it is compared with the delivery's, too, so that it is
#          known in whatever order the planner joins.
_CLAIM = """
WITH RECURSIVE queue AS (
  (SELECT endpoint_id, organization_id FROM delivery
   WHERE plan = $1 AND state = 'pending' ORDER BY endpoint_id LIMIT 1)
  UNION ALL
  SELECT next.endpoint_id, next.organization_id FROM queue CROSS JOIN LATERAL (
    SELECT endpoint_id, organization_id FROM delivery
    WHERE plan = $1 AND state = 'pending' AND endpoint_id > queue.endpoint_id
    ORDER BY endpoint_id LIMIT 1) AS next
), limited AS MATERIALIZED (
  SELECT e.organization_id, e.id, 60.0::float8 / e.max_per_minute AS cost,
    greatest(e.sent_until, extract(epoch FROM $2::timestamptz)::float8
      - greatest($8::float8, 60.0::float8 / e.max_per_minute)) AS since
  FROM queue
  JOIN webhook_endpoint e ON e.organization_id = queue.organization_id AND e.id = queue.endpoint_id
  WHERE e.max_per_minute IS NOT NULL AND e.status = 'active'
  FOR UPDATE OF e SKIP LOCKED
), due AS MATERIALIZED (
  SELECT $1::text AS plan, head.message_id, head.referral_id, e.organization_id, e.id AS endpoint_id
  FROM queue
  JOIN webhook_endpoint e ON e.organization_id = queue.organization_id AND e.id = queue.endpoint_id
  LEFT JOIN limited l ON l.organization_id = e.organization_id AND l.id = e.id
  LEFT JOIN unnest($5::text[], $6::int[], $9::int[]) AS busy(endpoint_id, sending, share)
    ON busy.endpoint_id = queue.endpoint_id
  CROSS JOIN LATERAL (
    SELECT d.message_id, d.referral_id, d.next_attempt_at FROM delivery d
    WHERE d.plan = $1 AND d.endpoint_id = e.id AND d.state = 'pending'
      AND d.next_attempt_at <= $2 AND (d.lease_until IS NULL OR d.lease_until <= $2)
      AND d.seq = (
        SELECT first.seq FROM delivery first
        WHERE first.plan = $1 AND first.endpoint_id = d.endpoint_id
          AND first.referral_id = d.referral_id AND first.state IN ('pending', 'held')
        ORDER BY first.seq LIMIT 1)
    ORDER BY d.next_attempt_at
    LIMIT greatest(0, least(
      CASE WHEN e.failing_since IS NULL THEN coalesce(busy.share, $4::int) ELSE 1 END
        - coalesce(busy.sending, 0),
      floor((extract(epoch FROM $2::timestamptz)::float8 - l.since) / l.cost + 1e-6)::int))
    FOR UPDATE OF d SKIP LOCKED
  ) AS head
  WHERE e.status = 'active' AND (e.paused_until IS NULL OR e.paused_until <= $2)
    AND (e.max_per_minute IS NULL OR l.id IS NOT NULL)
  ORDER BY head.next_attempt_at
  LIMIT $3
), spent AS (
  UPDATE webhook_endpoint e SET sent_until = l.since + l.cost * now.sent
  FROM (SELECT organization_id, endpoint_id, count(*) AS sent FROM due GROUP BY 1, 2) AS now
  JOIN limited l ON l.organization_id = now.organization_id AND l.id = now.endpoint_id
  WHERE e.organization_id = l.organization_id AND e.id = l.id
)
UPDATE delivery d
SET attempts = d.attempts + 1, lease_until = $7,
    round_start = d.round_start + CASE WHEN d.lease_until IS NULL THEN 0 ELSE 1 END
FROM due
JOIN webhook_endpoint e ON e.organization_id = due.organization_id AND e.id = due.endpoint_id
JOIN message m ON m.plan = due.plan AND m.id = due.message_id AND m.referral_id = due.referral_id
WHERE d.plan = due.plan AND d.message_id = due.message_id AND d.endpoint_id = due.endpoint_id
  AND d.referral_id = due.referral_id
RETURNING d.plan, d.message_id, d.endpoint_id, d.organization_id, d.referral_id, d.seq,
  d.attempts AS number, greatest(1, d.attempts - d.round_start) AS tried, d.manual,
  e.url, e.secrets, e.headers, e.payload = 'full' AS full_payload, e.failing_since,
  e.kind = 'subscription' AS subscribed, coalesce(e.mime, 'application/json') AS mime, m.body
"""

_RELEASE = """
UPDATE delivery SET lease_until = NULL, round_start = round_start + 1, next_attempt_at = $5
WHERE plan = $1 AND message_id = $2 AND endpoint_id = $3 AND attempts = $4 AND state = 'pending'
"""


@dataclass(frozen=True, slots=True, eq=False)
class Claim:
    """One delivery that this worker may send until its lease ends.

    `number` is the attempt's number, `tried` its place in the retry schedule (from 1). `body` is
    the thin payload. `subscription_content` replaces it with the full payload where the endpoint
    asks for that, and with a notification for a FHIR Subscription (`subscribed`).
    """

    plan: str
    message_id: str
    endpoint_id: str
    organization_id: str
    referral_id: str
    seq: int
    number: int
    tried: int
    manual: bool
    url: str
    secrets: bytes
    headers: bytes | None
    full_payload: bool
    failing_since: datetime | None
    body: bytes
    subscribed: bool = False
    mime: str = "application/json"


async def plans_waiting(source: Source) -> list[str]:
    """Lists the plans with deliveries that are pending or held."""
    return [row["plan"] for row in await source.fetch(_PLANS)]


async def claim(
    source: Source,
    plan: str,
    *,
    now: datetime,
    lease_until: datetime,
    limit: int,
    per_endpoint: int,
    shares: Sequence[tuple[str, int, int]],
) -> list[Claim]:
    """Claims up to `limit` due stream heads of a plan, leased to the caller.

    The worker sends at most `per_endpoint` to one endpoint at once; `shares` has the endpoints of
    which it knows more: id, deliveries under way, and how many may be. The rate that an endpoint
    asks for holds for all workers together.
    """
    endpoints, under_way, most = ([share[n] for share in shares] for n in range(3))
    rows = await source.fetch(
        _CLAIM, plan, now, limit, per_endpoint, endpoints, under_way, lease_until, _SAVED_S, most
    )
    return [Claim(**row) for row in rows]


async def release(source: Source, claimed: Claim, due: datetime) -> None:
    """Gives back a delivery without a result; its attempt does not count in the schedule."""
    await source.execute(
        _RELEASE,
        claimed.plan,
        claimed.message_id,
        claimed.endpoint_id,
        claimed.number,
        due,
    )


# The sweep

_HOLD = """
UPDATE delivery d SET state = 'held' FROM webhook_endpoint e
WHERE d.plan = $1 AND d.state = 'pending' AND e.organization_id = d.organization_id
  AND e.id = d.endpoint_id AND e.status <> 'active'
"""
_RESUME = """
UPDATE delivery d SET state = 'pending', next_attempt_at = $2, lease_until = NULL
FROM webhook_endpoint e
WHERE d.plan = $1 AND d.state = 'held' AND e.organization_id = d.organization_id
  AND e.id = d.endpoint_id AND e.status = 'active'
"""
# LATERAL: one probe for each due row, whatever the planner estimates. LIMIT: not all rows at once.
_WAIT_FOR_HEAD = """
WITH blocked AS (
  SELECT f.message_id, f.endpoint_id, head.next_attempt_at
  FROM delivery f CROSS JOIN LATERAL (
    SELECT h.next_attempt_at FROM delivery h
    WHERE h.plan = $1 AND h.endpoint_id = f.endpoint_id AND h.referral_id = f.referral_id
      AND h.seq < f.seq AND h.state IN ('pending', 'held')
    ORDER BY h.seq LIMIT 1) AS head
  WHERE f.plan = $1 AND f.state = 'pending' AND f.next_attempt_at <= $2
    AND f.lease_until IS NULL AND f.attempts = f.round_start AND head.next_attempt_at > $2
  LIMIT 2000
)
UPDATE delivery d SET next_attempt_at = blocked.next_attempt_at FROM blocked
WHERE d.plan = $1 AND d.message_id = blocked.message_id AND d.endpoint_id = blocked.endpoint_id
"""


async def sweep(source: Source, plan: str, now: datetime) -> None:
    """Holds the deliveries of disabled endpoints, resumes those of active endpoints.

    A delivery behind a waiting head gets the due time of the head.
    """
    await source.execute(_HOLD, plan)
    await source.execute(_RESUME, plan, now)
    await source.execute(_WAIT_FOR_HEAD, plan, now)
