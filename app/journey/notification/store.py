"""Reads and changes one organization's endpoints and their deliveries.

Every statement names the organization, so that nobody reaches another organization's endpoint.
Deliveries are stored by plan: a loose index scan finds the plans, then each plan is read by its
index.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.base.ids import new_id
from app.journey.notification.claim import KNOWN_PLANS
from app.model.caller import UNASSIGNED
from app.model.messages import TEST, About, thin_payload
from app.store.database import note_due_deliveries
from app.store.tables.notification import webhook_endpoint as table

_MINE = "d.organization_id = :organization AND d.endpoint_id = :endpoint"

_LIST = text(f"""{KNOWN_PLANS}
SELECT d.plan, d.message_id, d.state, d.attempts, d.created_at, d.delivered_at, m.event_type,
  m.occurred_at, d.seq AS sequence,
  CASE WHEN m.event_type = '{TEST}' THEN NULL ELSE d.referral_id END AS referral_id,
  CASE WHEN d.state = 'pending' THEN d.next_attempt_at END AS next_attempt_at
FROM known CROSS JOIN LATERAL (
  SELECT * FROM delivery d
  WHERE d.plan = known.plan AND {_MINE}
    AND (CAST(:message AS text) IS NULL OR d.message_id = :message)
    AND (CAST(:state AS text) IS NULL OR d.state = :state)
    AND (d.created_at, d.message_id) < (:before_at, :before_id)
  ORDER BY d.created_at DESC, d.message_id DESC LIMIT :limit) AS d
JOIN message m ON m.plan = d.plan AND m.id = d.message_id
ORDER BY d.created_at DESC, d.message_id DESC LIMIT :limit
""")

_ATTEMPTS = text(f"""{KNOWN_PLANS}
SELECT a.* FROM known
JOIN delivery d ON d.plan = known.plan AND d.message_id = :message AND {_MINE}
JOIN attempt a ON a.plan = d.plan AND a.message_id = d.message_id AND a.endpoint_id = d.endpoint_id
ORDER BY a.number
""")

_RESEND = text(f"""{KNOWN_PLANS}
UPDATE delivery d
SET state = 'pending', round_start = d.attempts, manual = true, next_attempt_at = :now,
  lease_until = NULL
FROM known
WHERE d.plan = known.plan AND {_MINE}
  AND (CAST(:message AS text) IS NULL OR d.message_id = :message)
  AND (CAST(:since AS timestamptz) IS NULL OR d.created_at >= :since)
  AND (:delivered OR d.state <> 'delivered') AND d.state <> 'held'
  AND (d.lease_until IS NULL OR d.lease_until <= :now)
RETURNING d.plan
""")

_HOLD = text(f"""{KNOWN_PLANS}
UPDATE delivery d SET state = 'held' FROM known
WHERE d.plan = known.plan AND {_MINE} AND d.state = 'pending'
""")

_RESUME = text(f"""{KNOWN_PLANS}
UPDATE delivery d
SET state = 'pending', round_start = d.attempts, next_attempt_at = :now, lease_until = NULL
FROM known
WHERE d.plan = known.plan AND {_MINE} AND d.state = 'held'
""")

_COUNT = text(f"""{KNOWN_PLANS}
SELECT count(*) FILTER (WHERE d.state = 'pending') AS pending,
  count(*) FILTER (WHERE d.state = 'held') AS held,
  count(*) FILTER (WHERE d.state = 'dead') AS dead,
  count(*) FILTER (WHERE d.state = 'delivered') AS delivered,
  min(d.created_at) FILTER (WHERE d.state IN ('pending', 'held')) AS oldest_waiting,
  max(d.delivered_at) AS last_delivered_at
FROM known JOIN delivery d ON d.plan = known.plan AND {_MINE}
""")

_TEST = text("""
WITH written AS (
  INSERT INTO message (plan, id, referral_id, seq, event_type, body, occurred_at)
  VALUES (:plan, :message, :message, 1, :type, :body, :now))
INSERT INTO delivery (plan, message_id, endpoint_id, organization_id, referral_id, seq, state,
  attempts, next_attempt_at, created_at)
VALUES (:plan, :message, :endpoint, :organization, :message, 1, 'pending', 0, :now, :now)
""")


async def endpoints(
    connection: AsyncConnection, organization: str, kind: str = "webhook"
) -> list[RowMapping]:
    """Lists an organization's endpoints of a kind (webhook, subscription), oldest first."""
    rows = await connection.execute(
        table.select()
        .where(table.c.organization_id == organization, table.c.kind == kind)
        .order_by(table.c.id)
    )
    return list(rows.mappings())


async def endpoint(
    connection: AsyncConnection,
    organization: str,
    id_: str,
    *,
    lock: bool = False,
    kind: str = "webhook",
) -> RowMapping | None:
    """Reads one endpoint of an organization; `lock` keeps others from changing it meanwhile."""
    query = table.select().where(
        table.c.organization_id == organization, table.c.id == id_, table.c.kind == kind
    )
    rows = await connection.execute(query.with_for_update() if lock else query)
    return rows.mappings().one_or_none()


async def add(connection: AsyncConnection, row: dict[str, Any]) -> None:
    """Stores a new endpoint."""
    await connection.execute(table.insert().values(row))


async def change(
    connection: AsyncConnection, organization: str, id_: str, values: dict[str, Any]
) -> None:
    """Changes columns of one endpoint."""
    await connection.execute(
        table.update()
        .where(table.c.organization_id == organization, table.c.id == id_)
        .values(values)
    )


async def hold(connection: AsyncConnection, organization: str, id_: str) -> None:
    """Holds the deliveries of a disabled endpoint until it is enabled."""
    await connection.execute(_HOLD, {"organization": organization, "endpoint": id_})


async def resume(connection: AsyncConnection, organization: str, id_: str, now: datetime) -> None:
    """Makes held deliveries due now, with the whole retry schedule before them."""
    values = {"organization": organization, "endpoint": id_, "now": now}
    await connection.execute(_RESUME, values)
    note_due_deliveries(connection)


async def send_test(connection: AsyncConnection, organization: str, id_: str, now: datetime) -> str:
    """Writes a test message for one endpoint, whatever its filters; returns the message's id."""
    message = new_id()
    body = thin_payload(TEST, now, About(endpoint_id=id_), "")
    await connection.execute(
        _TEST,
        {
            "plan": UNASSIGNED,
            "message": message,
            "type": TEST,
            "body": body,
            "now": now,
            "endpoint": id_,
            "organization": organization,
        },
    )
    note_due_deliveries(connection)
    return message


async def deliveries(
    connection: AsyncConnection,
    organization: str,
    id_: str,
    *,
    message: str | None = None,
    state: str | None = None,
    before: tuple[datetime, str],
    limit: int,
) -> list[RowMapping]:
    """Lists an endpoint's messages, newest first, before a moment (and id, if equal)."""
    rows = await connection.execute(
        _LIST,
        {
            "organization": organization,
            "endpoint": id_,
            "message": message,
            "state": state,
            "before_at": before[0],
            "before_id": before[1],
            "limit": limit,
        },
    )
    return list(rows.mappings())


async def attempts(
    connection: AsyncConnection, organization: str, id_: str, message: str
) -> list[RowMapping]:
    """Lists the attempts of one message at one endpoint."""
    values = {"organization": organization, "endpoint": id_, "message": message}
    return list((await connection.execute(_ATTEMPTS, values)).mappings())


async def resend(
    connection: AsyncConnection,
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
    rows = await connection.execute(
        _RESEND,
        {
            "organization": organization,
            "endpoint": id_,
            "message": message,
            "since": since,
            "delivered": delivered,
            "now": now,
        },
    )
    note_due_deliveries(connection)
    return list(rows.scalars())


async def statistics(connection: AsyncConnection, organization: str, id_: str) -> RowMapping:
    """Counts deliveries by state, with the oldest waiting and the last delivered."""
    values = {"organization": organization, "endpoint": id_}
    return (await connection.execute(_COUNT, values)).mappings().one()
