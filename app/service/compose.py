"""The performer's moves as they take effect on a draft: accept, begin, hold, end, decline.

Touches no database. Who may do it and whether it is legal now were asked before; `Draft.move` asks
again. Where the place of a service goes is `app.capacity.waitlist`'s.
"""

from dataclasses import replace

from app.capacity.assign import Placement
from app.decision.apply import Act, hand_over, renewed
from app.notification.messages import EventType
from app.policy.model import Reason
from app.referral.draft import Draft
from app.referral.lifecycle import BusinessStatus, Event

_ENDS = {Event.COMPLETE: BusinessStatus.COMPLETED, Event.FAIL: BusinessStatus.UNFULFILLED}

Reasons = tuple[Reason, ...]


def accept(draft: Draft, act: Act, reasons: Reasons = ()) -> None:
    """The performer takes the member on."""
    _move(draft, Event.ACCEPT, act, BusinessStatus.ACCEPTED, reasons)
    draft.announcements.append(EventType.ACCEPTED)


def begin(draft: Draft, event: Event, act: Act, reasons: Reasons = ()) -> None:
    """Starts or resumes the service; that it began is announced once for each performer."""
    first = not draft.details.begun
    _move(draft, event, act, BusinessStatus.IN_SERVICE, reasons)
    draft.details = replace(draft.details, begun=True)
    if first:
        draft.announcements.append(EventType.STARTED)


def hold(draft: Draft, act: Act, reasons: Reasons = ()) -> None:
    """Interrupts the service; the reason is shown until it goes on."""
    _move(draft, Event.HOLD, act, BusinessStatus.ON_HOLD, reasons)
    draft.details = replace(draft.details, service_reasons=reasons)


def close(draft: Draft, event: Event, act: Act, reasons: Reasons = ()) -> None:
    """Completes or fails the service: the loop is closed, the place free, the requester told.

    An authorization that came to nothing ends; after a service it runs to its last day, so that a
    reauthorization can go on from it.
    """
    _move(draft, event, act, _ENDS[event], reasons)
    draft.details = replace(draft.details, service_reasons=reasons)
    if draft.after.holds_place and draft.after.offer_id:
        draft.freed.append(draft.after.offer_id)
    draft.after = replace(draft.after, holds_place=False, closed_at=draft.at)
    if event is Event.FAIL and draft.authorization is not None:
        draft.authorization = replace(draft.authorization, status="ended")
    draft.announcements.append(EventType.CLOSED)


def decline(draft: Draft, act: Act, placement: Placement, reasons: Reasons) -> None:
    """The performer passes; the referral goes to `placement`, and the performer is no party now."""
    before = draft.after
    draft.announcements.append(EventType.DECLINED)
    status = BusinessStatus(placement.assignment.value)
    draft.move(
        Event.DECLINE,
        act.actor,
        status=status,
        details=renewed(draft.details, placement),
        note=act.note,
        why=reasons,
    )
    hand_over(draft, before, placement, act.policy, "rejected", reasons)


def annotate(draft: Draft, act: Act) -> None:
    """Something is kept with the referral; nothing moves."""
    shown, status = draft.details, draft.after.business_status
    draft.move(Event.ANNOTATE, act.actor, status=status, details=shown, note=act.note, why=())


def _move(draft: Draft, event: Event, act: Act, status: BusinessStatus, reasons: Reasons) -> None:
    details = replace(draft.details, service_reasons=())
    draft.move(event, act.actor, status=status, details=details, note=act.note, why=reasons)
