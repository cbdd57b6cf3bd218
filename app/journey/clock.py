"""A due date passes: the clock voids the referral, reminds the requester, or tells the parties.

`fire` composes the draft, with the moves that people make too, and touches no database.
`app.model.record` decides whether a clock fires at all; `app.workers.clocks` finds what is due and
writes the draft.

`keep_or_release` hands on the place of an authorization that has expired: the member's own
reauthorization keeps the place if it waits for one; else the place is free for the waiting list
(`app.journey.waitlist`).
"""

from collections.abc import Callable
from dataclasses import replace

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
from app.store.database import Transaction
from app.store.referral.draft import Act, Actor, Draft
from app.store.referral.reopen import load_for_move

#: The actor of a move that no person and no rule makes.
CLOCK = Actor("clock", None)


def fire(draft: Draft, alarm: Alarm, context: RequestContext) -> bool:
    """Composes the effect of the alarm on the draft; False, and no effect, if it is not due."""
    return _WORK[alarm](draft, context)


def _void(draft: Draft, context: RequestContext) -> bool:
    if not voids(draft.after, draft.open_request, context.now):
        return False
    details = replace(draft.details, reasons=(Reason("information-not-received"),))
    draft.move(Event.VOID, Act(CLOCK, details, policy_of(draft, context)))
    return True


def _remind(draft: Draft, context: RequestContext) -> bool:
    """Asks the requester a second time, by message and letter. No move, so no row of history."""
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
    """Announces that the authorization has expired, and frees its place.

    The authorization's status stays `open`, which means "not taken back", so that a late
    reauthorization can still continue it. The performer closes the service's own status. A member
    who still waits for a place stops waiting.
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


# The place of an expired authorization

_REAUTHORIZATION = """SELECT r.id, r.offer_id, o.organization_id, o.npi, o.capacity_status
FROM service_authorization a
JOIN referral r ON r.plan = a.plan AND r.id = a.referral_id
JOIN offer o ON o.plan = r.plan AND o.id = r.offer_id
WHERE a.plan = $1 AND a.previous_id = $2 AND a.status = 'open' AND a.expired_told_at IS NULL
  AND r.offer_id = ANY ($3::text[]) AND r.state = 'approved' AND r.business_status = 'waitlisted'
ORDER BY r.received_at, r.id LIMIT 1 FOR UPDATE OF r"""


async def keep_or_release(transaction: Transaction, draft: Draft, context: RequestContext) -> None:
    """Gives a freed place to the member's reauthorization, or releases it to the waiting list.

    The draft is written already. If the member keeps the place, the offer's count stays.
    """
    if not draft.freed:
        return
    plan = draft.after.plan
    row = await transaction.fetch_one(_REAUTHORIZATION, plan, draft.after.id, draft.freed)
    if row is None:
        await release_place(transaction, draft, context)
        return
    kept = NamedOffer(row["offer_id"], row["organization_id"], row["npi"], row["capacity_status"])
    reopened = await load_for_move(
        transaction, plan, row["id"], now=context.now, fhir_base=context.fhir_base
    )
    act = Act(CLOCK, reopened.draft.details, policy_of(reopened.draft, context))
    reassign(reopened.draft, act, Placement(Assignment.ASSIGNED, kept))
    await finish(transaction, reopened.draft)
