"""Deadlines: of a decision, of a request for information, and of an authorization.

PURE: the functions take a receipt and a calendar, and return a moment or a day. Business days
follow the calendar of the plan; a due date given in days ends at 23:59:59 in California
(spec.md 2, Clocks).
"""

from calendar import monthrange
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from app.base.local_time import LAST_MOMENT, LOCAL, plus_days
from app.policy.schema import Clocks, Length

_END_OF_DAY = time(23, 59, 59)


@dataclass(frozen=True, slots=True)
class PlanClocks:
    """A plan's clocks at a date, from its policy file, with the holidays of its calendar."""

    data: Clocks
    holidays: Collection[date]


def is_business_day(day: date, clocks: PlanClocks) -> bool:
    """Tell whether a day is Monday to Friday and no holiday of the plan's calendar."""
    return day.weekday() < 5 and day not in clocks.holidays


def add_business_days(day: date, count: int, clocks: PlanClocks) -> date:
    """Return the `count`-th business day after `day`; `day` itself is day 0."""
    step = timedelta(days=1 if count >= 0 else -1)
    for _ in range(abs(count)):
        day += step
        while not is_business_day(day, clocks):
            day += step
    return day


def business_receipt(received: datetime, clocks: PlanClocks) -> date:
    """Return day 0 of a clock in business days: a receipt on another day, or after the cut-off
    hour, counts as the next business day.
    """
    local = received.astimezone(LOCAL)
    day = local.date()
    cut_off = clocks.data.cutoff_hour
    late = cut_off is not None and local.time() > time(cut_off)
    if late and is_business_day(day, clocks):
        day += timedelta(days=1)
    while not is_business_day(day, clocks):
        day += timedelta(days=1)
    return day


def end_of(day: date) -> datetime:
    """Return 23:59:59 local time on `day`."""
    return datetime.combine(day, _END_OF_DAY, LOCAL)


def decision_due(received: datetime, priority: str, clocks: PlanClocks) -> datetime:
    """Return the moment by which the plan must decide. Hours and calendar days run from the actual
    receipt.
    """
    try:
        return _due(received, priority, clocks)
    except OverflowError:  # asked about the last days of the calendar
        return LAST_MOMENT


def _due(received: datetime, priority: str, clocks: PlanClocks) -> datetime:
    if priority in URGENT:
        return received.astimezone(UTC) + timedelta(hours=clocks.data.urgent_hours)
    due = add_business_days(
        business_receipt(received, clocks), clocks.data.decision_business_days, clocks
    )
    if (days := clocks.data.decision_calendar_days) is not None:
        due = min(due, received.astimezone(LOCAL).date() + timedelta(days=days))
    return end_of(due)


def void_due(asked: datetime, clocks: PlanClocks) -> datetime:
    """Return the moment at which an unanswered request for information ends the referral."""
    return end_of(
        add_business_days(business_receipt(asked, clocks), clocks.data.void_business_days, clocks)
    )


def reminder_due(asked: datetime, void: datetime, clocks: PlanClocks) -> datetime | None:
    """Return the moment of the reminder: the begin of the day that lies the plan's number of
    business days (`reminder_business_days_before`) before the end.

    None if that moment is not after the first attempt, `asked`.
    """
    before = clocks.data.reminder_business_days_before
    day = add_business_days(void.astimezone(LOCAL).date(), -before, clocks)
    due = datetime.combine(day, time(), LOCAL)
    return due if due > asked else None


def is_over(due: datetime, now: datetime) -> bool:
    """Tell whether a due moment has passed. Its last second is still in time: a due moment of
    23:59:59 has passed at 00:00:00.
    """
    return now - due >= timedelta(seconds=1)


def expires(ends_on: date) -> datetime:
    """Return the moment at which an authorization ends: the end of its last day in California."""
    return end_of(ends_on)


def expiring_from(starts_on: date, ends_on: date, clocks: PlanClocks) -> date | None:
    """Return the first day on which an authorization is announced as expiring.

    None if the authorization is shorter than the time of notice: the announcement would fall on its
    first day or before.
    """
    day = plus_days(ends_on, -clocks.data.expiring_days_before)
    return day if day > starts_on else None


def last_day(first: date, length: Length) -> date:
    """Return the last day of a period that begins on `first`.

    A period of months ends on the day before the same day of the month: 2024-03-04 and 12 months →
    2025-03-03. A month without such a day ends the period on its last day: 2024-02-29 and 12 months
    → 2025-02-28; 2024-08-31 and 6 months → 2025-02-28. So the member gets the whole months that the
    plan promised; likewise a person born on 29 February is a year older on 1 March (facts.md 2.2).
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


#: Priorities that put a referral on the 72-hour track (spec.md 2).
URGENT = frozenset({"urgent", "asap", "stat"})
