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
from app.decision.deadlines import Clocks, reminder_due, void_due
from app.intake.known import Held
from app.local_time import local_date
from app.notification.correspond import notices
from app.notification.messages import EventType
from app.policy.model import Missing
from app.policy.policy import Policy
from app.referral.draft import Actor, Draft
from app.referral.lifecycle import BusinessStatus, Event
from app.referral.record import Details

_ANNOUNCED = {
    Assignment.ASSIGNED: EventType.ASSIGNED,
    Assignment.ALTERNATE: EventType.ASSIGNED,
    Assignment.WAITLISTED: EventType.WAITLISTED,
}


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
    placed = placement.assignment in (Assignment.ASSIGNED, Assignment.ALTERNATE)
    offer = placement.offer
    performer = offer.organization_id if offer and placed else None
    draft.move(
        Event.APPROVE,
        act.actor,
        status=BusinessStatus(placement.assignment.value),
        details=replace(act.details, needs_assessment=placement.needs_assessment),
        note=act.note,
        policy=act.version,
    )
    draft.after = replace(
        draft.after,
        assignment=placement.assignment.value,
        offer_id=offer.id if offer else None,
        holds_place=placed,
        performer_id=performer,
        void_due=None,
    )
    _authorize(draft, act, grant, performer)
    if performer:
        draft.become_party(performer, "performer")
        draft.leaves(draft.after.asked_performer_id, performer)
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


def reassign(draft: Draft, act: Act, placement: Placement) -> None:
    """Gives an approved referral to another performer; the one before stops being a party."""
    placed = placement.assignment is not Assignment.WAITLISTED
    offer = placement.offer
    performer = offer.organization_id if offer and placed else None
    draft.leaves(draft.after.performer_id, performer)
    details = replace(act.details, needs_assessment=placement.needs_assessment)
    status = BusinessStatus(placement.assignment.value)
    draft.move(Event.ASSIGN, act.actor, status=status, details=details, note=act.note)
    draft.after = replace(
        draft.after,
        assignment=placement.assignment.value,
        offer_id=offer.id if offer else None,
        holds_place=placed,
        performer_id=performer,
    )
    if draft.authorization is not None:
        draft.authorization = replace(draft.authorization, performer_id=performer)
    if performer:
        draft.become_party(performer, "performer")
    draft.announcements.append(_ANNOUNCED[placement.assignment])


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


def ask(draft: Draft, act: Act, missing: Sequence[Missing], clocks: Clocks) -> None:
    """Asks the requester for what is missing; the void clock starts."""
    draft.move(
        Event.REQUEST_INFORMATION,
        act.actor,
        status=BusinessStatus.INFORMATION_NEEDED,
        details=act.details,
        note=act.note,
        policy=act.version,
    )
    due = void_due(draft.at, clocks)
    draft.ask(missing, act.actor, due, reminder_due(draft.at, due, clocks))
    draft.announcements.append(EventType.INFORMATION_REQUESTED)
    draft.notices.extend(notices("information-needed", draft.parties, act.policy))


def void(draft: Draft, act: Act) -> None:
    """Ends a referral whose information was asked for and never came."""
    draft.move(Event.VOID, act.actor, details=act.details, note=act.note, policy=act.version)
    draft.after = replace(draft.after, void_due=None)
    draft.announcements.append(EventType.VOIDED)
    draft.notices.extend(notices("void", draft.parties, act.policy))


def cancel(draft: Draft, act: Act) -> None:
    """Takes a referral back; an authorization ends, and its place is the caller's to free."""
    draft.move(Event.CANCEL, act.actor, details=act.details, note=act.note, policy=act.version)
    if draft.authorization is not None:
        draft.authorization = replace(draft.authorization, status="ended")
    draft.announcements.append(EventType.CANCELLED)
    draft.notices.extend(notices("cancelled", draft.parties, act.policy))
    draft.after = replace(draft.after, void_due=None, holds_place=False)
