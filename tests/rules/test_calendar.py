"""No day from a client leads out of the calendar, and nothing infinite is computed to be kept."""

from datetime import UTC, date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.base.local_time import FIRST_DAY, LAST_DAY, LAST_MOMENT, plus_days, storable, stored_day
from app.fhir.dates import read_moment, read_span
from app.fhir.service_request import start_faults, wished_start
from app.journey.decision.decide import authorize
from app.model.known import HeldAuthorization
from app.policy.counts import minus_months
from app.policy.deadlines import expires, expiring_from
from app.policy.library import load_library
from app.policy.rules import Rules
from app.policy.schema import Length, Term
from tests.rules.plan_data import plan_clocks

#: Any day, and often one from the ends of the calendar.
DAYS = st.one_of(
    st.dates(), st.dates(max_value=date(2, 1, 1)), st.dates(min_value=date(9998, 1, 1))
)
LENGTHS = st.one_of(
    st.builds(Length, months=st.integers(1, 240)),
    st.builds(Length, weeks=st.integers(1, 520)),
    st.builds(Length, days=st.integers(1, 4000)),
)


@given(DAYS, DAYS, DAYS, LENGTHS, LENGTHS)
def test_an_authorization_always_lies_in_the_calendar(approved, wanted, ended, first, again):
    term = Term(initial=first, reauthorization=again, citation="E")
    before = None
    for previous in (None, ended):
        given_ = authorize(
            number="N-1",
            service="ECM",
            term=term,
            approved_on=storable(approved),
            wanted_from=wanted,
            previous=before,
            performer_id=None,
        )
        assert FIRST_DAY <= given_.starts_on <= given_.ends_on <= LAST_DAY
        assert expires(given_.ends_on).astimezone(UTC)
        expiring_from(given_.starts_on, given_.ends_on, plan_clocks())
        if previous is None:
            before = HeldAuthorization("HPSM", "before", given_)


@given(DAYS, st.integers(-5000, 5000))
def test_days_are_added_within_the_calendar(day, count):
    there = plus_days(day, count)
    assert FIRST_DAY <= there <= LAST_DAY
    if date.min + timedelta(days=5001) < day < date.max - timedelta(days=5001):
        assert there == day + timedelta(days=count)


@given(DAYS, st.integers(0, 200_000))
def test_months_are_taken_away_within_the_calendar(day, months):
    assert minus_months(day, months) <= day


@given(st.datetimes(timezones=st.timezones()), st.sampled_from([4, 7, 10, 19, 26]))
def test_whatever_is_read_can_be_kept(moment, length):
    text = moment.replace(tzinfo=None).isoformat(timespec="microseconds")[:length]
    if length > 10:
        text += "-14:00"
    read_span(text)
    found = read_moment(text)
    assert found is None or found <= LAST_MOMENT


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-11-20", date(2026, 11, 20)),
        ("infinity", LAST_DAY),
        ("9999-12-31", LAST_DAY),
        ("10000-01-01", LAST_DAY),
        ("-infinity", FIRST_DAY),
        ("0044-03-15 BC", FIRST_DAY),
    ],
)
def test_a_stored_day_can_always_be_read(text, day):
    assert stored_day(text) == day


RULES = Rules(load_library(), tuple(load_library().plans))


@given(DAYS, DAYS)
def test_a_start_is_refused_exactly_beyond_what_the_plan_allows(on, start):
    latest = RULES.latest_start("HPSM", on)
    request = {"occurrencePeriod": {"start": start.isoformat()}}
    assert bool(start_faults(request, latest)) is (start > latest)
    assert latest >= min(on, LAST_DAY)


WISHED = [
    ({}, None),
    ({"occurrenceDateTime": "2027-01"}, ("occurrenceDateTime", date(2027, 1, 1))),
    ({"occurrencePeriod": {"end": "2027-01-01"}}, None),
    (
        {"occurrenceTiming": {"event": ["2028-01-01", "2027-02-01"]}},
        ("occurrenceTiming.event[1]", date(2027, 2, 1)),
    ),
    (
        {"occurrenceTiming": {"repeat": {"boundsPeriod": {"start": "2027-03-01"}}}},
        ("occurrenceTiming.repeat.boundsPeriod.start", date(2027, 3, 1)),
    ),
]


@pytest.mark.parametrize(("request_", "wished"), WISHED)
def test_the_start_wished_for(request_, wished):
    assert wished_start(request_) == wished
