"""Makes the notifications of claimed deliveries whose endpoint is a FHIR Subscription.

Number first, then one query brings what the notifications say; a resource in full only where the
organization is still a party to the referral, or its plan, at this moment. Sending is the worker's.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from app.fhir.subscription_status import Event, Standing, notification
from app.notification.claim import Claim
from app.subscription.number import number_messages

#: Whether the organization of delivery `d` may see its referral now, as `app.reading.access` says.
ENTITLED = """(EXISTS (SELECT 1 FROM party p WHERE p.plan = d.plan
    AND p.organization_id = d.organization_id AND p.referral_id = d.referral_id
    AND p.until IS NULL)
  OR EXISTS (SELECT 1 FROM organization o WHERE o.id = d.organization_id AND o.plan = d.plan))"""
#: The current version of the resource that delivery `d` is about.
BODY = """(SELECT v.body FROM resource_version v WHERE v.plan = d.plan
    AND v.type = split_part(d.focus, '/', 1) AND v.id = split_part(d.focus, '/', 2)
    ORDER BY v.version DESC LIMIT 1)"""

_SAID = f"""SELECT d.message_id, d.endpoint_id, d.event_number, d.focus, m.occurred_at, e.topic,
  e.content, CASE WHEN e.content = 'full-resource' AND {ENTITLED} THEN {BODY} END
FROM unnest($2::text[], $3::text[]) AS c(message_id, endpoint_id)
JOIN delivery d ON d.plan = $1 AND d.message_id = c.message_id AND d.endpoint_id = c.endpoint_id
JOIN message m ON m.plan = d.plan AND m.id = d.message_id
JOIN webhook_endpoint e ON e.organization_id = d.organization_id AND e.id = d.endpoint_id"""


async def prepare(
    connection: Any, plan: str, claims: Sequence[Claim], base: str, now: datetime
) -> list[Claim]:
    """The claims in their order, each subscription's with its notification as body.

    `connection` is the worker's own; `base` our FHIR base URL.
    """
    ours = [claim for claim in claims if claim.subscribed]
    if not ours:
        return list(claims)
    async with connection.transaction():
        await number_messages(
            connection.fetch,
            plan,
            [(each.message_id, each.endpoint_id, each.organization_id) for each in ours],
            now,
        )
    rows = await connection.fetch(
        _SAID, plan, [each.message_id for each in ours], [each.endpoint_id for each in ours]
    )
    bodies = {(row[0], row[1]): _body(row, base, now) for row in rows}
    return [
        replace(each, body=bodies[each.message_id, each.endpoint_id]) if each.subscribed else each
        for each in claims
    ]


def _body(row: Sequence[Any], base: str, now: datetime) -> bytes:
    message, endpoint, number, focus, occurred_at, topic, content, resource = row
    # As it stood with this event: a later attempt says the same number again.
    standing = Standing(endpoint, topic, "active", number, failing=False)
    event = Event(number, occurred_at, focus, resource)
    return notification(
        base, standing, "event-notification", content, id_=message, at=now, events=[event]
    )
