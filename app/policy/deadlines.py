"""When a decision is due, and when an unanswered request for information ends a referral.

PURE: receipt and calendar in, moment out. Business days are the plan's; a due date given in days
ends at 23:59:59 in California (spec.md 2, Clocks).
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
    """A plan's clocks at a date, as its file says them, with the holidays of its calendar."""

    data: Clocks
    holidays: Collection[date]


def is_business_day(day: date, clocks: PlanClocks) -> bool:
    """Monday to Friday, and no holiday of the plan's calendar."""
    return day.weekday() < 5 and day not in clocks.holidays


def add_business_days(day: date, count: int, clocks: PlanClocks) -> date:
    """The `count`-th business day after `day`; `day` itself is day 0."""
    step = timedelta(days=1 if count >= 0 else -1)
    for _ in range(abs(count)):
        day += step
        while not is_business_day(day, clocks):
            day += step
    return day


def business_receipt(received: datetime, clocks: PlanClocks) -> date:
    """Day 0 of a business-day clock: a receipt on a non-business day, or after the cut-off hour,
    counts as the next business day.
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
    """23:59:59 local on `day`."""
    return datetime.combine(day, _END_OF_DAY, LOCAL)


def decision_due(received: datetime, priority: str, clocks: PlanClocks) -> datetime:
    """When the plan must have decided. Hours and calendar days run from actual receipt."""
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
    """When a request for information that nobody answered ends the referral."""
    return end_of(
        add_business_days(business_receipt(asked, clocks), clocks.data.void_business_days, clocks)
    )


def reminder_due(asked: datetime, void: datetime, clocks: PlanClocks) -> datetime | None:
    """When the second attempt is made: the day begins that lies two business days before the end.

    None where that is no later than the first attempt itself.
    """
    before = clocks.data.reminder_business_days_before
    day = add_business_days(void.astimezone(LOCAL).date(), -before, clocks)
    due = datetime.combine(day, time(), LOCAL)
    return due if due > asked else None


def is_over(due: datetime, now: datetime) -> bool:
    """Whether a due moment has passed; its last second is still in time (23:59:59 ends a day)."""
    return now - due >= timedelta(seconds=1)


def expires(ends_on: date) -> datetime:
    """The moment from which an authorization is over: its last day has ended in California."""
    return end_of(ends_on)


def expiring_from(starts_on: date, ends_on: date, clocks: PlanClocks) -> date | None:
    """The first day on which an authorization is announced as expiring.

    None for one that is shorter than the notice itself: it would be announced the day it begins.
    """
    day = plus_days(ends_on, -clocks.data.expiring_days_before)
    return day if day > starts_on else None


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


#: Priorities that put a referral on the 72-hour track (spec.md 2).
URGENT = frozenset({"urgent", "asap", "stat"})
