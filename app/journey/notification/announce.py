"""Announces events that are about no referral: a changed capacity, a disabled endpoint.

Such a message is a stream of its own. It goes to the webhook endpoints of the named organizations
whose filters match. An event of a referral is announced by its move (`app.store.referral.rows`).
"""

from collections.abc import Sequence
from datetime import datetime

from app.base.ids import new_id
from app.model.caller import UNASSIGNED
from app.model.messages import About, EventType, thin_payload
from app.store.database import Source

_WRITE = """WITH written AS (
  INSERT INTO message (plan, id, referral_id, seq, event_type, body, occurred_at)
  VALUES ($1::text, $2::text, $2::text, 1, $3::text, $4::bytea, $5::timestamptz)
)
INSERT INTO delivery (plan, message_id, endpoint_id, organization_id, referral_id, seq, state,
  attempts, next_attempt_at, created_at)
SELECT $1::text, $2::text, e.id, e.organization_id, $2::text, 1,
  CASE e.status WHEN 'active' THEN 'pending' ELSE 'held' END, 0, $5::timestamptz, $5::timestamptz
FROM webhook_endpoint e
WHERE e.kind = 'webhook' AND (e.event_types = '{}' OR $3::text = ANY (e.event_types))
  AND (e.plans = '{}' OR NOT $6::bool OR $1::text = ANY (e.plans))
  AND e.organization_id = ANY ($7::text[]) AND (e.status = 'active' OR NOT $8::bool)"""


async def announce(
    source: Source,
    event_type: EventType,
    organizations: Sequence[str],
    about: About,
    now: datetime,
    base: str,
    *,
    active: bool = False,
) -> None:
    """Writes one message, for each endpoint of the organizations whose filters match.

    The message belongs to the plan of `about`. Without a plan it passes every filter by plans.
    Endpoints that are disabled hold it until they are enabled, or do not get it (`active`).
    """
    body = thin_payload(event_type, now, about, base)
    message = (about.plan or UNASSIGNED, new_id(), event_type.value, body, now)
    to = (about.plan not in (None, UNASSIGNED), list(organizations), active)
    await source.execute(_WRITE, *message, *to)
    source.deliveries_due()


# An offer's capacity

_CONCERNED = """SELECT o.organization_id, o.service, (SELECT p.id FROM organization p
    WHERE p.plan = o.plan) AS plan_organization FROM offer o WHERE o.plan = $1 AND o.id = $2"""


async def announce_room(source: Source, plan: str, offer_id: str, now: datetime, base: str) -> None:
    """Tells an offer's organization and plan that its capacity was stated anew.

    Writes `capacity.changed` in the transaction of the change. The message holds no numbers: its
    link leads to them.
    """
    row = await source.fetch_one(_CONCERNED, plan, offer_id)
    if row is None:
        return
    owner = row["organization_id"]
    about = About(plan=plan, service=row["service"], performer_id=owner, offer_id=offer_id)
    recipients = sorted({owner, row["plan_organization"]} - {None})
    await announce(source, EventType.CAPACITY_CHANGED, recipients, about, now, base)
