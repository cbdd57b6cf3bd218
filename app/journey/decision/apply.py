"""The moves that need more than their row in the table of moves: a place, a number, or questions.

The rules, a person and the clock all use these functions, which compose a `Draft` and touch no
database; the caller has found the place before. Every other move is `Draft.move` alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from app.base.local_time import local_date
from app.journey.decision.decide import authorization_number, authorize
from app.model.known import HeldAuthorization, Placement
from app.model.lifecycle import Event
from app.model.record import Details
from app.policy.deadlines import PlanClocks, reminder_due, void_due
from app.policy.model import Missing, Reason
from app.store.referral.draft import Act, Draft

_WHO_IS_THE_MEMBER = Missing(
    "",
    "Who is the member? Send the member's number (CIN) and birth date as the card has them.",
)
_WHAT_ELSE = Missing("", "What else is known of the member that speaks for the service asked for?")


@dataclass(frozen=True, slots=True)
class Grant:
    """The content of an approval: the place, and how the authorization runs."""

    placement: Placement
    previous: HeldAuthorization | None = None
    wanted_from: date | None = None
    requested: Mapping[str, Any] | None = None


def approve(draft: Draft, act: Act, grant: Grant) -> None:
    """Approves, authorizes and assigns in one move."""
    draft.move(Event.APPROVE, _with_new_performer(act, grant.placement), placement=grant.placement)
    _authorize(draft, act, grant)


def _authorize(draft: Draft, act: Act, grant: Grant) -> None:
    service = draft.after.service
    if act.policy is None or service is None:
        raise ValueError("an approval needs a plan's policy and a service")
    approved_on = local_date(draft.at)
    authorization = authorize(
        number=authorization_number(draft.after.plan, draft.after.id, approved_on),
        service=service,
        term=act.policy.data.terms.get(service, act.policy.data.default_term),
        approved_on=approved_on,
        wanted_from=grant.wanted_from,
        previous=grant.previous,
        performer_id=draft.after.performer_id,
        requested=grant.requested,
    )
    draft.authorize(authorization)


def reassign(
    draft: Draft, act: Act, placement: Placement, reasons: tuple[Reason, ...] = ()
) -> None:
    """Gives an approved referral to another performer; the former performer stops being a party.

    `app.journey.waitlist` gives the former place back when the change is written.
    """
    draft.move(
        Event.ASSIGN, _with_new_performer(act, placement), placement=placement, reasons=reasons
    )


def decline(draft: Draft, act: Act, placement: Placement, reasons: tuple[Reason, ...]) -> None:
    """Moves a declined referral to `placement`; the performer that declined stops being a party."""
    draft.move(
        Event.DECLINE, _with_new_performer(act, placement), placement=placement, reasons=reasons
    )


def _with_new_performer(act: Act, placement: Placement) -> Act:
    """Resets what is known of the service, because it starts anew with another performer."""
    assessed = placement.needs_assessment
    details = replace(act.details, needs_assessment=assessed, begun=False, service_reasons=())
    return replace(act, details=details)


def ask(draft: Draft, act: Act, missing: Sequence[Missing], clocks: PlanClocks) -> None:
    """Asks the requester for what is missing; the void clock starts."""
    asked = _questions(missing, act.details)
    details = replace(act.details, missing=asked)
    draft.move(Event.REQUEST_INFORMATION, replace(act, details=details))
    due = void_due(draft.at, clocks)
    draft.ask(asked, act.actor, due, reminder_due(draft.at, due, clocks))


def _questions(missing: Sequence[Missing], details: Details) -> tuple[Missing, ...]:
    """Lists what the requester is asked; never an empty list."""
    reasons = {reason.code for reason in details.reasons}
    if "member-unidentified" in reasons:
        return (_WHO_IS_THE_MEMBER, *missing)
    return tuple(missing) or (_WHAT_ELSE,)
