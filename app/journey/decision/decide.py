"""Decision: names the move that follows from a determination, and what an approval authorizes.

PURE: the determination, the policy's switches and term, the day and the previous authorization go
in. A determination takes effect by itself, goes to a person, or leads to a question. Whether the
rules act by themselves is plan data (`automation`); denials on need go to a person by default,
because in California a clinician makes them (spec.md 2, Who decides). An approval gives the
authorization its number, period and units (spec.md 6).
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

from app.base.local_time import plus_days, storable
from app.model.known import HeldAuthorization
from app.model.lifecycle import Event
from app.model.record import Authorization
from app.policy.deadlines import last_day
from app.policy.model import Determination, DeterminationOutcome
from app.policy.schema import Switches, Term

#: Reasons that only a person can settle, even if facts are missing too.
_FOR_A_PERSON = frozenset({"already-authorized"})
#: Reasons that lead to a question to the requester.
_ASK = frozenset({"facts-missing", "population-missing", "member-unidentified"})


def decide(determination: Determination, switches: Switches) -> Event:
    """Names the move that follows from a determination under a plan's automation."""
    if determination.outcome is DeterminationOutcome.APPROVED:
        return Event.APPROVE if switches.approve == "automatic" else Event.REVIEW
    if determination.outcome is DeterminationOutcome.DENIED:
        administrative = determination.administrative
        switch = switches.deny_administrative if administrative else switches.deny_criteria
        return Event.DENY if switch == "automatic" else Event.REVIEW
    reasons = {reason.code for reason in determination.reasons}
    if reasons & _FOR_A_PERSON or not reasons & _ASK:
        return Event.REVIEW
    if not determination.missing and "member-unidentified" not in reasons:
        return Event.REVIEW  # no question is left that can concern the member
    return Event.REQUEST_INFORMATION


# The authorization


def authorization_number(plan: str, referral_id: str, on: date) -> str:
    """Makes the number: plan, day and random end of the referral's id. Unique per plan.

    Example: `HPSM-20260302-1F0A5A2C11`.
    """
    return f"{plan}-{on:%Y%m%d}-{referral_id.replace('-', '')[-10:].upper()}"


def authorize(
    *,
    number: str,
    service: str,
    term: Term,
    approved_on: date,
    wanted_from: date | None,
    previous: HeldAuthorization | None,
    performer_id: str | None,
    requested: Mapping[str, Any] | None = None,
) -> Authorization:
    """Makes the authorization that follows from an approval.

    A first authorization starts on the local date of approval, or on the day asked for if later. A
    reauthorization starts the day after the `previous` one ends, or on the date of approval if that
    day has passed.
    """
    length = term.initial
    starts_on = approved_on
    if previous is not None:
        length = term.reauthorization or term.initial
        starts_on = max(approved_on, plus_days(previous.authorization.ends_on, 1))
    elif wanted_from is not None:
        starts_on = max(approved_on, storable(wanted_from))
    return Authorization(
        number=number,
        service=service,
        performer_id=performer_id,
        starts_on=starts_on,
        ends_on=storable(last_day(starts_on, length)),
        units=requested or _units(term),
        previous_id=previous.referral_id if previous else None,
    )


def _units(term: Term) -> Mapping[str, Any] | None:
    if term.units is None:
        return None
    return {"quantity": term.units, "unit": term.unit}
