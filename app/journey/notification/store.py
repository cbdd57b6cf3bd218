"""Reads and changes one organization's endpoints and their deliveries.

Every statement names the organization, so that nobody reaches another organization's endpoint.
Deliveries are stored by plan: every statement names all plans, and each is read by its index.
"""

from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import bindparam

from app.base.ids import new_id
from app.model.caller import UNASSIGNED
from app.model.messages import TEST, About, thin_payload
from app.store.audit.access import reached
from app.store.database import Row, Source
from app.store.reading.access import plan_keys
from app.store.statement import Compiled, compiled
from app.store.tables.notification import webhook_endpoint as table

# Parameters of those that read deliveries: $1 all plans, $2 organization, $3 endpoint.
_LIST = """
SELECT d.plan, d.message_id, d.state, d.attempts, d.created_at, d.delivered_at, m.event_type,
  m.occurred_at, d.seq AS sequence,
  CASE WHEN m.event_type <> 'endpoint.test' THEN d.referral_id END AS referral_id,
  CASE WHEN d.state = 'pending' THEN d.next_attempt_at END AS next_attempt_at
FROM unnest($1::text[]) AS known(plan) CROSS JOIN LATERAL (
  SELECT * FROM delivery d
  WHERE d.plan = known.plan AND d.organization_id = $2::text AND d.endpoint_id = $3::text
    AND ($4::text IS NULL OR d.message_id = $4)
    AND ($5::text IS NULL OR d.state = $5)
    AND (d.created_at, d.message_id) < ($6, $7)
  ORDER BY d.created_at DESC, d.message_id DESC LIMIT $8) AS d
JOIN message m ON m.plan = d.plan AND m.id = d.message_id AND m.referral_id = d.referral_id
ORDER BY d.created_at DESC, d.message_id DESC LIMIT $8
"""

_ATTEMPTS = """
SELECT a.* FROM unnest($1::text[]) AS known(plan)
JOIN delivery d ON d.plan = known.plan AND d.message_id = $4
  AND d.organization_id = $2::text AND d.endpoint_id = $3::text
JOIN attempt a ON a.plan = d.plan AND a.message_id = d.message_id AND a.endpoint_id = d.endpoint_id
ORDER BY a.number
"""

_RESEND = """
UPDATE delivery d
SET state = 'pending', round_start = d.attempts, manual = true, next_attempt_at = $4::timestamptz,
  lease_until = NULL
FROM unnest($1::text[]) AS known(plan)
WHERE d.plan = known.plan AND d.organization_id = $2::text AND d.endpoint_id = $3::text
  AND ($5::text IS NULL OR d.message_id = $5)
  AND ($6::timestamptz IS NULL OR d.created_at >= $6)
  AND ($7::bool OR d.state <> 'delivered') AND d.state <> 'held'
  AND (d.lease_until IS NULL OR d.lease_until <= $4::timestamptz)
RETURNING d.plan
"""

_HOLD = """
UPDATE delivery d SET state = 'held' FROM unnest($1::text[]) AS known(plan)
WHERE d.plan = known.plan AND d.organization_id = $2::text AND d.endpoint_id = $3::text
  AND d.state = 'pending'
"""

_RESUME = """
UPDATE delivery d
SET state = 'pending', round_start = d.attempts, next_attempt_at = $4, lease_until = NULL
FROM unnest($1::text[]) AS known(plan)
WHERE d.plan = known.plan AND d.organization_id = $2::text AND d.endpoint_id = $3::text
  AND d.state = 'held'
"""

_COUNT = """
SELECT count(*) FILTER (WHERE d.state = 'pending') AS pending,
  count(*) FILTER (WHERE d.state = 'held') AS held,
  count(*) FILTER (WHERE d.state = 'dead') AS dead,
  count(*) FILTER (WHERE d.state = 'delivered') AS delivered,
  min(d.created_at) FILTER (WHERE d.state IN ('pending', 'held')) AS oldest_waiting,
  max(d.delivered_at) AS last_delivered_at
FROM unnest($1::text[]) AS known(plan) JOIN delivery d ON d.plan = known.plan
  AND d.organization_id = $2::text AND d.endpoint_id = $3::text
"""

_TEST = """
WITH written AS (
  INSERT INTO message (plan, id, referral_id, seq, event_type, body, occurred_at)
  VALUES ($1::text, $2::text, $2::text, 1, $3, $4, $5::timestamptz))
INSERT INTO delivery (plan, message_id, endpoint_id, organization_id, referral_id, seq, state,
  attempts, next_attempt_at, created_at)
VALUES ($1::text, $2::text, $6, $7, $2::text, 1, 'pending', 0, $5::timestamptz, $5::timestamptz)
"""
_MINE_OF_KIND = """SELECT * FROM webhook_endpoint
WHERE organization_id = $1 AND kind = $2 ORDER BY id"""
_ONE = """SELECT * FROM webhook_endpoint WHERE organization_id = $1 AND id = $2 AND kind = $3"""
_LOCKED = """SELECT * FROM webhook_endpoint
WHERE organization_id = $1 AND id = $2 AND kind = $3 FOR UPDATE"""


async def endpoints(source: Source, organization: str, kind: str = "webhook") -> list[Row]:
    """Lists an organization's endpoints of a kind (webhook, subscription), oldest first."""
    return await source.fetch(_MINE_OF_KIND, organization, kind)


async def endpoint(
    source: Source,
    organization: str,
    id_: str,
    *,
    lock: bool = False,
    kind: str = "webhook",
) -> Row | None:
    """Reads one endpoint of an organization; `lock` keeps others from changing it meanwhile."""
    return await source.fetch_one(_LOCKED if lock else _ONE, organization, id_, kind)


async def add(source: Source, row: dict[str, Any]) -> None:
    """Stores a new endpoint."""
    await source.execute(*_adding(tuple(row)).called(**row))


@cache
def _adding(columns: tuple[str, ...]) -> Compiled:
    return compiled(table.insert().values({name: bindparam(name) for name in columns}))


async def change(source: Source, organization: str, id_: str, values: dict[str, Any]) -> None:
    """Changes columns of one endpoint."""
    statement = _changing(tuple(values))
    await source.execute(*statement.called(of=organization, key=id_, **values))


@cache
def _changing(columns: tuple[str, ...]) -> Compiled:
    own = (table.c.organization_id == bindparam("of"), table.c.id == bindparam("key"))
    marks: dict[str, Any] = {name: bindparam(name) for name in columns}
    return compiled(table.update().where(*own).values(marks))


async def hold(source: Source, organization: str, id_: str) -> None:
    """Holds the deliveries of a disabled endpoint until it is enabled."""
    await source.execute(_HOLD, list(plan_keys()), organization, id_)


async def resume(source: Source, organization: str, id_: str, now: datetime) -> None:
    """Makes held deliveries due now, with the whole retry schedule before them."""
    await source.execute(_RESUME, list(plan_keys()), organization, id_, now)
    source.deliveries_due()


async def send_test(source: Source, organization: str, id_: str, now: datetime) -> str:
    """Writes a test message for one endpoint, whatever its filters; returns the message's id."""
    message = new_id()
    body = thin_payload(TEST, now, About(endpoint_id=id_), "")
    values = (UNASSIGNED, message, TEST, body, now, id_, organization)
    await source.execute(_TEST, *values)
    source.deliveries_due()
    return message


async def deliveries(
    source: Source,
    organization: str,
    id_: str,
    *,
    message: str | None = None,
    state: str | None = None,
    before: tuple[datetime, str],
    limit: int,
) -> list[Row]:
    """Lists an endpoint's messages, newest first, before a moment (and id, if equal)."""
    mine = (list(plan_keys()), organization, id_)
    rows = await source.fetch(_LIST, *mine, message, state, *before, limit)
    for row in rows:
        if row["referral_id"]:
            reached(row["plan"], f"ServiceRequest/{row['referral_id']}")
    return rows


async def attempts(source: Source, organization: str, id_: str, message: str) -> list[Row]:
    """Lists the attempts of one message at one endpoint."""
    return await source.fetch(_ATTEMPTS, list(plan_keys()), organization, id_, message)


async def resend(
    source: Source,
    organization: str,
    id_: str,
    now: datetime,
    *,
    message: str | None = None,
    since: datetime | None = None,
    delivered: bool = False,
) -> list[str]:
    """Makes messages due now, with the whole retry schedule before them.

    Returns the plan of each message. Leaves deliveries alone that are being sent or held.
    """
    mine = (list(plan_keys()), organization, id_)
    rows = await source.fetch(_RESEND, *mine, now, message, since, delivered)
    source.deliveries_due()
    return [row["plan"] for row in rows]


async def statistics(source: Source, organization: str, id_: str) -> Row:
    """Counts deliveries by state, with the oldest waiting and the last delivered."""
    (row,) = await source.fetch(_COUNT, list(plan_keys()), organization, id_)
    return row
