"""Due dates as tables, and as properties over ten years of receipts, holidays and clock changes."""

from datetime import UTC, date, datetime, time, timedelta
from functools import cache

import holidays
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.base.local_time import LOCAL
from app.policy.deadlines import (
    PlanClocks,
    add_business_days,
    business_receipt,
    decision_due,
    end_of,
    expires,
    expiring_from,
    is_business_day,
    is_over,
    reminder_due,
    void_due,
)
from app.policy.library import load_library
from app.policy.rules import Rules
from tests.rules.plan_data import plan_clocks

LIBRARY = load_library()
TABLE = LIBRARY.calendars["CA_STATE_OFFICE"].holidays
FIRST, LAST = datetime(2021, 1, 1, tzinfo=LOCAL), datetime(2030, 12, 1, tzinfo=LOCAL)
SECOND = timedelta(seconds=1)

moments = st.integers(0, int((LAST - FIRST).total_seconds())).map(
    lambda seconds: FIRST.astimezone(UTC) + timedelta(seconds=seconds)
)


@cache
def clocks(on: date) -> PlanClocks:
    """The clocks of a plan on a day, from its file."""
    return Rules(LIBRARY, LIBRARY.plans).clocks("HPSM", on)


def clocks_at(moment: datetime) -> PlanClocks:
    return clocks(moment.astimezone(LOCAL).date())


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=LOCAL)


#: Received, priority, due; all in California.
DECISIONS = [
    # The examples: seven calendar days come before the fifth business day, 1 December.
    ("2026-11-20T09:00", "routine", "2026-11-27T23:59:59"),
    ("2026-11-20T09:00", "urgent", "2026-11-23T09:00"),
    ("2026-11-20T09:00", "asap", "2026-11-23T09:00"),
    ("2026-11-20T09:00", "stat", "2026-11-23T09:00"),
    # Before 2026: five business days, the day of receipt being day 0.
    ("2023-08-07T10:00", "routine", "2023-08-14T23:59:59"),
    ("2024-03-04T09:12", "routine", "2024-03-11T23:59:59"),
    # Saturday and Sunday count as Monday; so does a holiday as the next business day.
    ("2024-03-02T12:00", "routine", "2024-03-11T23:59:59"),
    ("2024-07-04T12:00", "routine", "2024-07-12T23:59:59"),
    # Thanksgiving and the day after; the turn of the year; the cap begins.
    ("2025-11-25T12:00", "routine", "2025-12-04T23:59:59"),
    ("2024-12-24T12:00", "routine", "2025-01-02T23:59:59"),
    ("2025-12-31T12:00", "routine", "2026-01-08T23:59:59"),
    ("2026-01-01T00:00", "routine", "2026-01-08T23:59:59"),
    # Hours are hours, whatever the clocks on the wall do.
    ("2024-03-08T12:00", "urgent", "2024-03-11T13:00"),
    ("2024-11-01T12:00", "urgent", "2024-11-04T11:00"),
    # Late in the evening is still the same day; there is no cut-off hour by default.
    ("2024-03-04T23:59:59", "routine", "2024-03-11T23:59:59"),
]


@pytest.mark.parametrize(("received", "priority", "due"), DECISIONS)
def test_a_decision_is_due(received, priority, due):
    moment = local(received)
    assert decision_due(moment, priority, clocks_at(moment)) == local(due)


#: Asked, void at the end of this day, reminded from the beginning of that.
VOIDS = [
    ("2023-08-07T10:00", "2023-08-14", "2023-08-10"),
    ("2023-08-10T15:00", "2023-08-17", "2023-08-15"),
    ("2026-11-20T10:00", "2026-12-01", "2026-11-25"),
    ("2026-11-21T10:00", "2026-12-02", "2026-11-30"),
    ("2025-12-24T18:00", "2026-01-02", "2025-12-30"),
    ("2024-03-08T10:00", "2024-03-15", "2024-03-13"),
]


@pytest.mark.parametrize(("asked", "void", "reminder"), VOIDS)
def test_an_unanswered_request_ends_a_referral(asked, void, reminder):
    moment = local(asked)
    rules = clocks_at(moment)
    due = void_due(moment, rules)
    assert due == local(f"{void}T23:59:59")
    assert reminder_due(moment, due, rules) == local(f"{reminder}T00:00")


def test_after_the_cut_off_hour_a_receipt_counts_as_the_next_business_day():
    rules = plan_clocks(TABLE, cutoff_hour=17, decision_calendar_days=None)
    assert business_receipt(local("2024-03-04T17:00"), rules) == date(2024, 3, 4)
    assert business_receipt(local("2024-03-04T17:00:01"), rules) == date(2024, 3, 5)
    assert business_receipt(local("2024-03-08T17:30"), rules) == date(2024, 3, 11)
    # Saturday evening is Monday, not Tuesday.
    assert business_receipt(local("2024-03-09T18:00"), rules) == date(2024, 3, 11)
    late = local("2024-03-04T18:00")
    assert decision_due(late, "routine", rules) == local("2024-03-12T23:59:59")
    assert decision_due(late, "urgent", rules) == late.astimezone(UTC) + timedelta(hours=72)


def test_the_calendar_caps_what_the_business_days_would_allow_only_from_2026():
    assert clocks(date(2025, 12, 31)).data.decision_calendar_days is None
    assert clocks(date(2026, 1, 1)).data.decision_calendar_days == 7


@given(moments)
def test_five_business_days_lie_between_receipt_and_decision(moment):
    rules = clocks_at(moment)
    due = decision_due(moment, "routine", rules)
    received = moment.astimezone(LOCAL).date()
    day = due.astimezone(LOCAL).date()
    worked = [d for d in days(received, day) if is_business_day(d, rules)]
    capped = rules.data.decision_calendar_days is not None and day == received + timedelta(days=7)
    if capped:
        assert len(worked) <= 5 + (not is_business_day(received, rules))
    else:
        begun_late = not is_business_day(received, rules)
        assert len(worked) == 5 + begun_late
        assert is_business_day(day, rules)
    if rules.data.decision_calendar_days is not None:
        assert day <= received + timedelta(days=7)


def days(after, until):
    """The days after one, up to another."""
    return [after + timedelta(days=n) for n in range(1, (until - after).days + 1)]


@given(moments)
def test_a_day_that_is_due_ends_at_its_last_local_second(moment):
    rules = clocks_at(moment)
    for due in (decision_due(moment, "routine", rules), void_due(moment, rules)):
        ends = due.astimezone(LOCAL)
        assert (ends.hour, ends.minute, ends.second) == (23, 59, 59)
        assert not is_over(due, due + timedelta(microseconds=999_999))
        assert is_over(due, due.astimezone(UTC) + SECOND)
        following = (due.astimezone(UTC) + SECOND).astimezone(LOCAL)
        assert (following.date() - ends.date()).days == 1
        assert following.time() == time()


@given(moments, st.sampled_from(["urgent", "asap", "stat"]))
def test_urgent_is_seventy_two_hours_whatever_the_day(moment, priority):
    assert decision_due(moment, priority, clocks_at(moment)) - moment == timedelta(hours=72)


@given(moments, moments)
def test_later_asked_is_never_earlier_over(one, other):
    one, other = sorted((one, other))
    assert void_due(one, clocks_at(one)) <= void_due(other, clocks_at(other))


@given(moments)
def test_the_reminder_lies_two_business_days_before_the_end_and_after_the_first_attempt(moment):
    rules = clocks_at(moment)
    due = void_due(moment, rules)
    reminder = reminder_due(moment, due, rules)
    assert reminder is not None
    assert moment < reminder < due
    day = reminder.astimezone(LOCAL).date()
    assert add_business_days(day, 2, rules) == due.astimezone(LOCAL).date()


def test_a_plan_that_gives_two_days_is_reminded_of_nothing():
    rules = plan_clocks(void_business_days=2, reminder_business_days_before=2)
    asked = local("2024-03-04T10:00")
    assert reminder_due(asked, void_due(asked, rules), rules) is None


@given(st.dates(date(2021, 1, 4), date(2030, 12, 1)), st.integers(-40, 40))
def test_business_days_forth_and_back_come_to_the_same_day(day, count):
    rules = clocks(date(2024, 1, 1))
    if is_business_day(day, rules):
        there = add_business_days(day, count, rules)
        assert is_business_day(there, rules)
        assert add_business_days(there, -count, rules) == day


@pytest.mark.parametrize(
    ("starts", "ends", "first"),
    [
        ("2026-11-20", "2027-11-19", date(2027, 10, 20)),
        ("2026-11-20", "2027-02-17", date(2027, 1, 18)),
        ("2026-11-20", "2026-12-20", None),
        ("2026-11-20", "2026-12-21", date(2026, 11, 21)),
        ("2026-11-20", "2026-11-20", None),
    ],
)
def test_an_authorization_is_expiring_thirty_days_before_its_last_day(starts, ends, first):
    last = date.fromisoformat(ends)
    assert expiring_from(date.fromisoformat(starts), last, clocks(last)) == first
    assert expires(last) == end_of(last)


def test_an_authorization_without_end_is_never_over():
    assert not is_over(expires(date.max), datetime(2999, 1, 1, tzinfo=UTC))


_JUNETEENTH = "Juneteenth: federal, not among the days on which state offices close"
_ANTHONY = "Susan B. Anthony Day: a day of remembrance"
_DIWALI = "Diwali: may be taken, offices stay open"
_FRIDAY = (
    "a Saturday's holiday: the federal government takes the Friday, the state only for 11 November"
)
#: Every working day that is a holiday in the library's list (US, with California) and not in ours.
DIFFERENCES = {
    "2021-06-18": _JUNETEENTH,
    "2021-12-24": _FRIDAY,
    "2021-12-31": _FRIDAY,
    "2022-02-15": _ANTHONY,
    "2022-06-20": _JUNETEENTH,
    "2023-02-15": _ANTHONY,
    "2023-06-19": _JUNETEENTH,
    "2024-02-15": _ANTHONY,
    "2024-06-19": _JUNETEENTH,
    "2025-06-19": _JUNETEENTH,
    "2026-06-19": _JUNETEENTH,
    "2026-07-03": _FRIDAY,
    "2027-06-18": _JUNETEENTH,
    "2027-10-29": _DIWALI,
    "2027-12-24": _FRIDAY,
    "2027-12-31": _FRIDAY,
    "2028-02-15": _ANTHONY,
    "2028-06-19": _JUNETEENTH,
    "2028-10-17": _DIWALI,
    "2029-02-15": _ANTHONY,
    "2029-06-19": _JUNETEENTH,
    "2029-11-05": _DIWALI,
    "2030-02-15": _ANTHONY,
    "2030-06-19": _JUNETEENTH,
}
YEARS = range(2021, 2031)


def test_the_calendar_is_the_librarys_but_for_the_differences_named():
    """Saturdays and Sundays are left out: nobody works on them, whatever they are called."""
    theirs = {day for day in holidays.US(subdiv="CA", years=YEARS) if day.year in YEARS}
    working = {day for day in theirs.symmetric_difference(TABLE) if day.weekday() < 5}
    assert sorted(map(str, working)) == sorted(DIFFERENCES)
    assert not working & set(TABLE)


def test_every_year_of_the_calendar_has_its_eleven_days():
    for year in YEARS:
        assert len([day for day in TABLE if day.year == year]) == 11, year
    assert {day.year for day in TABLE} == set(YEARS)
