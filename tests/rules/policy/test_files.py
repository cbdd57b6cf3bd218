"""The policy files: complete, cited, and refused with file and line where they are wrong."""

import re
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import holidays
import pytest

from app.policy.check import check_policies
from app.policy.dictionary import Dictionary, load_dictionary
from app.policy.library import FILES, load_library
from app.policy.read_files import FileFault
from app.policy.schema import Shape

SEEDS = Path(__file__).parents[2] / "seeds"
LIBRARY = load_library()
START = date(2022, 1, 1)


def test_the_shipped_files_have_no_fault() -> None:
    assert check_policies() == []


def test_every_plan_has_a_policy_at_every_date() -> None:
    assert set(LIBRARY.plans) == {"HPSM", "HPSJ", "CCAH", "GEN002"}
    assert {"HPSM/2024-01-01", "HPSM/2026-01-01"} <= set(LIBRARY.versions)
    for plan in LIBRARY.plans:
        policy = LIBRARY.policy(plan, START)
        assert policy is not None
        assert policy.start == START


@pytest.mark.parametrize(
    ("file", "old", "new", "fault"),
    [
        ("HPSM/2022-01-01", "adult and homeless", "adult and homelss", "homelss is no fact"),
        ("HPSM/2022-01-01", "gate:\n  when:", "gate:\n  whenever:", "gate"),
        ("HPSM/2022-01-01", 'citation: "S003:L15"', 'citation: "page 15"', "is no citation"),
        ("HPSM/2022-01-01", "counties: [san_mateo]", "counties: [marin]", "expected one of"),
        ("HPSM/2022-01-01", "advice: careadvantage", "advice: nothing", "not among advice"),
        ("HPSM/2022-01-01", "plan: HPSM", "plan: HPSX", "as the folder"),
        ("HPSM/2022-01-01", "source: S003", "source: S003\nsource: S003", "written twice"),
        ("HPSM/2022-01-01", "plan: HPSM", "plan: [", "no YAML"),
        (
            "HPSM/2022-01-01",
            "shared: DHCS/2022-01-01",
            "shared: DHCS/2021-01-01",
            "no other policy",
        ),
        (
            "HPSM/2023-01-01",
            "extends: HPSM/2022-01-01",
            "extends: HPSM/2023-01-01",
            "no other policy",
        ),
        ("DHCS/2022-01-01", "calendar: CA_STATE_OFFICE", "calendar: MOON", "expected one of"),
        ("DHCS/2022-01-01", "used: cs_used_hd_times", "used: homeless", "no number"),
        ("DHCS/2022-01-01", "services: [HD]", "services: [HOUSE]", "not among services"),
        ("CCAH/2022-01-01", "[social_information]", "[social]", "no fact of the dictionary"),
        ("CCAH/2022-01-01", "tbd: true, ", "", "expected either start"),
        ("CCAH/2022-01-01", "tbd: true, ", "tbd: true, dated: false, ", "leave dated out"),
        (
            "CCAH/2022-01-01",
            "  merced: {first: 2022-07-01",
            "  merced: {first: 2022-07-02",
            "rests on",
        ),
        ("CCAH/2022-01-01", "  merced: {first", "  mercedd: {first", "rests on nothing"),
        ("HPSM/2022-01-01", "    CTS: {text", "    CTX: {text", "not among services"),
        ("HPSJ/2022-01-01", "advice_when: delegate_offers_service", "advice_when: age", "yes/no"),
        ("calendars/CA_STATE_OFFICE", "2021-01-01:", "new year:", "expected a date"),
        ("calendars/CA_STATE_OFFICE", "2021-01-01:", "2021-02-30:", "expected a date"),
        ("HPSM/2022-01-01", "san_mateo: 2024-01-01", "san_mateo: 2024-13-01", "expected a date"),
        ("HPSM/2022-01-01", "san_mateo: 2024-01-01", "san_mateo: soon", "expected a date such"),
        ("HPSM/2022-01-01", "live: {san_mateo: 2024-01-01}", "live: {}", "live in no county"),
        ("HPSM/2022-01-01", "san_mateo: 2024-01-01", "san_mateo: 2021-01-01", "offered there from"),
        ("HPSM/2022-01-01", "when: age < 18 and", "when: age < 18 and adult and", "never be met"),
        (
            "HPSM/2022-01-01",
            "reason: line-of-business",
            "reason: lob",
            "found 'lob', expected 'lin",
        ),
        ("HPSM/2022-01-01", "name: {en: Health Plan of San Mateo}", "name: H", "a group of keys"),
        ("HPSM/2022-01-01", "source: S003", "sorce: S003", "source: is missing"),
        (
            "CCAH/2022-01-01",
            "first: 2024-01-01, last: 2024-12-31",
            "first: 2022-01-01, last: 2023-12-31",
            "ends before it is live",
        ),
        ("DHCS/2022-01-01", "n(ji_conditions) >= 1", "n(ji_conditions) >= 9", "never be met"),
        ("DHCS/2022-01-01", "decision_business_days: 5", "decision_business_days: five", "a whole"),
        ("DHCS/2022-01-01", "services: [RESP]", "services: [ECM]", "no service that has criteria"),
    ],
)
def test_a_bad_file_stops_the_start_and_is_named_with_its_line(
    tmp_path: Path, file: str, old: str, new: str, fault: str
) -> None:
    shutil.copytree(FILES, tmp_path / "files")
    path = tmp_path / "files" / f"{file}.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(FileFault, match=re.escape(fault)) as stopped:
        load_library(tmp_path / "files")
    assert re.match(r"\w+/[\w-]+\.yaml:\d+: ", str(stopped.value))
    assert any(fault in told for told in check_policies(tmp_path / "files"))


def changed(tmp_path: Path, *changes: tuple[str, str, str]) -> Path:
    """The shipped files with some words replaced."""
    files = tmp_path / "files"
    shutil.copytree(FILES, files)
    for file, old, new in changes:
        path = files / f"{file}.yaml"
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return files


def test_all_faults_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    told = check_policies(
        changed(
            tmp_path,
            ("HPSM/2022-01-01", "source: S003", "sorce: S003"),
            ("HPSM/2022-01-01", "reason: line-of-business", "reason: lob"),
            ("HPSM/2022-01-01", "gate:\n  when:", "gate:\n  whenever:"),
        )
    )
    of_file = [fault for fault in told if fault.startswith("HPSM/2022-01-01.yaml:")]
    for fault in (
        "source: is missing",
        "sorce: unknown key; expected one of advice, asks_beside",
        "found 'lob', expected 'line-of-business'",
        "gate.when: is missing",
        "gate.whenever: unknown key; expected one of citation, points, quote, says, when",
    ):
        assert any(fault in one for one in of_file), fault


@pytest.mark.parametrize(
    ("file", "old", "new", "fault"),
    [
        (
            "DHCS/2022-01-01",
            "counts:\n",
            "counts:\n  idle: {types: [ed-visit], months: 6, citation: E}\n",
            "counts.idle: nothing uses it",
        ),
        (
            "DHCS/2022-01-01",
            "definitions:\n",
            "definitions:\n  idle: {when: smhs, citation: E}\n",
            "definitions.idle: nothing uses it",
        ),
        ("HPSM/2022-01-01", "advice:\n", "advice:\n  idle: {en: x}\n", "advice.idle: nothing"),
        (
            "HPSM/2022-01-01",
            "advice:\n",
            "supports:\n  RC: {any_of: [{when: smhs, citation: E}]}\nadvice:\n",
            "supports.RC: has criteria, but availability",
        ),
    ],
)
def test_what_nothing_leads_to_is_refused(
    tmp_path: Path, file: str, old: str, new: str, fault: str
) -> None:
    told = check_policies(changed(tmp_path, (file, old, new)))
    assert all(one.startswith(f"{file}.yaml:") for one in told)
    assert len([one for one in told if fault in one]) == 1


def test_a_fact_that_no_form_asks_for_is_refused() -> None:
    known = load_dictionary()
    silent = replace(known["smhs"], forms=())
    told = check_policies(dictionary=Dictionary({**known, "smhs": silent}, {}, known.none))
    assert told
    assert all("reads smhs, which no form asks for" in fault for fault in told)


def test_a_plan_must_take_up_every_change_of_the_shared_criteria(tmp_path: Path) -> None:
    shutil.copytree(FILES, tmp_path / "files")
    (tmp_path / "files/HPSM/2026-01-01.yaml").unlink()
    (tmp_path / "files/CCAH/later.yaml").write_text("plan: CCAH\n", encoding="utf-8")
    told = check_policies(tmp_path / "files")
    assert "HPSM: no file of 2026-01-01, when the shared criteria change" in told
    assert any("is no date" in fault for fault in told)


def _citations(shape: Any, inherited: str = "") -> list[tuple[str, str | None]]:
    """Every (citation, quote) in a policy, wherever it stands."""
    found = []
    if isinstance(shape, Shape):
        values = dict(shape)
        for key, quote in (("citation", "quote"), ("live_citation", "live_quote")):
            if key in values:
                found.append((values[key], values.get(quote)))
        shape = values
    if isinstance(shape, dict):
        for value in shape.values():
            found += _citations(value, inherited)
    elif isinstance(shape, tuple):
        for value in shape:
            found += _citations(value, inherited)
    return found


def cited_lines(citation: str) -> list[str]:
    """The words of the seed lines cited; no part begins or ends on an empty line."""
    words = []
    for document, lines in re.findall(r"S(00\d):((?:L?\d+(?:-\d+)?,?)+)", citation):
        [seed] = SEEDS.glob(f"{document}_*.txt")
        text = seed.read_text(encoding="utf-8").split("\n")
        for part in lines.strip(",").split(","):
            first, _, last = part.removeprefix("L").partition("-")
            named = text[int(first) - 1 : int(last or first)]
            assert named, citation
            assert named[0].strip(), citation
            assert named[-1].strip(), citation
            words += named
    return words


def test_the_words_quoted_stand_in_the_lines_cited() -> None:
    checked = 0
    for policy in LIBRARY.versions.values():
        for citation, quote in _citations(policy.data):
            lines = cited_lines(citation)
            if quote:
                assert any(quote in line for line in lines), (citation, quote)
                checked += 1
    assert checked > 200


def test_the_dictionarys_citations_name_lines_that_exist() -> None:
    for fact in load_dictionary().values():
        assert cited_lines(fact.citation) or "S00" not in fact.citation, fact.name


def test_every_question_is_asked_in_two_languages() -> None:
    dictionary = load_dictionary()
    for name in [*dictionary, "service"]:
        assert dictionary.question(name)
        assert dictionary.question(name, "es") != dictionary.question(name)


def test_the_calendar_has_the_days_that_state_offices_close() -> None:
    calendar = LIBRARY.calendars["CA_STATE_OFFICE"].holidays
    official = holidays.country_holidays("US", subdiv="CA", years=range(2021, 2031))
    assert {day.year for day in calendar} == set(range(2021, 2031))
    assert len(calendar) == 110
    closed = ("Thanksgiving Day", "Memorial Day", "Labor Day", "Martin Luther King Jr. Day")
    for day, name in official.items():
        if name in closed:
            assert day in calendar, (day, name)
    assert date(2026, 11, 27) in calendar  # the day after Thanksgiving
    assert date(2023, 11, 10) in calendar  # November 11 on a Saturday: the Friday before
    assert date(2023, 1, 2) in calendar  # a Sunday moves to Monday
    assert date(2022, 1, 1) in calendar


@pytest.mark.parametrize(
    ("plan", "on", "calendar_days", "member_told"),
    [
        ("CCAH", date(2025, 6, 30), None, "no"),
        ("CCAH", date(2025, 7, 1), None, "yes"),
        ("HPSM", date(2025, 6, 30), None, "supports-only"),
        ("HPSM", date(2026, 1, 1), 7, "yes"),
    ],
)
def test_clocks_and_correspondence_are_dated(
    plan: str, on: date, calendar_days: int | None, member_told: str
) -> None:
    policy = LIBRARY.policy(plan, on)
    assert policy is not None
    assert policy.data.clocks.decision_calendar_days == calendar_days
    assert policy.data.correspondence.approved.member == member_told
    cited = policy.data.clocks.citation
    assert LIBRARY.clocks(None, on).model_copy(update={"citation": cited}) == policy.data.clocks


def test_only_the_alliance_reviews_approvals_of_supports() -> None:
    for plan in LIBRARY.plans:
        policy = LIBRARY.policy(plan, date(2026, 2, 2))
        assert policy is not None
        supports = policy.data.automation.of("community-supports")
        assert (supports.approve == "review") is (plan == "CCAH")
        assert policy.data.automation.of("ecm").approve == "automatic"
        assert supports.deny_criteria == "review"
        assert policy.data.terms["ECM"].initial.months == 12
