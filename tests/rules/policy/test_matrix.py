"""The availability matrix and the live dates, typed anew from the pages (fact sheet 1.1, 1.2, 2.3).

A cell is a date (offered from), a date with `P` (in part), `TBD` (announced) or `-` (not offered).
"""

from datetime import date, timedelta

import pytest

from app.policy.library import load_library
from app.policy.policy import Policy

LIBRARY = load_library()
COLUMNS = (
    ("HPSJ", "san_joaquin"),
    ("HPSJ", "stanislaus"),
    ("HPSM", "san_mateo"),
    ("CCAH", "merced"),
    ("CCAH", "monterey"),
    ("CCAH", "santa_cruz"),
)
MATRIX = """
ECM    2022-01-01  2022-07-01  2022-01-01  2022-07-01   2022-01-01   2022-01-01
HTNS   2022-01-01  2022-07-01  2022-01-01  2022-07-01   2022-01-01   2022-01-01
HD     2022-01-01  2022-07-01  2022-01-01  2022-07-01   2022-01-01   2022-01-01
HTSS   2022-01-01  2022-07-01  2022-01-01  2022-07-01   2022-01-01   2022-01-01
STPHH  2022-01-01  2022-07-01  -           2022-07-01   2022-01-01   2022-01-01
RC     2022-01-01  2022-07-01  -           2022-07-01   2022-01-01   2022-01-01
MTM    2022-01-01  2022-07-01  2022-01-01  2022-07-01   2022-01-01   2022-01-01
SC     2022-01-01  2022-07-01  -           2022-07-01   2022-01-01   TBD
AR     2022-01-01  2022-07-01  -           TBD          TBD          TBD
EAA    2022-01-01  2022-07-01  2022-01-01  2023-01-01P  2023-01-01P  2023-01-01P
DH     2022-01-01  2022-07-01  -           -            -            -
PCHS   2022-01-01  2022-07-01  2022-01-01  2023-01-01   2023-01-01   2023-01-01
RESP   2022-01-01  2022-07-01  2022-01-01  2023-01-01   2023-01-01   2023-01-01
NFTD   2023-07-01  2023-07-01  2022-01-01  -            -            -
CTS    2023-07-01  2023-07-01  2022-01-01  -            -            -
TR     -           -           -           -            -            -
"""
#: Adults, then children where they differ (`adults/children`).
LIVE = """
POF1A      2022-01-01             2022-07-01             2022-01-01             2022-07-01             2022-01-01             2022-01-01
POF1B      2022-01-01/2023-07-01  2022-07-01/2023-07-01  2023-07-01             2023-07-01             2023-07-01             2023-07-01
POF2       2022-01-01/2023-07-01  2022-07-01/2023-07-01  2022-01-01/2023-07-01  2022-07-01/2023-07-01  2022-01-01/2023-07-01  2022-01-01/2023-07-01
POF3       2022-01-01/2023-07-01  2022-07-01/2023-07-01  2022-01-01/2023-07-01  2022-07-01/2023-07-01  2022-01-01/2023-07-01  2022-01-01/2023-07-01
POF4       2022-01-01             2024-01-01             2024-01-01             2024-01-01             2024-01-01             2024-01-01
POF5       2023-01-01             2023-01-01             2023-01-01             2023-01-01             2023-01-01             2023-01-01
POF6       2023-01-01             2023-01-01             2023-01-01             2023-01-01             2023-01-01             2023-01-01
POF7       2023-07-01             2023-07-01             2023-07-01             2023-07-01             2023-07-01             2023-07-01
POF8       2023-07-01             2023-07-01             2023-07-01             2023-07-01             2023-07-01             2023-07-01
POF9       2024-01-01             2024-01-01             2024-01-01             2024-01-01             2024-01-01             2024-01-01
HPSJ_IDD   2022-01-01             2022-07-01             -                      -                      -                      -
HPSJ_PREG  2022-01-01/2023-07-01  2022-07-01/2023-07-01  -                      -                      -                      -
"""  # noqa: E501 - a table
ONE_DAY = timedelta(days=1)


def rows(table: str) -> list[tuple[str, str, str, str]]:
    """(plan, county, row, cell) of every cell."""
    lines = [line.split() for line in table.strip().splitlines()]
    return [
        (*column, line[0], cell)
        for line in lines
        for column, cell in zip(COLUMNS, line[1:], strict=True)
    ]


def versions(plan: str) -> list[Policy]:
    return [policy for policy in LIBRARY.versions.values() if policy.plan == plan]


@pytest.mark.parametrize(("plan", "county", "service", "written"), rows(MATRIX))
def test_a_service_is_offered_as_the_page_says(
    plan: str, county: str, service: str, written: str
) -> None:
    for policy in versions(plan):
        cell = policy.cell(service, county)
        if written == "-":
            assert cell is None
        elif written == "TBD":
            assert cell is not None
            assert (cell.start, cell.tbd) == (None, True)
        else:
            assert cell is not None
            start = date.fromisoformat(written.removesuffix("P"))
            assert (cell.start, cell.partial) == (start, written.endswith("P"))


@pytest.mark.parametrize(("plan", "county", "population", "written"), rows(LIVE))
def test_a_population_is_live_from_the_pages_date(
    plan: str, county: str, population: str, written: str
) -> None:
    for policy in versions(plan):
        found = [p for p in policy.populations if p.code == population]
        assert bool(found) is (written != "-")
        if not found:
            continue
        [known] = found
        adults, _, children = written.partition("/")
        grown, young = date.fromisoformat(adults), date.fromisoformat(children or adults)
        assert known.split(county, min(grown, young) - ONE_DAY)[0] is None
        assert known.split(county, max(grown, young))[1] is None
        if children:
            assert known.split(county, grown) == (known.adults, known.children)
            assert known.split(county, young - ONE_DAY) == (known.adults, known.children)


def test_the_matrix_has_every_service_and_population_of_the_three_plans() -> None:
    for plan in ("HPSJ", "HPSM", "CCAH"):
        for policy in versions(plan):
            assert set(policy.data.services) == {row[2] for row in rows(MATRIX)}
            assert {p.code for p in policy.populations} <= {row[2] for row in rows(LIVE)}
            listed = {(p, c) for p, c in COLUMNS if p == plan}
            assert {(plan, county) for county in policy.data.counties} == listed


def test_the_nine_populations_page_has_no_county_and_no_date() -> None:
    for policy in versions("GEN002"):
        assert (policy.data.counties, set(policy.data.availability)) == ((), {"ECM"})
        assert [p.code for p in policy.populations] == [
            "POF1A",
            "POF1B",
            "POF2",
            "POF3",
            "POF4",
            "POF5",
            "POF6",
            "POF7",
            "POF8",
            "POF9",
        ]
        assert all(p.split("any", date(2001, 1, 1))[1] is None for p in policy.populations)
