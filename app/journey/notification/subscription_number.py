"""Event numbers without gaps: given under a lock on the subscription, before the first attempt.

A number once given stays with its delivery over retries, restarts and `$events`. The lock and the
numbers are two statements on purpose: the second must see what the holder before it wrote.
Works over both kinds of connection, the worker's and a request's: `Run` takes a statement.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

from app.journey.notification.claim import KNOWN_PLANS
from app.journey.notification.record import LOCK_ENDPOINTS

Run = Callable[..., Awaitable[Sequence[Sequence[Any]]]]

_FRESH = """SELECT d.plan, d.message_id, d.endpoint_id, d.organization_id,
    row_number() OVER (PARTITION BY d.endpoint_id ORDER BY d.created_at, d.referral_id, d.seq)::int
    AS n"""
_GIVE = """, given AS (
  UPDATE delivery d SET event_number = e.events + fresh.n
  FROM fresh JOIN webhook_endpoint e
    ON e.organization_id = fresh.organization_id AND e.id = fresh.endpoint_id
  WHERE d.plan = fresh.plan AND d.message_id = fresh.message_id
    AND d.endpoint_id = fresh.endpoint_id
), counted AS (
  SELECT organization_id, endpoint_id, count(*)::int AS events FROM fresh GROUP BY 1, 2
)
UPDATE webhook_endpoint e SET events = e.events + counted.events, last_event_at = $1::timestamptz
FROM counted WHERE e.organization_id = counted.organization_id AND e.id = counted.endpoint_id
RETURNING e.id"""

_OF_MESSAGES = f"""WITH fresh AS (
  {_FRESH} FROM unnest($3::text[], $4::text[]) AS c(message_id, endpoint_id)
  JOIN delivery d ON d.plan = $2::text AND d.message_id = c.message_id
    AND d.endpoint_id = c.endpoint_id
  WHERE d.event_number IS NULL AND d.focus IS NOT NULL){_GIVE}"""

_OF_ENDPOINT = f"""{KNOWN_PLANS}, fresh AS (
  {_FRESH} FROM known JOIN delivery d ON d.plan = known.plan AND d.endpoint_id = $2::text
    AND d.event_number IS NULL AND d.focus IS NOT NULL){_GIVE}"""


async def number_messages(
    run: Run, plan: str, deliveries: Sequence[tuple[str, str, str]], now: datetime
) -> None:
    """Numbers deliveries of a plan: (message, endpoint, organization). In a transaction."""
    messages, endpoints, organizations = (list(each) for each in zip(*deliveries, strict=True))
    await run(LOCK_ENDPOINTS, organizations, endpoints)
    await run(_OF_MESSAGES, now, plan, messages, endpoints)


async def number_all(run: Run, organization: str, endpoint: str, now: datetime) -> None:
    """Numbers whatever a subscription has without a number. In a transaction."""
    await run(LOCK_ENDPOINTS, [organization], [endpoint])
    await run(_OF_ENDPOINT, now, endpoint)
