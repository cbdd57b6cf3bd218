"""What happens to a referral when one of its clocks fires: the same moves that people make.

Composes the draft and touches no database. Whether a clock fires at all is `due.py`'s, where the
place of an expired authorization goes `place.py`'s.

Where the place goes that an expired authorization held.

To the member's own reauthorization, where that waits for it: whoever is served on keeps the place.
Else it is free, and the waiting list has it (`app.journey.waitlist`).
"""

from collections.abc import Callable
from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncConnection

from app.base.local_time import local_date
from app.journey.decision.apply import reassign
from app.journey.finish import finish, policy_of
from app.journey.intake.context import RequestContext
from app.journey.waitlist import release_place
from app.model.known import Assignment, NamedOffer, Placement
from app.model.lifecycle import BusinessStatus, Event
from app.model.messages import EventType
from app.model.notices import notices
from app.model.record import Alarm, expired, expiring, is_overdue, reminds, voids
from app.policy.model import Reason
from app.store.database import fetch_one
from app.store.referral.draft import Act, Actor, Draft
from app.store.referral.reopen import opened
from app.store.referral.store import REFERRAL_COLUMNS, to_referral

#: Who moves a referral when nobody does.
CLOCK = Actor("clock", None)


def fire(draft: Draft, alarm: Alarm, context: RequestContext) -> bool:
    """Composes what the alarm does. False, and nothing done, where it is not due after all."""
    return _WORK[alarm](draft, context)


def _void(draft: Draft, context: RequestContext) -> bool:
    if not voids(draft.after, draft.open_request, context.now):
        return False
    details = replace(draft.details, reasons=(Reason("information-not-received"),))
    draft.move(Event.VOID, Act(CLOCK, details, policy_of(draft, context)))
    return True


def _remind(draft: Draft, context: RequestContext) -> bool:
    """The second attempt: told again, by message and by letter. No move, so no row of history."""
    if not reminds(draft.after, draft.open_request, context.now):
        return False
    draft.remind()
    draft.announce(EventType.INFORMATION_REQUESTED, CLOCK)
    draft.notices.extend(notices("information-needed", draft.parties, policy_of(draft, context)))
    return True


def _overdue(draft: Draft, context: RequestContext) -> bool:
    if not is_overdue(draft.after, context.now):
        return False
    draft.told_overdue(context.now)
    draft.announce(EventType.OVERDUE, CLOCK)
    return True


def _expiring(draft: Draft, context: RequestContext) -> bool:
    clocks = context.rules.clocks(draft.after.plan, local_date(context.now))
    if draft.authorization is None or not expiring(draft.authorization, clocks, context.now):
        return False
    draft.authorization = replace(draft.authorization, expiring_told_at=context.now)
    draft.announce(EventType.EXPIRING, CLOCK)
    return True


def _expired(draft: Draft, context: RequestContext) -> bool:
    """The authorization has run out: announced, and its place is free for whoever waits.

    Its status stays `open`, which means not taken back: a reauthorization that comes late still
    goes on from it. The service's own status is its performer's to close; who still waits for a
    place waits no longer.
    """
    if draft.authorization is None or not expired(draft.authorization, context.now):
        return False
    draft.authorization = replace(draft.authorization, expired_told_at=context.now)
    if draft.after.business_status is BusinessStatus.WAITLISTED:
        nobody = Placement(Assignment.UNASSIGNED)
        draft.move(Event.ASSIGN, Act(CLOCK, draft.details, None), placement=nobody)
    else:
        draft.free_place()
    draft.announce(EventType.EXPIRED, CLOCK)
    return True


_WORK: dict[Alarm, Callable[[Draft, RequestContext], bool]] = {
    Alarm.VOID: _void,
    Alarm.REMINDER: _remind,
    Alarm.OVERDUE: _overdue,
    Alarm.EXPIRING: _expiring,
    Alarm.EXPIRED: _expired,
}


_CONTINUED = f"""SELECT {REFERRAL_COLUMNS}, o.organization_id, o.npi, o.capacity_status
FROM service_authorization a
JOIN referral r ON r.plan = a.plan AND r.id = a.referral_id
JOIN offer o ON o.plan = r.plan AND o.id = r.offer_id
WHERE a.plan = $1 AND a.previous_id = $2 AND a.status = 'open' AND a.expired_told_at IS NULL
  AND r.offer_id = ANY ($3::text[]) AND r.state = 'approved' AND r.business_status = 'waitlisted'
ORDER BY r.received_at, r.id LIMIT 1 FOR UPDATE OF r"""


async def pass_on(connection: AsyncConnection, draft: Draft, context: RequestContext) -> None:
    """Gives on what the written draft freed; the offer's count stays when the member keeps it."""
    if not draft.freed:
        return
    row = await fetch_one(connection, _CONTINUED, (draft.after.plan, draft.after.id, draft.freed))
    if row is None:
        await release_place(connection, draft, context)
        return
    *columns, organization, npi, status = row
    next_one = to_referral(columns)
    kept = NamedOffer(str(next_one.offer_id), organization, npi, status)
    found = await opened(connection, next_one, now=context.now, fhir_base=context.fhir_base)
    act = Act(CLOCK, found.draft.details, policy_of(found.draft, context))
    reassign(found.draft, act, Placement(Assignment.ASSIGNED, kept))
    await finish(connection, found.draft)
