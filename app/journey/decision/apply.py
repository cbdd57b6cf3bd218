"""The moves that need more than their row in the table of moves: a place, a number, questions.

The same functions serve the rules, a person and the clock. They compose a `Draft` and touch no
database; the place was taken before they are called. Every other move is `Draft.move` alone.
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

_WHO = Missing(
    "",
    "Who is the member? Send the member's number (CIN) and birth date as the card has them.",
)
_WHAT = Missing("", "What else is known of the member that speaks for the service asked for?")


@dataclass(frozen=True, slots=True)
class Grant:
    """What an approval gives beside the yes: the place, and how the authorization runs."""

    placement: Placement
    previous: HeldAuthorization | None = None
    wanted_from: date | None = None
    requested: Mapping[str, Any] | None = None


def approve(draft: Draft, act: Act, grant: Grant) -> None:
    """Approves, authorizes and assigns in one move."""
    draft.move(Event.APPROVE, _renewed(act, grant.placement), placement=grant.placement)
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
    """Gives an approved referral to another performer; the one before stops being a party.

    The place held before is given back when the change is written (`app.journey.waitlist`).
    """
    draft.move(Event.ASSIGN, _renewed(act, placement), placement=placement, reasons=reasons)


def decline(draft: Draft, act: Act, placement: Placement, reasons: tuple[Reason, ...]) -> None:
    """The performer passes; the referral goes to `placement`, and the performer is no party now."""
    draft.move(Event.DECLINE, _renewed(act, placement), placement=placement, reasons=reasons)


def _renewed(act: Act, placement: Placement) -> Act:
    """What is known of the service begins anew with the performer that has it now."""
    assessed = placement.needs_assessment
    details = replace(act.details, needs_assessment=assessed, begun=False, service_reasons=())
    return replace(act, details=details)


def ask(draft: Draft, act: Act, missing: Sequence[Missing], clocks: PlanClocks) -> None:
    """Asks the requester for what is missing; the void clock starts."""
    asked = tuple(_questions(missing, act.details))
    details = replace(act.details, missing=asked)
    draft.move(Event.REQUEST_INFORMATION, replace(act, details=details))
    due = void_due(draft.at, clocks)
    draft.ask(asked, act.actor, due, reminder_due(draft.at, due, clocks))


def _questions(missing: Sequence[Missing], details: Details) -> Sequence[Missing]:
    """What the requester is asked in words; never nothing."""
    reasons = {reason.code for reason in details.reasons}
    if "member-unidentified" in reasons:
        return (_WHO, *missing)
    return missing or (_WHAT,)
