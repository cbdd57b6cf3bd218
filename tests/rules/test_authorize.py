"""What an approval authorizes: from when, until when, how much."""

from datetime import date
from decimal import Decimal

import pytest

from app.decision.authorize import authorization_number, authorize, last_day
from app.intake.known import Held
from app.policy.schema import Length, Term
from app.referral.record import Authorization

TERM = Term(initial=Length(months=12), reauthorization=Length(months=6), citation="E")
ID = "01a20ad0-0d20-7450-929a-6f03a0afe6e0"

LAST = [
    ("2024-03-04", {"months": 12}, "2025-03-03"),
    ("2025-03-04", {"months": 6}, "2025-09-03"),
    ("2024-02-29", {"months": 12}, "2025-02-27"),
    ("2024-08-31", {"months": 6}, "2025-02-27"),
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


def held(ends_on: str) -> Held:
    before = Authorization("N", "ECM", None, date(2024, 1, 1), date.fromisoformat(ends_on))
    return Held("HPSM", "before", before)


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
