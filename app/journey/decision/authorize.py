"""What an approval authorizes: the number, the period, the units.

PURE: the policy's term, the day and what came before go in. Source: spec.md 6.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

from app.base.local_time import kept, plus_days
from app.model.known import Held
from app.model.record import Authorization
from app.policy.deadlines import last_day
from app.policy.schema import Term


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
    previous: Held | None,
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
