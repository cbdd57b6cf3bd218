"""The catalog over HTTP: what each plan offers, where, from when, for whom."""

import re
import time
from pathlib import Path

import httpx
import pytest

from app.api.deployment import deployment_of
from app.base.clock import ServiceClock
from app.base.settings import Settings
from app.main import create_app
from app.model.caller import Caller
from app.policy.library import load_library
from app.policy.sources import registry
from tests.deployed import start

LIBRARY = load_library()
SETTINGS = Settings(database_url="postgresql://nowhere/none")
#: No scope at all: whoever has a token may read.
ANYBODY = Caller("anybody", "org-open-gate", None, frozenset())
SEEDS = Path(__file__).parents[1] / "seeds"
ON = "2024-03-04"


@pytest.fixture
async def ask():
    app = create_app(SETTINGS, clock=ServiceClock())
    start(app, library=LIBRARY)
    headers = {"Authorization": f"Bearer {deployment_of(app).tokens.issue(ANYBODY, time.time())}"}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:

        async def send(path, **params):
            return await http.get(f"/v1/catalog/{path}", params=params, headers=headers)

        yield send


async def where(ask, plan, service, county, on=ON):
    found = (await ask(f"plans/{plan}/services", county=county, on=on)).json()
    (entry,) = [one for one in found["services"] if one["code"] == service]
    (cell,) = entry["where"]
    return cell["status"], cell["since"]


async def test_every_plan_is_listed_with_its_counties_and_policy(ask):
    found = (await ask("plans", on=ON)).json()
    assert {p["plan"]: [c["name"] for c in p["counties"]] for p in found["plans"]} == {
        "HPSM": ["San Mateo"],
        "HPSJ": ["San Joaquin", "Stanislaus"],
        "CCAH": ["Merced", "Monterey", "Santa Cruz"],
        "GEN002": [],
    }
    assert {p["policy"] for p in found["plans"]} >= {"HPSM/2024-01-01"}


@pytest.mark.parametrize(
    ("plan", "service", "county", "on", "status", "since"),
    [
        ("HPSJ", "NFTD", "San Joaquin", "2023-06-30", "announced", "2023-07-01"),
        ("HPSJ", "NFTD", "San Joaquin", "2023-07-01", "available", "2023-07-01"),
        ("HPSJ", "ECM", "Stanislaus County", "2022-06-30", "announced", "2022-07-01"),
        ("HPSJ", "ECM", "stanislaus", "2022-07-01", "available", "2022-07-01"),
        ("HPSJ", "ECM", "stanislaus", "2021-01-01", "announced", "2022-07-01"),
        ("HPSM", "STPHH", "san_mateo", ON, "not-offered", None),
        ("HPSM", "HTNS", "San Mateo", ON, "available", None),
        ("CCAH", "SC", "Santa Cruz", ON, "announced", None),
        ("CCAH", "SC", "Merced", ON, "available", None),
        ("CCAH", "AR", "Merced", "2030-01-01", "announced", None),
        ("CCAH", "EAA", "Monterey", "2022-12-31", "announced", "2023-01-01"),
        ("CCAH", "EAA", "Monterey", "2023-01-01", "partial", "2023-01-01"),
        ("CCAH", "DH", "Merced", ON, "not-offered", None),
        ("CCAH", "TR", "Merced", "2026-01-01", "not-offered", None),
    ],
)
async def test_a_service_is_available_announced_partial_or_not_offered(
    ask, plan, service, county, on, status, since
):
    assert await where(ask, plan, service, county, on) == (status, since)


@pytest.mark.parametrize(
    ("plan", "service", "county", "first", "quote"),
    [
        ("HPSJ", "HTNS", "Stanislaus", "2022-07-01", "Stanislaus County"),
        ("HPSJ", "RESP", "San Joaquin", "2022-01-01", "San Joaquin County"),
        ("HPSM", "EAA", "San Mateo", "2022-01-01", "In 2022 HPSM began contracting"),
        ("CCAH", "MTM", "Merced", "2022-07-01", None),
        ("CCAH", "ECM", "Monterey", "2022-01-01", None),
    ],
)
async def test_an_offer_without_a_date_says_so_and_what_its_day_rests_on(
    ask, plan, service, county, first, quote
):
    for on, status in ((ON, "available"), ("2021-12-31", "announced")):
        found = (await ask(f"plans/{plan}/services", county=county, on=on)).json()
        (entry,) = [one for one in found["services"] if one["code"] == service]
        (cell,) = entry["where"]
        assert (cell["status"], cell["since"], cell["counted_from"]) == (status, None, first)
        said = f"The page gives no date; it is counted from the county's start {first}."
        assert cell["note"].startswith(said)
        assert (cell["rests_on"]["source"]["quote"], first in cell["rests_on"]["text"]) == (
            quote,
            True,
        )
        assert cell["rests_on"]["source"]["citation"] != cell["source"]["citation"]


async def test_a_date_of_the_page_rests_on_nothing_else(ask):
    found = (await ask("plans/HPSJ/services", county="Stanislaus", on=ON)).json()
    cells = {one["code"]: one["where"][0] for one in found["services"]}
    for code, day in (("ECM", "2022-07-01"), ("NFTD", "2023-07-01")):
        cell = cells[code]
        assert (cell["since"], cell["counted_from"], cell["rests_on"]) == (day, day, None)
    assert (cells["TR"]["since"], cells["TR"]["counted_from"]) == (None, None)


async def test_each_plan_describes_a_service_in_its_own_words(ask):
    said = {}
    for plan in ("HPSJ", "HPSM", "CCAH"):
        found = (await ask(f"plans/{plan}/services", on=ON)).json()["services"]
        said[plan] = {one["code"]: one for one in found}
        for one in found:
            offered = any(cell["status"] != "not-offered" for cell in one["where"])
            assert one["plan_description"] == offered, (plan, one["code"])
    deposits = {plan: entries["HD"]["description"] for plan, entries in said.items()}
    assert "first month’s coverage of utilities or rent" in deposits["HPSJ"]
    assert "(except room and board)" in deposits["HPSM"]
    assert "do not constitute room and board" in deposits["CCAH"]
    compared = (await ask("compare", service="HD", on=ON)).json()["plans"]
    assert {p["plan"]: p["description"] for p in compared if p["plan"] in said} == deposits


async def test_a_service_shows_its_rules(ask):
    found = (await ask("plans/HPSM/services", on=ON)).json()["services"]
    entries = {one["code"]: one for one in found}
    deposits = entries["HD"]
    assert deposits["gate"]["points"][1] == "Engaged with a Care Manager."
    assert "Would the member qualify for Enhanced Care Management?" in deposits["gate"]["criterion"]
    assert (
        deposits["criteria"][0]["expression"] == "receiving_htns and moving_into_permanent_housing"
    )
    assert deposits["limits"][0]["text"].startswith("Housing deposits, once, unless")
    assert deposits["term"]["text"] == "6 months, once."
    ecm = entries["ECM"]
    assert (ecm["gate"], ecm["criteria"]) == (None, [])
    assert ecm["term"]["text"] == "12 months; each reauthorization thereafter 6 months."
    assert {note["text"].partition(";")[0] for note in ecm["exclusions"]} >= {
        "CareAdvantage members do not qualify for ECM",
        "Members of another D-SNP get care management from it, not ECM",
    }
    assert any("Whole Person Care" in note["text"] for note in ecm["exceptions"])
    assert entries["STPHH"]["criteria"] == []
    hpsj = (await ask("plans/HPSJ/services", on=ON)).json()["services"]
    assert {one["gate"] for one in hpsj} == {None}
    dh = next(one for one in hpsj if one["code"] == "DH")
    assert any("Kaiser" in note["text"] for note in dh["exclusions"])
    assert any("reassignment" in note["text"] for note in dh["exceptions"])
    assert [one["exceptions"] for one in hpsj if one["code"] == "ECM"] == [[]]


async def test_a_plan_tells_how_a_referral_ends_and_who_is_told(ask):
    plan = (await ask("plans/CCAH", on=ON)).json()
    outcomes = {one["outcome"]: one for one in plan["outcomes"]}
    told = {name: [t["who"] for t in one["told"] if t["told"]] for name, one in outcomes.items()}
    assert told == {
        "approved": ["requesting", "servicing"],
        "denied": ["requesting", "servicing", "member"],
        "void": ["requesting", "servicing"],
    }
    assert "not enough information" in outcomes["void"]["meaning"]["text"]
    assert (plan["void_business_days"], plan["reminder_business_days_before"]) == (5, 2)
    later = (await ask("plans/CCAH", on="2026-01-01")).json()["outcomes"]
    assert all(t["told"] for one in later if one["outcome"] == "approved" for t in one["told"])


async def test_without_a_county_every_county_is_shown(ask):
    found = (await ask("plans/CCAH/services", on=ON)).json()
    ecm = next(one for one in found["services"] if one["code"] == "ECM")
    assert [cell["county"] for cell in ecm["where"]] == ["merced", "monterey", "santa_cruz"]
    assert ecm["form"] == "/fhir/Questionnaire/ecm"


async def test_services_are_named_in_the_languages_of_the_pages(ask):
    found = (await ask("plans/CCAH/services", on=ON)).json()
    names = {one["code"]: one["name"] for one in found["services"]}
    assert names["HD"]["hmn"] == "Cov Nyiaj Tso Them Vaj Tsev Nyob"
    assert names["HD"]["es"] == "Depósitos de Vivienda"
    page = (SEEDS / "004_7d58892bd79edeb2.txt").read_text("utf-8")
    for code in ("HTNS", "HD", "HTSS", "STPHH", "RC", "MTM", "SC"):
        assert names[code]["hmn"] in page


async def test_transitional_care_is_a_matter_of_calling(ask):
    plan = (await ask("plans/HPSJ", on=ON)).json()
    (entry,) = plan["contact_only"]
    assert (entry["code"], entry["referable"]) == ("TCS", False)
    assert entry["contact"]["phone"] == "1-888-936-PLAN (7526)"
    assert entry["who"].startswith("Anyone")
    assert len(entry["goals"]) == 4
    assert "right support" in entry["purpose"]
    services = (await ask("plans/HPSJ/services", on=ON)).json()
    assert services["contact_only"] == plan["contact_only"]
    assert "TCS" not in {one["code"] for one in services["services"]}


async def test_a_plan_says_what_ecm_consists_of_and_that_it_costs_nothing(ask):
    plan = (await ask("plans/HPSJ", on=ON)).json()
    assert len(plan["core_services"]) == 7
    assert "There is no cost to the member." in {note["text"] for note in plan["notes"]}
    ccah = (await ask("plans/CCAH", on=ON)).json()
    contacts = {contact["key"]: contact for contact in ccah["contacts"]}
    assert contacts["member"]["hours"] == "8 a.m. to 5:30 p.m., Monday through Friday"
    assert contacts["referrals"]["phone"] == "831-430-5512"
    assert "hidden" in contacts["referrals"]["email_note"]
    assert [
        len((await ask(f"plans/{p}", on=ON)).json()["core_services"]) for p in ("CCAH", "GEN002")
    ] == [6, 7]
    assert (ccah["decision_business_days"], ccah["decision_calendar_days"]) == (5, None)
    later = (await ask("plans/CCAH", on="2026-01-01")).json()
    assert later["decision_calendar_days"] == 7


async def test_channels_name_their_forms(ask):
    plan = (await ask("plans/HPSM", on=ON)).json()
    forms = {tuple(c["services"]): c["forms"] for c in plan["channels"] if c["forms"]}
    assert forms[("ecm",)] == ["HPSM Prior Authorization Request Form"]
    assert forms[("community-supports",)] == [
        "HPSM Prior Authorization Request Form",
        "Community Supports Request Information Form",
    ]
    sources = {who for plan in ("HPSJ", "HPSM", "CCAH") for who in await _who(ask, plan)}
    assert {"member", "pcp", "cbo", "hospital_facility", "ecm_provider"} <= sources


async def _who(ask, plan):
    channels = (await ask(f"plans/{plan}", on=ON)).json()["channels"]
    return {who for channel in channels for who in channel["who"]}


@pytest.mark.parametrize(
    ("plan", "county", "code", "on", "status", "adults", "children"),
    [
        ("HPSJ", "Stanislaus", "POF4", "2023-12-31", "announced", "2024-01-01", "2024-01-01"),
        ("HPSJ", "San Joaquin", "POF4", "2022-01-01", "live", "2022-01-01", "2022-01-01"),
        (
            "HPSJ",
            "San Joaquin",
            "POF2",
            "2023-06-30",
            "live-in-part",
            "2022-01-01",
            "2023-07-01",
        ),
        ("HPSJ", "San Joaquin", "POF2", "2023-07-01", "live", "2022-01-01", "2023-07-01"),
        ("HPSM", "San Mateo", "POF9", "2023-12-31", "announced", None, None),
        ("HPSM", "San Mateo", "POF9", "2024-01-01", "live", None, None),
        ("CCAH", "Merced", "POF2", "2024-01-01", "live", None, "2023-07-01"),
        ("CCAH", "Merced", "POF1B", "2024-01-01", "live", "2023-07-01", "2023-07-01"),
    ],
)
async def test_a_population_is_live_from_its_date(
    ask, plan, county, code, on, status, adults, children
):
    found = (await ask(f"plans/{plan}/populations", county=county, on=on)).json()
    (population,) = [one for one in found["populations"] if one["code"] == code]
    (cell,) = population["where"]
    assert (cell["status"], cell["adults_since"], cell["children_since"]) == (
        status,
        adults,
        children,
    )


async def test_a_population_is_told_in_words_with_its_source(ask):
    found = (await ask("plans/HPSM/populations", on=ON)).json()
    (population,) = [one for one in found["populations"] if one["code"] == "POF2"]
    adults = population["any_of"][0]
    assert adults["text"].splitlines() == [
        "All of these:",
        "- Is the member an adult (21 or older)?",
        "- One of these:",
        "  - Avoidable emergency visits in any 6 months of the last 12: 5 or more",
        (
            "  - Unplanned hospital stays or short nursing-facility stays in the last 6 months:"
            " 3 or more"
        ),
    ]
    assert adults["source"]["citation"] == "S003:L35-37"


async def test_what_only_a_person_decides_says_so(ask):
    hpsj = (await ask("plans/HPSJ/populations", on=ON)).json()["populations"]
    assert {p["code"] for p in hpsj if p["decided_by"] == "person"} == {"HPSJ_IDD", "HPSJ_PREG"}
    for on, by in (("2024-12-31", "person"), ("2025-01-01", "rules")):
        ccah = (await ask("plans/CCAH/populations", on=on)).json()["populations"]
        assert {p["decided_by"] for p in ccah if p["code"] == "POF4"} == {by}


async def test_the_profile_without_counties_has_no_dates(ask):
    found = (await ask("plans/GEN002/populations", on=ON)).json()
    cells = [cell for population in found["populations"] for cell in population["where"]]
    assert {(c["county"], c["status"], c["adults_since"]) for c in cells} == {(None, "live", None)}
    assert {c["adults_counted_from"] for c in cells} == {None}
    assert {c["note"] for c in cells} == {"The page gives no date; it counts at every date."}
    for path in ("plans/GEN002/services", "compare"):
        assert "2000-01-01" not in (await ask(path, on=ON, service="ECM")).text


async def test_one_service_stands_side_by_side(ask):
    found = (await ask("compare", service="RC", on=ON)).json()
    plans = {plan["plan"]: plan for plan in found["plans"]}
    assert {c["status"] for c in plans["HPSM"]["where"]} == {"not-offered"}
    assert {c["status"] for c in plans["HPSJ"]["where"]} == {"available"}
    one_leg_more = "Would an unstable living environment make the condition worse?"
    assert one_leg_more in plans["CCAH"]["criteria"][0]["text"]
    assert one_leg_more not in plans["HPSJ"]["criteria"][0]["text"]
    assert any("at most 90" in limit["text"] for limit in plans["HPSJ"]["limits"])


@pytest.mark.parametrize(
    ("path", "params", "status"),
    [
        ("plans/NONE", {}, 404),
        ("plans/NONE/services", {}, 404),
        ("plans/hpsm/populations", {}, 404),
        ("plans/HPSM/services", {"county": "Merced"}, 404),
        ("plans/GEN002/services", {"county": "Merced"}, 404),
        ("plans/HPSM/services", {"county": "<San Mateo>"}, 400),
        ("plans", {"on": "0"}, 400),
        ("plans", {"on": "2024-03-04T10:00:00"}, 400),
        ("plans/HPSM/services", {"county": ""}, 400),
        ("plans/HPSM/services", {"on": "2024-02-30"}, 400),
        ("plans/HPSM/populations", {"on": "soon"}, 400),
        ("plans", {"on": "x"}, 400),
        ("compare", {"service": "XYZ"}, 404),
        ("compare", {"service": "e&a"}, 400),
        ("compare", {}, 400),
    ],
)
async def test_what_cannot_be_answered_is_an_operation_outcome(ask, path, params, status):
    answer = await ask(path, **params)
    assert answer.status_code == status
    assert answer.json()["resourceType"] == "OperationOutcome"
    assert "XYZ" not in answer.text


async def test_a_token_is_needed():
    app = create_app(SETTINGS)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        assert (await http.get("/v1/catalog/plans")).status_code == 401


@pytest.mark.parametrize("version", LIBRARY.versions)
@pytest.mark.parametrize("part", ["services", "populations"])
async def test_every_statement_of_every_policy_has_a_source(ask, version, part):
    plan, on = version.split("/")
    found = (await ask(f"plans/{plan}/{part}", on=on)).json()
    for one in found[part]:
        for cell in one["where"]:
            listed = cell["status"] not in ("not-offered", "not-listed")
            assert not listed or cell.get("source", one.get("source"))["citation"]
        for way in one.get("any_of", []):
            assert way["source"]["citation"]
            assert way["text"]


@pytest.mark.parametrize(
    ("plan", "words", "about"),
    [
        ("HPSJ", '"2024 (Date TBD)"', {"populations": ["POF4"], "services": []}),
        ("HPSJ", '"Adults without Dependent', {"first": "2022-01-01", "last": "2023-06-30"}),
        ("HPSM", '"HPSM offers nine', {"family": "community-supports", "stands": "availability"}),
        ("CCAH", "nothing where the populations", {"family": "ecm"}),
        ("GEN002", "gives no date and no county", {"stands": "populations"}),
    ],
)
async def test_a_plan_says_how_its_page_is_read(ask, plan, words, about):
    readings = (await ask(f"plans/{plan}", on="2026-03-04")).json()["readings"]
    (found,) = [each for each in readings if words in each["text"]]
    assert {key: found[key] for key in about} == about
    assert found["source"]["citation"]


def _seed_lines(citation):
    """The lines of a plan's page that one source of a citation names."""
    document, _, lines = citation.partition(":")
    [seed] = SEEDS.glob(f"{document[1:]}_*.txt")
    text = seed.read_text(encoding="utf-8").split("\n")
    for part in lines.split(","):
        first, _, last = part.removeprefix("L").partition("-")
        yield from text[int(first) - 1 : int(last or first)]


async def test_every_source_is_told_once_with_what_is_cited_of_it(ask):
    listed = (await ask("sources", on=ON)).json()
    assert listed["on"] == ON
    keys = [one["key"] for one in listed["sources"]]
    assert keys == list(registry())
    by_key = {one["key"]: one for one in listed["sources"]}
    assert by_key["S000"]["modified"] == "2023-12-07"
    assert by_key["S000"]["posted"] == "2023-01-17"
    assert by_key["S003"]["plan"] == "HPSM"
    quoted = 0
    for one in listed["sources"]:
        assert one["title"]["en"]
        assert one["address"] or one["note"]
        for place in one["quoted"]:
            assert place["rules"]
            assert not re.search(r"S00\d|G26|GH:|W:", place["words"])
            if one["key"].startswith("S00"):
                words = list(_seed_lines(place["citation"])) if ":" in place["citation"] else []
                for quote in place["quotes"]:
                    assert any(quote in line for line in words), (place["citation"], quote)
                    quoted += 1
    assert quoted > 60
    assert {rule["plan"] for p in by_key["S004"]["quoted"] for rule in p["rules"]} >= {"CCAH"}


async def test_a_source_is_found_by_its_link(ask):
    for link in _links((await ask("compare", service="EAA", on=ON)).json()):
        path = link["href"].removeprefix("/v1/catalog/")
        found = await ask(path, on=ON)
        assert found.status_code == 200
        assert found.json()["href"] == link["href"]
        assert link["words"].startswith(found.json()["title"]["en"])
    assert (await ask("sources/s999")).status_code == 404
    assert (await ask("sources/S003")).status_code == 400


def _links(value):
    if isinstance(value, dict):
        if set(value) == {"words", "href"}:
            yield value
        for inner in value.values():
            yield from _links(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _links(inner)


@pytest.mark.parametrize("plan", LIBRARY.plans)
async def test_the_catalog_says_sources_in_words(ask, plan):
    for path in (f"plans/{plan}", f"plans/{plan}/services", f"plans/{plan}/populations"):
        found = (await ask(path, on=ON)).json()
        links = list(_links(found))
        assert links
        for link in links:
            assert link["href"].startswith("/v1/catalog/sources/")
            assert not re.search(r"\bS00\d|\bG26|GH:|W:|CO-", link["words"])


@pytest.mark.parametrize(
    ("plan", "service", "first"),
    [
        ("HPSJ", "EAA", "Health Plan of San Joaquin, page for members, line 136"),
        ("CCAH", "EAA", "Central California Alliance for Health, page for providers, lines 70-71"),
        ("HPSM", "EAA", "Health Plan of San Mateo, page for providers, line 97"),
        ("CCAH", "ECM", "Central California Alliance for Health, page for providers, line 6"),
    ],
)
async def test_a_service_is_cited_to_the_page_of_the_plan(ask, plan, service, first):
    services = (await ask(f"plans/{plan}/services", on=ON)).json()["services"]
    [one] = [each for each in services if each["code"] == service]
    assert [link["words"] for link in one["sources"]] == [first]
