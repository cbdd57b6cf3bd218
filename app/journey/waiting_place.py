"""Where the place goes that an expired authorization held.

To the member's own reauthorization, where that waits for it: whoever is served on keeps the place.
Else it is free, and the waiting list has it (`app.journey.waitlist`).
"""

from sqlalchemy.ext.asyncio import AsyncConnection

from app.journey.clock import CLOCK
from app.journey.decision.apply import reassign
from app.journey.finish import finish, policy_of
from app.journey.intake.context import Door
from app.journey.waitlist import give_on
from app.model.offers import Assignment, NamedOffer, Placement
from app.store.database import fetch_one
from app.store.referral.draft import Act, Draft
from app.store.referral.reopen import opened
from app.store.referral.store import REFERRAL_COLUMNS, to_referral

_CONTINUED = f"""SELECT {REFERRAL_COLUMNS}, o.organization_id, o.npi, o.capacity_status
FROM service_authorization a
JOIN referral r ON r.plan = a.plan AND r.id = a.referral_id
JOIN offer o ON o.plan = r.plan AND o.id = r.offer_id
WHERE a.plan = $1 AND a.previous_id = $2 AND a.status = 'open' AND a.expired_told_at IS NULL
  AND r.offer_id = ANY ($3::text[]) AND r.state = 'approved' AND r.business_status = 'waitlisted'
ORDER BY r.received_at, r.id LIMIT 1 FOR UPDATE OF r"""


async def pass_on(connection: AsyncConnection, draft: Draft, door: Door) -> None:
    """Gives on what the written draft freed; the offer's count stays when the member keeps it."""
    if not draft.freed:
        return
    row = await fetch_one(connection, _CONTINUED, (draft.after.plan, draft.after.id, draft.freed))
    if row is None:
        await give_on(connection, draft, door)
        return
    *columns, organization, npi, status = row
    next_one = to_referral(columns)
    kept = NamedOffer(str(next_one.offer_id), organization, npi, status)
    found = await opened(connection, next_one, now=door.now, fhir_base=door.fhir_base)
    act = Act(CLOCK, found.draft.details, policy_of(found.draft, door))
    reassign(found.draft, act, Placement(Assignment.ASSIGNED, kept))
    await finish(connection, found.draft)
