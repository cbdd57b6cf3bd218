"""When a decision is due, and when an unanswered request for information ends a referral.

PURE: receipt and calendar in, moment out. Business days are the plan's; a due date given in days
ends at 23:59:59 in California (spec.md 2, Clocks).
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from app.local_time import LAST_MOMENT, LOCAL, plus_days

_END_OF_DAY = time(23, 59, 59)
URGENT = frozenset({"urgent", "asap", "stat"})


@dataclass(frozen=True, slots=True)
class Clocks:
    """A plan's clocks at a date. `calendar_days` is CMS-0057-F's cap, from 2026-01-01."""

    decision_business_days: int = 5
    decision_calendar_days: int | None = 7
    urgent_hours: int = 72
    void_business_days: int = 5
    reminder_business_days: int = 2
    expiring_days: int = 30
    cut_off: time | None = None
    holidays: Collection[date] = ()


def is_business_day(day: date, clocks: Clocks) -> bool:
    """Monday to Friday, and no holiday of the plan's calendar."""
    return day.weekday() < 5 and day not in clocks.holidays


def add_business_days(day: date, count: int, clocks: Clocks) -> date:
    """The `count`-th business day after `day`; `day` itself is day 0."""
    step = timedelta(days=1 if count >= 0 else -1)
    for _ in range(abs(count)):
        day += step
        while not is_business_day(day, clocks):
            day += step
    return day


def business_receipt(received: datetime, clocks: Clocks) -> date:
    """Day 0 of a business-day clock: a receipt on a non-business day, or after the cut-off hour,
    counts as the next business day.
    """
    local = received.astimezone(LOCAL)
    day = local.date()
    late = clocks.cut_off is not None and local.time() > clocks.cut_off
    if late and is_business_day(day, clocks):
        day += timedelta(days=1)
    while not is_business_day(day, clocks):
        day += timedelta(days=1)
    return day


def end_of(day: date) -> datetime:
    """23:59:59 local on `day`."""
    return datetime.combine(day, _END_OF_DAY, LOCAL)


def decision_due(received: datetime, priority: str, clocks: Clocks) -> datetime:
    """When the plan must have decided. Hours and calendar days run from actual receipt."""
    try:
        return _due(received, priority, clocks)
    except OverflowError:  # asked about the last days of the calendar
        return LAST_MOMENT


def _due(received: datetime, priority: str, clocks: Clocks) -> datetime:
    if priority in URGENT:
        return received.astimezone(UTC) + timedelta(hours=clocks.urgent_hours)
    due = add_business_days(
        business_receipt(received, clocks), clocks.decision_business_days, clocks
    )
    if clocks.decision_calendar_days is not None:
        cap = received.astimezone(LOCAL).date() + timedelta(days=clocks.decision_calendar_days)
        due = min(due, cap)
    return end_of(due)


def void_due(asked: datetime, clocks: Clocks) -> datetime:
    """When a request for information that nobody answered ends the referral."""
    return end_of(
        add_business_days(business_receipt(asked, clocks), clocks.void_business_days, clocks)
    )


def reminder_due(asked: datetime, void: datetime, clocks: Clocks) -> datetime | None:
    """When the second attempt is made: the day begins that lies two business days before the end.

    None where that is no later than the first attempt itself.
    """
    day = add_business_days(void.astimezone(LOCAL).date(), -clocks.reminder_business_days, clocks)
    due = datetime.combine(day, time(), LOCAL)
    return due if due > asked else None


def is_over(due: datetime, now: datetime) -> bool:
    """Whether a due moment has passed; its last second is still in time (23:59:59 ends a day)."""
    return now - due >= timedelta(seconds=1)


def expires(ends_on: date) -> datetime:
    """The moment from which an authorization is over: its last day has ended in California."""
    return end_of(ends_on)


def expiring_from(starts_on: date, ends_on: date, clocks: Clocks) -> date | None:
    """The first day on which an authorization is announced as expiring.

    None for one that is shorter than the notice itself: it would be announced the day it begins.
    """
    day = plus_days(ends_on, -clocks.expiring_days)
    return day if day > starts_on else None
