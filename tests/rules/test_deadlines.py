"""When a decision is due, and when an unanswered question ends a referral."""

from datetime import UTC, date, datetime

import pytest

from app.base.local_time import LOCAL
from app.policy.deadlines import (
    add_business_days,
    business_receipt,
    decision_due,
    end_of,
    reminder_due,
    void_due,
)
from app.policy.library import load_library
from tests.rules.plan_data import plan_clocks

HOLIDAYS = load_library().calendars["CA_STATE_OFFICE"].holidays
NOW = plan_clocks(HOLIDAYS)
BEFORE_2026 = plan_clocks(HOLIDAYS, decision_calendar_days=None)


def at(text: str) -> datetime:
    """A moment in California."""
    return datetime.fromisoformat(text).replace(tzinfo=LOCAL)


DUE = [
    # from 2026: the earlier of five business days and seven calendar days
    ("2026-11-02T09:00", "routine", NOW, "2026-11-09T23:59:59"),  # Monday: five business days
    ("2026-11-20T09:00", "routine", NOW, "2026-11-27T23:59:59"),  # Thanksgiving: the cap
    ("2026-11-21T09:00", "routine", NOW, "2026-11-28T23:59:59"),  # Saturday: the cap
    ("2026-12-24T09:00", "routine", NOW, "2026-12-31T23:59:59"),
    # before: five business days alone
    ("2025-11-05T09:00", "routine", BEFORE_2026, "2025-11-13T23:59:59"),  # Veterans Day
    ("2025-11-08T09:00", "routine", BEFORE_2026, "2025-11-18T23:59:59"),  # Saturday counts Monday
    ("2025-11-05T23:59", "routine", BEFORE_2026, "2025-11-13T23:59:59"),
    # hours run from actual receipt, over weekends, holidays and the change of the clocks
    ("2026-11-20T09:00", "urgent", NOW, "2026-11-23T09:00"),
    ("2026-11-25T23:30", "asap", NOW, "2026-11-28T23:30"),
    ("2026-10-30T10:00", "stat", NOW, "2026-11-02T09:00"),
    ("2026-03-06T10:00", "stat", NOW, "2026-03-09T11:00"),
]


@pytest.mark.parametrize(("received", "priority", "clocks", "due"), DUE)
def test_a_decision_is_due(received, priority, clocks, due):
    assert decision_due(at(received), priority, clocks) == at(due)


VOID = [
    ("2026-11-02T09:00", "2026-11-09T23:59:59"),
    ("2026-11-20T09:00", "2026-12-01T23:59:59"),  # over Thanksgiving and the day after
    ("2026-11-21T09:00", "2026-12-02T23:59:59"),  # a Saturday counts as the Monday
    ("2023-08-10T09:00", "2023-08-17T23:59:59"),
]


@pytest.mark.parametrize(("asked", "due"), VOID)
def test_a_question_is_open_until(asked, due):
    assert void_due(at(asked), NOW) == at(due)


REMINDERS = [
    ("2026-11-20T09:00", "2026-12-01T23:59:59", "2026-11-25T00:00"),
    ("2026-11-25T09:00", "2026-12-01T23:59:59", None),  # no later than the question itself
]


@pytest.mark.parametrize(("asked", "void", "reminded"), REMINDERS)
def test_the_reminder_comes_two_business_days_before(asked, void, reminded):
    due = reminder_due(at(asked), at(void), NOW)
    assert due == (at(reminded) if reminded else None)


RECEIPTS = [
    ("2026-11-20T17:00", "2026-11-20"),
    ("2026-11-20T17:01", "2026-11-23"),
    ("2026-11-21T09:00", "2026-11-23"),
    ("2026-11-25T18:00", "2026-11-30"),  # after hours before a long weekend
    ("2026-11-26T09:00", "2026-11-30"),
]


@pytest.mark.parametrize(("received", "day"), RECEIPTS)
def test_a_receipt_after_the_cut_off_hour_counts_the_next_business_day(received, day):
    clocks = plan_clocks(HOLIDAYS, cutoff_hour=17)
    assert business_receipt(at(received), clocks) == date.fromisoformat(day)


def test_the_day_is_californias():
    """01:00 UTC on Saturday is Friday evening in California."""
    late = datetime(2026, 11, 21, 1, tzinfo=UTC)
    assert business_receipt(late, NOW) == date(2026, 11, 20)


@pytest.mark.parametrize("count", [0, 1, 5, -1, -3])
def test_business_days_are_counted_both_ways(count):
    day = add_business_days(date(2026, 11, 24), count, NOW)
    assert count == 0 or (day.weekday() < 5 and day not in HOLIDAYS)
    assert (day > date(2026, 11, 24)) == (count > 0)


def test_a_day_ends_a_second_before_midnight_in_california():
    assert end_of(date(2026, 7, 1)).astimezone(UTC) == datetime(2026, 7, 2, 6, 59, 59, tzinfo=UTC)
