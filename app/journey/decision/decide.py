"""What a determination leads to: it takes effect, or a person looks, or somebody is asked.

PURE. Whether the rules act by themselves is plan data (`automation`); denials on need go to a
person by default, because in California they are a clinician's to make (spec.md 2, Who decides).

What an approval authorizes: the number, the period, the units.

PURE: the policy's term, the day and what came before go in. Source: spec.md 6.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

from app.base.local_time import kept, plus_days
from app.model.known import HeldAuthorization
from app.model.lifecycle import Event
from app.model.record import Authorization
from app.policy.deadlines import last_day
from app.policy.model import Determination, DeterminationOutcome
from app.policy.schema import Switches, Term

#: Reasons that only a person can settle, whatever else is missing.
_FOR_A_PERSON = frozenset({"already-authorized"})
#: Reasons that are answered by asking the requester.
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
    if reasons & _ASK and not reasons & _FOR_A_PERSON:
        return Event.REQUEST_INFORMATION
    return Event.REVIEW


def authorization_number(plan: str, referral_id: str, on: date) -> str:
    """The plan's number: plan, day and the random end of the referral's id. Unique per plan."""
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
    """The authorization that follows from an approval.

    The first starts on the local date of approval, or on the day asked for if later; a
    reauthorization the day after the one before ends, or on the date of approval if that has
    passed.
    """
    length = term.initial
    starts_on = approved_on
    if previous is not None:
        length = term.reauthorization or term.initial
        starts_on = max(approved_on, plus_days(previous.authorization.ends_on, 1))
    elif wanted_from is not None:
        starts_on = max(approved_on, kept(wanted_from))
    return Authorization(
        number=number,
        service=service,
        performer_id=performer_id,
        starts_on=starts_on,
        ends_on=kept(last_day(starts_on, length)),
        units=requested or _units(term),
        previous_id=previous.referral_id if previous else None,
    )


def _units(term: Term) -> Mapping[str, Any] | None:
    if term.units is None:
        return None
    return {"quantity": term.units, "unit": term.unit}
