"""How a plan is doing: the figures are those that one counts by hand, and only the plan's own."""

import csv
import io
from datetime import UTC, date, datetime

import pytest

from app.views.reports.figures import period, write_csv
from tests.journeys.pages import read_page
from tests.journeys.payloads import (
    EXTRA,
    a_referral,
    because,
    example,
    hopeless,
    incomplete,
    parameters,
)

NOVEMBER = {"from": "2026-11-01", "to": "2026-11-30"}
REPORTS = ("timeliness", "outcomes", "reasons", "sources", "cms-0057-f")
NOW = datetime(2026, 3, 1, 7, tzinfo=UTC)  # still February in California


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (None, None, ("2026-01-01", "2026-01-31")),
        ("2025-12-05", None, ("2025-12-05", "2025-12-31")),
        (None, "2024-02-29", ("2024-02-01", "2024-02-29")),
        ("2026-01-01", "2026-01-01", ("2026-01-01", "2026-01-01")),
        ("2999-12-31", None, ("2999-12-31", "2999-12-31")),
        ("2026-01-02", "2026-01-01", None),
        ("2000-01-01", "2020-01-01", None),
        ("1999-12-31", "2000-01-01", None),
        ("0001-01-01", None, None),
        (None, "9999-12-31", None),
    ],
)
def test_the_period(first, last, expected):
    days = period(first and date.fromisoformat(first), last and date.fromisoformat(last), NOW)
    assert (days and (days.first.isoformat(), days.last.isoformat())) == expected


def test_a_day_begins_and_ends_at_midnight_in_california():
    days = period(date(2026, 11, 1), date(2026, 11, 30), NOW)
    assert days.start.isoformat() == "2026-11-01T00:00:00-07:00"
    assert days.end.isoformat() == "2026-12-01T00:00:00-08:00"


def test_no_cell_is_a_formula():
    cells = ["=1+1", "+1", "-1", "@x", "\tx", "\rx", 'a"b', "a,b", None, 1.5, -2]
    text = write_csv(["c"], [{"c": cell} for cell in cells])
    read = [row[0] for row in csv.reader(io.StringIO(text, newline="")) if row][1:]
    assert read[:8] == ["'=1+1", "'+1", "'-1", "'@x", "'\tx", "'\rx", 'a"b', "a,b"]
    assert read[-2:] == ["1.5", "-2"]


async def report(service, name, by="staff-hpsm", **params):
    answer = await service.ask(by, "GET", f"/v1/reports/{name}", params=params or NOVEMBER)
    assert answer.status_code == 200, answer.text
    return answer.json()["rows"]


async def a_month(service):
    """Two approved at once, one denied after 50 hours, one approved late, one still asked about."""
    service.at("2026-11-02T10:00-08:00")
    source = {"referral_source": "hospital_facility"}
    await service.refer(a_referral(EXTRA[0], facts=source))
    await service.refer(a_referral(EXTRA[1], facts=source, priority="urgent"), "practice")
    slow = await service.refer(hopeless(EXTRA[2]))
    late = await service.refer(hopeless(EXTRA[3], priority="urgent"))
    await service.refer(incomplete(EXTRA[4]))
    service.later(hours=50)
    await service.do("staff-hpsm", "deny", slow, parameters(reason=because("no-population")))
    service.later(hours=30)
    given = parameters(reason=because("exception-granted"), note="Her clinician knows her.")
    assert (await service.do("staff-hpsm", "approve", late, given)).status_code == 200
    service.at("2026-10-30T10:00-07:00")
    await service.refer(hopeless(EXTRA[5]))
    await service.post(example("03"))
    service.at("2026-11-20T10:00-08:00")


async def test_the_last_second_of_a_due_moment_is_in_time(service):
    """As for the clocks: what is due at 23:59:59 is late from midnight."""
    service.at("2026-11-02T10:00-08:00")
    in_time, late = [await service.refer(hopeless(cin)) for cin in EXTRA[:2]]
    denial = parameters(reason=because("no-population"))
    for second, referral in (("09T23:59:59.4", in_time), ("10T00:00:00.4", late)):
        service.at(f"2026-11-{second}-08:00")
        assert (await service.do("staff-hpsm", "deny", referral, denial)).status_code == 200
    standard, _ = await report(service, "timeliness")
    assert (standard["decided"], standard["in_time"], standard["late"]) == (2, 1, 1)


async def test_timeliness(service):
    await a_month(service)
    standard, expedited = await report(service, "timeliness")
    assert (standard["decided"], standard["in_time"], standard["late"]) == (2, 2, 0)
    assert (standard["in_time_percent"], standard["longest_hours"]) == (100.0, 50.0)
    assert (standard["average_hours"], standard["median_hours"]) == (25.0, 25.0)
    assert standard["overdue_now"] == 2
    assert (expedited["decided"], expedited["in_time"], expedited["late"]) == (2, 1, 1)
    assert (expedited["in_time_percent"], expedited["overdue_now"]) == (50.0, 0)


async def test_outcomes(service):
    await a_month(service)
    (row,) = await report(service, "outcomes")
    assert row == {
        "service": "ECM",
        "received": 5,
        "approved": 3,
        "denied": 1,
        "void": 0,
        "cancelled": 0,
        "pending": 1,
        "approved_percent": 75.0,
    }
    (october,) = await report(service, "outcomes", **{"from": "2026-10-01", "to": "2026-10-31"})
    assert (october["received"], october["pending"]) == (1, 1)
    assert await report(service, "outcomes", **{"from": "2026-09-01"}) == []


async def test_reasons(service):
    await a_month(service)
    rows = await report(service, "reasons")
    assert {(row["outcome"], row["reason"]): row["referrals"] for row in rows} == {
        ("approved", "population-met"): 2,
        ("approved", "exception-granted"): 1,
        ("denied", "no-population"): 1,
    }
    assert rows[0]["meaning"] == "A population of focus is met"


async def test_sources(service):
    await a_month(service)
    assert await report(service, "sources") == [
        {
            "source": "not-stated",
            "organization_kind": "Healthcare Provider",
            "referrals": 3,
            "urgent": 1,
        },
        {
            "source": "hospital_facility",
            "organization_kind": "Healthcare Provider",
            "referrals": 2,
            "urgent": 1,
        },
    ]


async def test_the_set_of_cms_0057_f(service):
    await a_month(service)
    standard, expedited = await report(service, "cms-0057-f")
    assert (standard["requests"], standard["approved"], standard["denied"]) == (2, 1, 1)
    assert (standard["approved_percent"], standard["denied_percent"]) == (50.0, 50.0)
    assert (standard["average_days"], standard["median_days"]) == (1.04, 1.04)
    assert (expedited["requests"], expedited["approved_percent"]) == (2, 100.0)
    assert (expedited["average_hours"], expedited["median_hours"]) == (40.0, 40.0)
    assert expedited["approved_after_extension_percent"] is None


@pytest.mark.parametrize("name", REPORTS)
async def test_a_report_as_csv_says_the_same(service, name):
    await a_month(service)
    rows = await report(service, name)
    path = f"/v1/reports/{name}"
    asked = await service.ask("staff-hpsm", "GET", path, params={**NOVEMBER, "format": "csv"})
    wanted = await service.ask(
        "staff-hpsm", "GET", path, params=NOVEMBER, headers={"Accept": "text/csv"}
    )
    assert asked.text == wanted.text
    assert asked.headers["content-type"] == "text/csv; charset=utf-8"
    assert "attachment" in asked.headers["content-disposition"]
    read = list(csv.DictReader(io.StringIO(asked.text)))
    assert read == [{k: "" if v is None else str(v) for k, v in row.items()} for row in rows]


async def test_the_last_full_month_is_meant_where_nothing_is_said(service):
    await a_month(service)
    answer = await service.ask("staff-hpsm", "GET", "/v1/reports/outcomes")
    told = answer.json()
    assert (told["plan"], told["from"], told["to"]) == ("HPSM", "2026-10-01", "2026-10-31")
    assert told["rows"][0]["received"] == 1


@pytest.mark.parametrize("name", REPORTS)
async def test_a_report_is_for_the_plans_own_staff(service, name):
    await a_month(service)
    path = f"/v1/reports/{name}"
    assert (await service.ask("hospital", "GET", path)).status_code == 403
    other = await service.ask("staff-hpsj", "GET", path, params={"plan": "HPSM"})
    assert other.status_code == 404
    rows = await report(service, name, "staff-hpsj")
    assert not any(row.get("referrals") or row.get("decided") for row in rows)


@pytest.mark.parametrize(
    "params",
    [{"from": "2026-11-31"}, {"from": "2026-11-02", "to": "2026-11-01"}, {"format": "xls"}],
)
async def test_what_is_no_period_is_refused(service, params):
    answer = await service.ask("staff-hpsm", "GET", "/v1/reports/outcomes", params=params)
    assert answer.status_code == 400


async def test_the_page_shows_the_figures(service):
    await a_month(service)
    read = read_page(await service.ask("staff-hpsm", "GET", "/v1/reports", params=NOVEMBER))
    for said in (
        "Referrals of HPSM",
        "2026-11-01 to 2026-11-30",
        "approved: 3",
        "denied: 1",
        "Standard decisions",
        "50.0 %",
        "Approved as an exception",
        "Enhanced Care Management 5 3 1 0 0 1 75.0",
        "hospital facility",
    ):
        assert said in read.text


async def test_a_page_without_figures_says_so(service):
    answer = await service.ask("staff-ccah", "GET", "/v1/reports", params={"to": "2001-01-31"})
    read = read_page(answer)
    assert "No referral was received in this period." in read.text
    assert read.text.count("Nothing in this period.") == 2
    assert (await service.ask("hospital", "GET", "/v1/reports")).status_code == 403
