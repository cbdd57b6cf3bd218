"""What an approval authorizes: the number, the period, the units.

PURE: the policy's term, the day and what came before go in. Source: spec.md 6.
"""

from calendar import monthrange
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from app.intake.known import Held
from app.local_time import kept, plus_days
from app.policy.schema import Length, Term
from app.referral.record import Authorization


def authorization_number(plan: str, referral_id: str, on: date) -> str:
    """The plan's number: plan, day and the random end of the referral's id. Unique per plan."""
    return f"{plan}-{on:%Y%m%d}-{referral_id.replace('-', '')[-10:].upper()}"


def last_day(first: date, length: Length) -> date:
    """The last day of a period that begins on `first` (2024-03-04 and 12 months → 2025-03-03).

    The day before the same day so many months later. Where that month has no such day, the month's
    last day: nobody is given less than the months that they were promised (2024-02-29 and 12 months
    → 2025-02-28; 2024-08-31 and 6 → 2025-02-28), as whoever was born on 29 February is a year older
    on 1 March (facts.md 2.2).
    """
    days = length.days if length.days is not None else 7 * (length.weeks or 0)
    try:
        if length.months is None:
            return first + timedelta(days=days - 1)
        year, month = divmod(first.year * 12 + first.month - 1 + length.months, 12)
        ending = monthrange(year, month + 1)[1]
        if first.day > ending:
            return date(year, month + 1, ending)
        return date(year, month + 1, first.day) - timedelta(days=1)
    except (ValueError, OverflowError):  # beyond the calendar
        return date.max


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
