"""Makes the notifications of claimed deliveries whose endpoint is a FHIR Subscription.

Number first, then one query brings what the notifications say. Sending is the worker's.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from app.fhir.subscription_status import Event, Standing, notification
from app.journey.notification.claim import Claim
from app.journey.notification.subscription_content import (
    BODY,
    ENTITLED,
    FOCUS_VOUCHED,
    OF_PAS,
    bundled,
)
from app.journey.notification.subscription_number import Run, number_messages

_SAID = f"""SELECT d.message_id, d.endpoint_id, d.referral_id, d.event_number, d.focus,
  m.occurred_at, e.topic, e.focus, e.content,
  CASE WHEN e.content = 'full-resource' AND {ENTITLED} AND {FOCUS_VOUCHED} THEN {BODY} END
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
    bodies = {(row[0], row[1]): await _body(connection.fetch, row, base, now) for row in rows}
    # A referral that moved to another plan meanwhile is claimed there, when the lease has ended.
    return [
        replace(each, body=bodies[each.message_id, each.endpoint_id]) if each.subscribed else each
        for each in claims
        if not each.subscribed or (each.message_id, each.endpoint_id) in bodies
    ]


async def _body(run: Run, row: Sequence[Any], base: str, now: datetime) -> bytes:
    message, endpoint, referral, number, about, occurred_at, topic, focus, content, resource = row
    # As it stood with this event: a later attempt says the same number again.
    standing = Standing(endpoint, topic, "active", number)
    event = Event(number, occurred_at, about, resource)
    if focus == OF_PAS:
        (event,) = await bundled(run, [(message, referral, event)], base)
    return notification(
        base, standing, "event-notification", content, id_=message, at=now, events=[event]
    )
