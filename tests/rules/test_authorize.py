"""What an approval authorizes: from when, until when, how much."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from app.journey.decision.decide import authorization_number, authorize
from app.model.known import HeldAuthorization
from app.model.record import Authorization
from app.policy.deadlines import last_day
from app.policy.schema import Length, Term

TERM = Term(initial=Length(months=12), reauthorization=Length(months=6), citation="E")
ID = "01a20ad0-0d20-7450-929a-6f03a0afe6e0"

LAST = [
    ("2024-03-04", {"months": 12}, "2025-03-03"),
    ("2025-03-04", {"months": 6}, "2025-09-03"),
    ("2024-02-28", {"months": 12}, "2025-02-27"),
    ("2024-02-29", {"months": 12}, "2025-02-28"),
    ("2028-02-29", {"months": 12}, "2029-02-28"),
    ("2024-02-29", {"months": 48}, "2028-02-28"),
    ("2024-03-01", {"months": 12}, "2025-02-28"),
    ("2023-03-01", {"months": 12}, "2024-02-29"),
    ("2024-12-31", {"months": 12}, "2025-12-30"),
    ("2024-02-29", {"months": 6}, "2024-08-28"),
    ("2024-08-28", {"months": 6}, "2025-02-27"),
    ("2024-08-29", {"months": 6}, "2025-02-28"),
    ("2024-08-30", {"months": 6}, "2025-02-28"),
    ("2024-08-31", {"months": 6}, "2025-02-28"),
    ("2024-09-01", {"months": 6}, "2025-02-28"),
    ("2023-08-31", {"months": 6}, "2024-02-29"),
    ("2025-03-31", {"months": 6}, "2025-09-30"),
    ("2025-10-31", {"months": 6}, "2026-04-30"),
    ("2025-12-31", {"months": 6}, "2026-06-30"),
    ("2025-07-31", {"months": 6}, "2026-01-30"),
    ("2026-01-31", {"months": 1}, "2026-02-28"),
    ("2026-01-01", {"months": 1}, "2026-01-31"),
    ("2026-11-20", {"days": 1}, "2026-11-20"),
    ("2026-11-20", {"days": 30}, "2026-12-19"),
    ("2026-11-20", {"weeks": 12}, "2027-02-11"),
    ("9999-06-01", {"months": 12}, "9999-12-31"),
    ("9999-12-31", {"days": 30}, "9999-12-31"),
]


@pytest.mark.parametrize(("first", "length", "last"), LAST)
def test_the_last_day_of_a_period(first, length, last):
    assert last_day(date.fromisoformat(first), Length(**length)) == date.fromisoformat(last)


@pytest.mark.parametrize("months", [6, 12])
def test_who_begins_later_is_never_done_earlier_and_nobody_has_less_than_the_months(months):
    """Every first day of four years with a leap year among them."""
    days = [date(2025, 1, 1) + timedelta(days=n) for n in range(4 * 365 + 1)]
    lasts = [last_day(first, Length(months=months)) for first in days]
    assert lasts == sorted(lasts)
    for first, last in zip(days, lasts, strict=True):
        after = last + timedelta(days=1)
        passed = 12 * (after.year - first.year) + after.month - first.month
        assert (passed, after.day) in [(months, first.day), (months + 1, 1)]


@pytest.mark.parametrize("first", ["2024-02-29", "2024-08-31", "2025-10-31", "2026-12-31"])
def test_reauthorizations_follow_day_upon_day_for_ten_years(first):
    approved = date.fromisoformat(first)
    before = None
    for _ in range(20):
        given = authorize(
            number="N-1",
            service="ECM",
            term=TERM,
            approved_on=approved,
            wanted_from=None,
            previous=before,
            performer_id=None,
        )
        if before is not None:
            assert given.starts_on == before.authorization.ends_on + timedelta(days=1)
        before = HeldAuthorization("HPSM", "before", given)
        approved = given.ends_on  # asked for on the last day


def held(ends_on: str) -> HeldAuthorization:
    before = Authorization("N", "ECM", None, date(2024, 1, 1), date.fromisoformat(ends_on))
    return HeldAuthorization("HPSM", "before", before)


PERIODS = {
    "on the day of approval": (None, None, "2026-11-20", "2027-11-19"),
    "on the day asked for, if later": ("2026-12-01", None, "2026-12-01", "2027-11-30"),
    "not on a day that is over": ("2026-10-01", None, "2026-11-20", "2027-11-19"),
    "the day after the one before": (None, "2027-03-03", "2027-03-04", "2027-09-03"),
    "now, when the one before is over": (None, "2026-03-03", "2026-11-20", "2027-05-19"),
    "what is asked for moves no reauthorization": (
        "2027-06-01",
        "2027-03-03",
        "2027-03-04",
        "2027-09-03",
    ),
}


@pytest.mark.parametrize(("wanted", "before", "first", "last"), PERIODS.values(), ids=PERIODS)
def test_an_authorization_runs(wanted, before, first, last):
    given = authorize(
        number="N-1",
        service="ECM",
        term=TERM,
        approved_on=date(2026, 11, 20),
        wanted_from=date.fromisoformat(wanted) if wanted else None,
        previous=held(before) if before else None,
        performer_id="org-tidepool",
    )
    assert (given.starts_on.isoformat(), given.ends_on.isoformat()) == (first, last)
    assert given.previous_id == ("before" if before else None)
    assert (given.status, given.performer_id) == ("open", "org-tidepool")


UNITS = [
    ({"quantity": Decimal(30), "unit": "d"}, {"quantity": Decimal(30), "unit": "d"}),
    (None, {"quantity": 336, "unit": "h"}),
]


@pytest.mark.parametrize(("requested", "units"), UNITS)
def test_units_are_what_was_asked_for_or_the_terms(requested, units):
    term = Term(initial=Length(months=12), units=336, unit="h", citation="E")
    given = authorize(
        number="N-1",
        service="RESP",
        term=term,
        approved_on=date(2026, 11, 20),
        wanted_from=None,
        previous=None,
        performer_id=None,
        requested=requested,
    )
    assert given.units == units


def test_a_number_names_plan_and_day_and_is_of_one_referral():
    assert authorization_number("HPSM", ID, date(2026, 11, 20)) == "HPSM-20261120-03A0AFE6E0"
