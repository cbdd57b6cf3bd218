"""Applies a decision to a referral: approve, deny, hand to a person, or ask.

The same functions serve the rules, a person and the clock. They compose a `Draft` and touch no
database, but for the place of an approval, which is taken before they are called.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from app.capacity.assign import Assignment, Placement
from app.decision.authorize import authorization_number, authorize
from app.decision.deadlines import PlanClocks, reminder_due, void_due
from app.intake.known import Held
from app.local_time import local_date
from app.notification.correspond import assignment_notices, notices
from app.notification.messages import EventType
from app.policy.model import Missing, Reason
from app.policy.policy import Policy
from app.referral.draft import Actor, Draft
from app.referral.lifecycle import BusinessStatus, Event
from app.referral.record import Details, Referral

_ANNOUNCED = {
    Assignment.ASSIGNED: EventType.ASSIGNED,
    Assignment.ALTERNATE: EventType.ASSIGNED,
    Assignment.WAITLISTED: EventType.WAITLISTED,
}


_WHO = Missing(
    "",
    "Who is the member? Send the member's number (CIN) and birth date as the card has them.",
)
_WHAT = Missing("", "What else is known of the member that speaks for the service asked for?")


@dataclass(frozen=True, slots=True)
class Act:
    """One decision as it takes effect: who, why, and under which policy."""

    actor: Actor
    details: Details
    policy: Policy | None
    note: str | None = None

    @property
    def version(self) -> str | None:
        return self.policy.version if self.policy else None


@dataclass(frozen=True, slots=True)
class Grant:
    """What an approval gives beside the yes: the place, and how the authorization runs."""

    placement: Placement
    previous: Held | None = None
    wanted_from: date | None = None
    requested: Mapping[str, Any] | None = None


def approve(draft: Draft, act: Act, grant: Grant) -> None:
    """Approves, authorizes and assigns in one move."""
    placement = grant.placement
    draft.move(
        Event.APPROVE,
        act.actor,
        status=BusinessStatus(placement.assignment.value),
        details=replace(act.details, needs_assessment=placement.needs_assessment),
        note=act.note,
        policy=act.version,
    )
    draft.after = replace(draft.after, void_due=None)
    place_with(draft, placement)
    _authorize(draft, act, grant, draft.after.performer_id)
    draft.announcements.append(EventType.APPROVED)
    if placement.assignment in _ANNOUNCED:
        draft.announcements.append(_ANNOUNCED[placement.assignment])
    draft.notices.extend(notices("approved", draft.parties, act.policy))


def _authorize(draft: Draft, act: Act, grant: Grant, performer: str | None) -> None:
    service = draft.after.service
    if act.policy is None or service is None:
        raise ValueError("an approval needs a plan's policy and a service")
    approved_on = local_date(draft.at)
    draft.authorization = authorize(
        number=authorization_number(draft.after.plan, draft.after.id, approved_on),
        service=service,
        term=act.policy.data.terms.get(service, act.policy.data.default_term),
        approved_on=approved_on,
        wanted_from=grant.wanted_from,
        previous=grant.previous,
        performer_id=performer,
        requested=grant.requested,
    )
    draft.new_authorization = True


def place_with(draft: Draft, placement: Placement) -> None:
    """Notes where the referral is, or waits; the performer becomes a party, the one asked for and
    passed over stops being one.
    """
    performer = placement.performer_id
    draft.after = replace(
        draft.after,
        assignment=placement.assignment.value,
        offer_id=placement.offer.id if placement.offer else None,
        holds_place=performer is not None,
        performer_id=performer,
    )
    if draft.authorization is not None:
        draft.authorization = replace(draft.authorization, performer_id=performer)
    if performer:
        draft.become_party(performer, "performer")
        draft.leaves(draft.asked_party, performer)


def reassign(
    draft: Draft, act: Act, placement: Placement, reasons: tuple[Reason, ...] = ()
) -> None:
    """Gives an approved referral to another performer; the one before stops being a party.

    The place held before is given back when the change is written (`app.capacity.waitlist`).
    """
    before = draft.after
    status = BusinessStatus(placement.assignment.value)
    details = renewed(act.details, placement)
    draft.move(Event.ASSIGN, act.actor, status=status, details=details, note=act.note, why=reasons)
    hand_over(draft, before, placement, act.policy)


def renewed(details: Details, placement: Placement) -> Details:
    """What is known of the service begins anew with the performer that has it now."""
    return replace(
        details, needs_assessment=placement.needs_assessment, begun=False, service_reasons=()
    )


def hand_over(
    draft: Draft,
    before: Referral,
    placement: Placement,
    policy: Policy | None,
    status: str = "cancelled",
    reasons: tuple[Reason, ...] = (),
) -> None:
    """From the performer of `before` to the one of `placement`; each is told what it may know.

    `status` is how the service Task of the former ends.
    """
    if before.holds_place and before.offer_id:
        draft.freed.append(before.offer_id)
    draft.leaves(before.performer_id, placement.performer_id, status, reasons)
    place_with(draft, placement)
    if placement.assignment in _ANNOUNCED:
        draft.announcements.append(_ANNOUNCED[placement.assignment])
    if draft.after.performer_id:
        draft.notices.extend(assignment_notices(draft.parties, policy))


def deny(draft: Draft, act: Act) -> None:
    """Says no, with the reasons; the member is told by notice."""
    draft.move(Event.DENY, act.actor, details=act.details, note=act.note, policy=act.version)
    draft.after = replace(draft.after, void_due=None)
    draft.announcements.append(EventType.DENIED)
    draft.notices.extend(notices("denied", draft.parties, act.policy))


def review(draft: Draft, act: Act) -> None:
    """Hands the referral to a person, with the recommendation and its reasons."""
    draft.move(
        Event.REVIEW,
        act.actor,
        status=BusinessStatus.IN_REVIEW,
        details=act.details,
        note=act.note,
        policy=act.version,
    )
    draft.after = replace(draft.after, void_due=None)


def ask(draft: Draft, act: Act, missing: Sequence[Missing], clocks: PlanClocks) -> None:
    """Asks the requester for what is missing; the void clock starts."""
    asked = tuple(_questions(missing, act.details))
    draft.move(
        Event.REQUEST_INFORMATION,
        act.actor,
        status=BusinessStatus.INFORMATION_NEEDED,
        details=replace(act.details, missing=asked),
        note=act.note,
        policy=act.version,
    )
    due = void_due(draft.at, clocks)
    draft.ask(asked, act.actor, due, reminder_due(draft.at, due, clocks))
    draft.announcements.append(EventType.INFORMATION_REQUESTED)
    draft.notices.extend(notices("information-needed", draft.parties, act.policy))


def _questions(missing: Sequence[Missing], details: Details) -> Sequence[Missing]:
    """What the requester is asked in words; never nothing."""
    reasons = {reason.code for reason in details.reasons}
    if "member-unidentified" in reasons:
        return (_WHO, *missing)
    return missing or (_WHAT,)


def void(draft: Draft, act: Act) -> None:
    """Ends a referral whose information was asked for and never came."""
    draft.move(Event.VOID, act.actor, details=act.details, note=act.note, policy=act.version)
    draft.after = replace(draft.after, void_due=None)
    draft.announcements.append(EventType.VOIDED)
    draft.notices.extend(notices("void", draft.parties, act.policy))


def cancel(draft: Draft, act: Act) -> None:
    """Takes a referral back; an authorization ends, and its place is given on."""
    draft.move(Event.CANCEL, act.actor, details=act.details, note=act.note, policy=act.version)
    if draft.after.holds_place and draft.after.offer_id:
        draft.freed.append(draft.after.offer_id)
    if draft.authorization is not None:
        draft.authorization = replace(draft.authorization, status="ended")
    draft.announcements.append(EventType.CANCELLED)
    draft.notices.extend(notices("cancelled", draft.parties, act.policy))
    draft.after = replace(draft.after, void_due=None, holds_place=False)
