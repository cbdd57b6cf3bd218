"""Putting right what races leave behind: run every few seconds by each worker, harmless if twice.

An endpoint may be disabled or enabled while a move that matched it the other way is committing;
a message may join a stream whose head waits for its next attempt. Nothing here loses or sends
anything.
"""

from datetime import datetime
from typing import Any

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
# One probe for each due row, whatever the planner believes about them, and not all at once.
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


async def sweep(connection: Any, plan: str, now: datetime) -> None:
    """Deliveries of disabled endpoints are held, of active ones pending; followers wait."""
    await connection.execute(_HOLD, plan)
    await connection.execute(_RESUME, plan, now)
    await connection.execute(_WAIT_FOR_HEAD, plan, now)
