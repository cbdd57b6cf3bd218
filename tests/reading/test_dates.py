"""What a date is matched by, in PostgreSQL, against the words of R4 taken as sets of moments.

FHIR R4, "Search", prefixes: what is stored and what is asked are ranges. Here each is the set of
the moments of a grid that lie in it; days, months and years are California's.
"""

from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import product
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import DateTime, Text, bindparam, column, func, select
from sqlalchemy.dialects.postgresql import ARRAY

from app.store.reading.access import Visibility
from app.store.reading.catalog import PARAMETERS
from app.store.reading.match import CHANGED, WORDS
from app.store.reading.parameters import Arm, GivenValues, SearchCriterion
from app.store.reading.query import LAST_UPDATED
from app.store.reading.values import PREFIXES, date_range
from app.store.reading.words import words
from app.store.statement import compiled

CALIFORNIA = ZoneInfo("America/Los_Angeles")
FIRST = datetime(2025, 12, 29, tzinfo=UTC)
GRID = [FIRST + timedelta(hours=n) for n in range(24 * 370)]
#: Before and after all others: where a period is open.
BEFORE, AFTER = -1, len(GRID)
(OCCURRENCE,) = (one for one in PARAMETERS["CommunicationRequest"] if one.name == "occurrence")

DAYS = ["2026-01-01", "2026-02-28", "2026-03-01", "2026-03-08", "2026-11-01", "2026-12-31"]
MOMENTS = [
    "2026-01-01T04:00:00-08:00",
    "2026-02-28T18:00:00Z",
    "2026-03-01T02:00:00+02:00",
    "2026-03-08T11:00:00-07:00",
    "2026-11-01T06:00:00Z",
]
TEXTS = ["2025", "2026", "2027", "2026-01", "2026-02", "2026-03", "2026-12", *DAYS, *MOMENTS]
ENDS = ["", "2026-01", *DAYS[1:4], *MOMENTS[1:3]]
LOCAL = [at.astimezone(CALIFORNIA).isoformat() for at in GRID]


@cache
def within(text: str) -> frozenset[int]:
    """The moments of a date or dateTime."""
    if "T" in text:
        return frozenset({GRID.index(datetime.fromisoformat(text).astimezone(UTC))})
    return frozenset(n for n, at in enumerate(LOCAL) if at.startswith(text))


def over(start: str, end: str) -> frozenset[int]:
    """The moments of a Period, with those that no grid has where it is open."""
    first = min(within(start)) if start else BEFORE
    last = max(within(end)) if end else AFTER
    return frozenset(range(first, last + 1))


PERIODS = [ends for ends in product(ENDS, repeat=2) if any(ends) and over(*ends)]

#: R4's own sentences: what is stored, and what is asked.
RULES = {
    "eq": lambda stored, asked: stored <= asked,
    "ne": lambda stored, asked: not stored <= asked,
    "gt": lambda stored, asked: max(stored) > max(asked),
    "lt": lambda stored, asked: min(stored) < min(asked),
    "ge": lambda stored, asked: max(stored) > max(asked) or stored <= asked,
    "le": lambda stored, asked: min(stored) < min(asked) or stored <= asked,
    "sa": lambda stored, asked: min(stored) > max(asked),
    "eb": lambda stored, asked: max(stored) < min(asked),
}


def waiting(**occurrence) -> str:
    """The words of a resource that has a date, or a Period."""
    return words({"resourceType": "CommunicationRequest", **occurrence})


STORED = {
    **{waiting(occurrenceDateTime=text): within(text) for text in TEXTS},
    **{
        waiting(
            occurrencePeriod={
                name: at for name, at in zip(("start", "end"), ends, strict=True) if at
            }
        ): over(*ends)
        for ends in PERIODS
    },
}


NOBODY = Visibility("", (), (), datetime.max.replace(tzinfo=UTC))


async def holds(connection, rule, asked, kind, rows):
    """Whether the criterion holds for each of the rows, in their order."""
    each = (
        func.unnest(bindparam("rows", type_=ARRAY(kind)))
        .table_valued(column("one", kind), with_ordinality="place")
        .render_derived(name="r")
    )
    one = each.c.one
    values = rule.values(asked, NOBODY)
    given = GivenValues(asked.parameter, "", tuple(values), "asked_", Arm(each, one, one, one), one)
    condition = rule.condition(given).label("held")
    statement = compiled(select(condition).select_from(each).order_by(each.c.place))
    sent = {f"asked_{name}": value for name, value in values.items()}
    found = await connection.fetch(*statement.called(rows=rows, **sent))
    return [row["held"] for row in found]


@pytest.mark.parametrize("prefix", PREFIXES)
async def test_a_stored_date_or_period_is_matched_as_r4_has_it(database, prefix):
    assert len(STORED) > 40
    async with database.begin() as connection:
        for text in TEXTS:
            asked = SearchCriterion(OCCURRENCE, ranges=(date_range(prefix + text),))
            found = await holds(connection, WORDS, asked, Text(), list(STORED))
            assert found == [RULES[prefix](one, within(text)) for one in STORED.values()], text


@pytest.mark.parametrize("prefix", PREFIXES)
async def test_a_moment_of_our_own_is_matched_as_r4_has_it(database, prefix):
    moments = range(0, len(GRID), 4)
    async with database.begin() as connection:
        for text in TEXTS:
            asked = SearchCriterion(LAST_UPDATED, ranges=(date_range(prefix + text),))
            found = await holds(connection, CHANGED, asked, DateTime(timezone=True), GRID[::4])
            assert found == [RULES[prefix]({n}, within(text)) for n in moments], text


@pytest.mark.parametrize("others", [["2026-03-08"], ["2026", "2026-03-08"]], ids=len)
@pytest.mark.parametrize("prefix", PREFIXES)
async def test_of_several_dates_one_must_fit(database, prefix, others):
    named = [("lt", "2026-01-01"), ("eq", "2026-12"), *((prefix, text) for text in others)]
    asked = SearchCriterion(OCCURRENCE, ranges=tuple(date_range(p + text) for p, text in named))
    async with database.begin() as connection:
        found = await holds(connection, WORDS, asked, Text(), list(STORED))
    assert found == [
        any(RULES[p](one, within(text)) for p, text in named) for one in STORED.values()
    ]
