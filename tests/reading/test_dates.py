"""What a date is matched by, in PostgreSQL, against the words of R4 taken as sets of moments.

FHIR R4, "Search", prefixes: what is stored and what is asked are ranges. Here each is the set of
the moments of a grid that lie in it; days, months and years are California's.
"""

from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import product
from zoneinfo import ZoneInfo

import pytest

from app.store.reading.access import SqlStatement
from app.store.reading.catalog import PARAMETERS
from app.store.reading.match import between, found_by
from app.store.reading.parameters import SearchCriterion
from app.store.reading.values import PREFIXES, date_range
from app.store.reading.words import words

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


async def holds(connection, statement, condition, rows):
    sql = f"SELECT {condition} AS held FROM {rows} WITH ORDINALITY r(one, n) ORDER BY r.n"
    return [row["held"] for row in await connection.fetch(sql, *statement.values)]


@pytest.mark.parametrize("prefix", PREFIXES)
async def test_a_stored_date_or_period_is_matched_as_r4_has_it(database, prefix):
    assert len(STORED) > 40
    async with database.begin() as connection:
        for text in TEXTS:
            statement = SqlStatement()
            rows = f"unnest({statement.bind(list(STORED), 'text[]')})"
            asked = SearchCriterion(OCCURRENCE, ranges=(date_range(prefix + text),))
            found = await holds(connection, statement, found_by(statement, "r.one", asked), rows)
            assert found == [RULES[prefix](one, within(text)) for one in STORED.values()], text


@pytest.mark.parametrize("prefix", PREFIXES)
async def test_a_moment_of_our_own_is_matched_as_r4_has_it(database, prefix):
    async with database.begin() as connection:
        for text in TEXTS:
            statement = SqlStatement()
            rows = f"unnest({statement.bind(GRID[::4], 'timestamptz[]')})"
            condition = between(statement, "r.one", date_range(prefix + text))
            found = await holds(connection, statement, condition, rows)
            moments = range(0, len(GRID), 4)
            assert found == [RULES[prefix]({n}, within(text)) for n in moments], text
