"""What is kept to be searched: dates as stretches of time, names as plain letters, bounded keys."""

import calendar
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.base.text import MAX_KEY, as_key, is_cut, plain
from app.fhir.dates import CALIFORNIA, span
from app.store.reading.catalog import PARAMETERS
from app.store.reading.values import date_range
from app.store.reading.words import OPEN_HIGH, OPEN_LOW, of_parameter, words

ZONES = st.sampled_from(["Z", "+00:00", "-14:00", "+14:00", "-08:00"])


@st.composite
def dates(draw):
    """Any date or dateTime that R4 has: every precision, leap seconds, long fractions."""
    year, month = draw(st.integers(1, 9999)), draw(st.integers(1, 12))
    text = f"{year:04}"
    precision = draw(st.integers(0, 4))
    if precision:
        text += f"-{month:02}"
    if precision > 1:
        text += f"-{draw(st.integers(1, calendar.monthrange(year, month)[1])):02}"
    if precision > 2:
        hour, minute, second = (draw(st.integers(0, top)) for top in (23, 59, 60))
        text += f"T{hour:02}:{minute:02}:{second:02}"
        text += draw(st.from_regex(r"(\.[0-9]{1,300})?", fullmatch=True)) + draw(ZONES)
    return text


@given(dates())
def test_every_date_of_r4_is_a_stretch_that_finds_itself(text):
    low, high = span(text)
    assert low <= high
    (there, word) = of_parameter({"authoredOn": text}, _authored())
    asked = date_range("eq" + text) if _can_be_asked(text) else None
    assert there == ""
    if asked is not None:
        assert word == f"{asked.first}\x1f{asked.after}"


def _can_be_asked(text):
    return text[:4] != "0000"


def _authored():
    return next(known for known in PARAMETERS["ServiceRequest"] if known.name == "authored")


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("2026-03-01", datetime(2026, 3, 1, 8, tzinfo=UTC), datetime(2026, 3, 2, 8, tzinfo=UTC)),
        ("2026-03", datetime(2026, 3, 1, 8, tzinfo=UTC), datetime(2026, 4, 1, 7, tzinfo=UTC)),
        ("2026-12", datetime(2026, 12, 1, 8, tzinfo=UTC), datetime(2027, 1, 1, 8, tzinfo=UTC)),
        (
            "2016-12-31T23:59:60Z",
            datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC),
            datetime(2017, 1, 1, tzinfo=UTC),
        ),
        (
            "2026-01-01T00:00:00.5Z",
            datetime(2026, 1, 1, 0, 0, 0, 500_000, tzinfo=UTC),
            datetime(2026, 1, 1, 0, 0, 0, 600_000, tzinfo=UTC),
        ),
    ],
)
def test_a_date_is_as_wide_as_it_was_written_and_californias(text, low, high):
    assert span(text) == (low, high)


@given(st.dates())
def test_a_day_is_a_day_of_california(day):
    low, high = span(day.isoformat())
    if 1 < day.year < 9999:
        assert low == datetime(day.year, day.month, day.day, tzinfo=CALIFORNIA).astimezone(UTC)
        assert timedelta(hours=22) < high - low < timedelta(hours=26)


@pytest.mark.parametrize(
    ("period", "low", "high"),
    [
        ({"start": "2026-03-01"}, "2026-03-01T08:00:00.000000", OPEN_HIGH),
        ({"end": "2026-03-01"}, OPEN_LOW, "2026-03-02T08:00:00.000000"),
    ],
)
def test_an_open_period_has_no_end(period, low, high):
    found = words({"resourceType": "Encounter", "period": period})
    assert f"\x1edate\x1f{low}\x1f{high}\x1e" in found


@pytest.mark.parametrize(
    "name", ["Álvarez", "ÁLVAREZ", "A\u0301lvarez", "alvarez", " Alvarez. ", "Àlvarez"]
)
def test_letters_are_compared_without_case_and_accent(name):
    assert plain(name) == "alvarez"


@pytest.mark.parametrize(
    ("text", "found"),
    [("Carreno  Quiñones", "carreno quinones"), ("O'Brien-Straße", "obrien strasse"), ("-", "-")],
)
def test_spaces_and_punctuation_do_not_count(text, found):
    assert plain(text) == found


@given(st.text())
def test_plain_letters_stay_as_they_are(text):
    assert plain(plain(text)) == plain(text)


@given(st.text(min_size=1, max_size=40), st.integers(1, 4000))
def test_a_key_is_bounded_and_different_where_the_text_is(text, times):
    whole = text * times
    key = as_key(whole)
    assert len(key.encode()) <= MAX_KEY
    assert key == whole or (is_cut(key) and as_key(whole + "x") != key)


def test_a_code_says_its_system_and_a_plain_one_implies_it():
    found = words({"resourceType": "Encounter", "status": "finished", "class": {"code": "IMP"}})
    assert "\x1estatus\x1fhttp://hl7.org/fhir/encounter-status\x1ffinished\x1e" in found
    assert "\x1eclass\x1f\x1fIMP\x1e" in found
