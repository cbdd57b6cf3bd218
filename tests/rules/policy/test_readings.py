"""How ambiguous pages are read: on which case a reading bears, in the page's own words."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.policy.check import check_policies
from app.policy.model import Fact
from app.policy.readings import BearingReading, bearing
from app.policy.schema import PageReading
from app.policy.stored_form import (
    answer_to_json,
    outline_from_json,
    question_from_json,
    question_to_json,
)
from tests.rules.policy.asking import LIBRARY, all_no, ask, asked, event, stays
from tests.rules.policy.test_files import changed, cited_lines

DOCS = Path(__file__).parents[3] / "docs"
YOUTH, CHILD = "2004-06-01", "2015-06-01"  # 19 and 8 years old on most days of these tests
RELEASED = {"ji_status": "released", "months_since_release": 2, "ji_conditions": ["sud"]}
OUT_OF_JAIL = {**all_no(*RELEASED, "ji_facility"), **RELEASED, "ji_facility": "jail"}
HOMELESS = {**all_no("homeless"), "homeless": True}
ELIGIBLE = {"complex_need": True, "unable_self_manage": True, "coordination_benefit": True}
NO_HTNS = {"ces_prioritized": False, "serious_health_condition": False}
HOUSING = {**HOMELESS, **ELIGIBLE, **NO_HTNS, "transitional_rent_eligible": False}
IN_HOSPITAL = {"homeless": True, "high_medical_or_bh_needs": True, "exiting_facility": ["hospital"]}
IN_RECUPERATIVE = {**IN_HOSPITAL, "exiting_facility": ["hospital", "recuperative-care"]}
NOTHING_CHANGED = {"residence_changed": False, "condition_changed_significantly": False}
IN_2026, IN_2023 = {"on": "2026-03-04"}, {"on": "2023-05-01"}


def case(plan: str, service: str = "ECM", *given: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A case; what is given later wins."""
    stated: dict[str, Any] = {"plan": plan, "service": service}
    for each in (*given, more):
        stated |= each
    return stated


def shown(case: dict[str, Any], *, staff: bool = True) -> dict[str, BearingReading]:
    read = bearing(LIBRARY, asked(**case), ask(**case), staff=staff)
    return {each.name: each for each in read}


@pytest.mark.parametrize(
    ("name", "on_these", "not_on_these"),
    [
        (
            "members in Enhanced Care Management",
            [
                case("HPSM", "HTNS", IN_2026, HOUSING),
                case(
                    "HPSM", "HTNS", {**NO_HTNS, "homeless": False},
                    current_authorizations=["ECM"], willing_to_receive_cs=True,
                    engaged_with_care_manager=True,
                ),
                case("HPSM", "HTNS", IN_2026, HOUSING, willing_to_receive_cs=False),
            ],
            [
                case("HPSM", "HTNS", IN_2026, {**HOUSING, "homeless": False}, complete=True),
                case("HPSM", "HTNS", HOUSING, current_authorizations=["ECM"]),
                case("HPSJ", "HTNS", IN_2026, HOUSING),
            ],
        ),
        (
            "former members of MSSP and Whole Person Care",
            [
                case("HPSM", "ECM", {**all_no(), "grandfathered_ecm": True}, complete=True),
                case("HPSM", line_of_business="CAREADVANTAGE", grandfathered_ecm=True),
                case("HPSM", grandfathered_ecm=True),
            ],
            [
                case("HPSM", "ECM", HOMELESS, ELIGIBLE, grandfathered_ecm=True),
                case("HPSM", "ECM", all_no(), complete=True),
                case("HPSJ", "ECM", {**all_no(), "grandfathered_ecm": True}, complete=True),
            ],
        ),
        (
            "under 21 and out of an adult jail",
            [
                case("HPSM", "ECM", OUT_OF_JAIL, birth=YOUTH, complete=True),
                case("HPSM", "ECM", RELEASED, ji_facility="prison", birth=YOUTH, claimed=("POF4",)),
            ],
            [
                case("HPSM", "ECM", OUT_OF_JAIL, complete=True),
                case("HPSM", "ECM", OUT_OF_JAIL, ji_facility="youth", birth=YOUTH, complete=True),
                case("HPSJ", "ECM", OUT_OF_JAIL, birth=YOUTH, complete=True),
                case("HPSM", "ECM", OUT_OF_JAIL, foster_current=True, birth=YOUTH, complete=True),
            ],
        ),
        (
            "populations without a date",
            [case("HPSM", "ECM", HOMELESS, ELIGIBLE, on="2021-06-01", complete=True)],
            [case("HPSM", "ECM", HOMELESS, ELIGIBLE)],
        ),
        (
            "supports without a date",
            [
                case("HPSM", "MTM", on="2021-12-31"),
                case("HPSJ", "MTM", on="2022-06-30", county="stanislaus"),
                case("CCAH", "MTM", on="2022-06-30", county="merced"),
            ],
            [
                case("HPSM", "MTM", on="2022-01-01"),
                case("HPSJ", "NFTD", on="2022-06-30"),
                case("CCAH", "SC", county="santa_cruz"),
            ],
        ),
        ("asterisks", [case("HPSM", "HTSS")], [case("HPSM", "HD"), case("HPSJ", "HTSS")]),
        (
            "stays of adults",
            [case("HPSM", events=stays("2024-02-01"))],
            [case("HPSM"), case("HPSJ", events=stays("2024-02-01"))],
        ),
        (
            "stays of children",
            [case("HPSM", birth=CHILD, events=stays("2024-02-01"))],
            [case("HPSM", events=stays("2024-02-01"))],
        ),
        (
            "two visits or stays",
            [
                case(plan, events=[event("ed-visit", "2024-02-01", reason="substance-use")])
                for plan in ("HPSM", "GEN002")
            ],
            [case("HPSM"), case("GEN002")],
        ),
        ("sixty days in a nursing facility", [case("HPSM", nf_resident=True)], [case("HPSM")]),
        (
            "transitioning from incarceration",
            [
                case("HPSJ", "ECM", RELEASED),
                case("CCAH", "ECM", OUT_OF_JAIL, complete=True),
                case("CCAH", "ECM", IN_2023, OUT_OF_JAIL, complete=True),
            ],
            [case("HPSJ"), case("CCAH"), case("HPSJ", ji_status="none")],
        ),
        (
            "adults without children",
            [case("HPSJ", "ECM", IN_2023, homeless=True)],
            [
                case("HPSJ", on="2023-07-01", homeless=True),
                case("HPSJ", "ECM", IN_2023, homeless=True, household_has_member_under_21=True),
                case("HPSJ", "ECM", IN_2023, homeless=True, birth=CHILD),
                case("HPSJ", "ECM", IN_2023),
            ],
        ),
        (
            "homeless families",
            [
                case("HPSJ", "ECM", IN_2023, homeless=True, household_has_member_under_21=True),
                case("HPSJ", "ECM", IN_2023, homeless=True, birth=CHILD),
            ],
            [case("HPSJ", "ECM", IN_2023, homeless=True)],
        ),
        (
            "intellectual or developmental disabilities",
            [case("HPSJ", "ECM", {**all_no(), "idd": True}, complete=True)],
            [case("HPSJ", "ECM", HOMELESS, ELIGIBLE, idd=True), case("HPSJ", idd=False)],
        ),
        (
            "pregnancy",
            [case("HPSJ", "ECM", {**all_no(), "pregnant": True}, complete=True)],
            [case("HPSJ", "ECM", {**all_no(), "idd": True}, complete=True)],
        ),
        (
            "housing after a facility stay",
            [case("HPSJ", "STPHH", IN_RECUPERATIVE)],
            [case("HPSJ", "STPHH", IN_HOSPITAL), case("HPSJ", "STPHH")],
        ),
        (
            "delegated to Kaiser",
            [case("HPSJ", "EAA", delegated_to="KAISER")],
            [case("HPSJ", "EAA"), case("HPSJ", delegated_to="KAISER")],
        ),
        (
            "Kaiser and Enhanced Care Management",
            [case("HPSJ", delegated_to="KAISER")],
            [case("HPSJ"), case("HPSJ", "EAA", delegated_to="KAISER")],
        ),
        (
            "populations without their names",
            [case("CCAH", "ECM", all_no(), complete=True)],
            [case("CCAH", "ECM", HOMELESS, complex_need=True), case("CCAH", "MTM")],
        ),
        (
            "partial home modifications",
            [case("CCAH", "EAA", at_risk_institutionalization=True, home_adaptation_needed=True)],
            [case("CCAH", "MTM"), case("HPSJ", "EAA")],
        ),
        (
            "to be determined",
            [case("CCAH", "AR"), case("CCAH", "SC", county="santa_cruz")],
            [case("CCAH", "SC", county="merced")],
        ),
        (
            "sobering centers without a date",
            [case("CCAH", "SC", on="2022-06-30", county="merced")],
            [case("CCAH", "SC", county="santa_cruz"), case("CCAH", "SC", county="merced")],
        ),
        (
            "housing after recuperative care",
            [case("CCAH", "STPHH", IN_HOSPITAL)],
            [
                case("CCAH", "STPHH", IN_RECUPERATIVE),
                case("CCAH", "STPHH"),
                case("HPSJ", "STPHH", IN_HOSPITAL),
            ],
        ),
        (
            "unstable living environment",
            [
                case(
                    "CCAH", "RC", hospital_care_no_longer_needed=True, recovery_needed=True,
                    unstable_living_environment=False,
                )
            ],
            [case("CCAH", "RC")],
        ),
        (
            "amount partly left",
            [
                case("HPSJ", "EAA", NOTHING_CHANGED, cs_used_eaa_usd="7000", requested_usd="600")
            ],
            [case("HPSJ", "EAA")],
        ),
        (
            "child welfare",
            [case("GEN002", birth=CHILD, foster_current=True)],
            [case("GEN002", birth=CHILD), case("HPSM", birth=CHILD, foster_current=True)],
        ),
        (
            "term",
            [case("HPSJ", "ECM", HOMELESS, ELIGIBLE)],
            [case("HPSM", "ECM", HOMELESS, ELIGIBLE), case("HPSJ"), case("HPSJ", "MTM")],
        ),
        (
            "term after a lapse",
            [
                case("HPSM", "ECM", HOMELESS, ELIGIBLE, lapsed=True),
                case("HPSJ", "ECM", HOMELESS, ELIGIBLE, lapsed=True),
            ],
            [case("HPSM", "ECM", HOMELESS, ELIGIBLE), case("HPSM", "MTM", lapsed=True)],
        ),
    ],
)  # fmt: skip
def test_a_reading_bears_on_the_cases_that_it_is_about(
    name: str, on_these: list[dict[str, Any]], not_on_these: list[dict[str, Any]]
) -> None:
    for stated in on_these:
        assert name in shown(stated), (name, stated)
    for stated in not_on_these:
        assert name not in shown(stated), (name, stated)


def test_every_reading_of_a_case_stands_in_this_table() -> None:
    tables = test_a_reading_bears_on_the_cases_that_it_is_about.pytestmark
    tried = {row[0] for row in tables[0].args[1]}
    stated = {
        name
        for policy in LIBRARY.versions.values()
        for name, reading in policy.data.readings.items()
        if not reading.only_in_catalog
    }
    assert tried == stated


def test_what_the_page_says_is_in_its_own_words() -> None:
    """Whatever a reading puts between quotation marks stands in the lines that it cites."""
    for policy in LIBRARY.versions.values():
        for name, reading in policy.data.readings.items():
            lines = cited_lines(reading.citation)
            quoted = re.findall(r'"([^"]+)"', reading.says)
            assert quoted or "S00" not in reading.citation or name in _NOTHING_SAID, name
            for words in quoted:
                assert any(words in line for line in lines), (name, words)


#: Readings of what no page says at all.
_NOTHING_SAID = {"unknown exclusions", "amount partly left"}


def test_readings_are_sentences() -> None:
    for policy in LIBRARY.versions.values():
        for name, reading in policy.data.readings.items():
            for text in (reading.says, reading.read_as):
                assert text.endswith("."), name
                assert text[0].isupper(), name
                assert not re.search(r"S00\d|G26|POF\d|[a-z]_[a-z]|\bfacts \d", text), name


def test_what_must_be_read_before_deciding_comes_first() -> None:
    read = list(shown(case("HPSM", "HTNS", IN_2026, HOUSING)).values())
    assert [each.name for each in read] == ["members in Enhanced Care Management", "asterisks"]
    assert read[0].source == "Health Plan of San Mateo, page for providers, lines 80-86"
    assert read[0].text.startswith('The page says "Members who are eligible for the Enhanced')


def test_a_reading_tells_nobody_else_what_the_roster_knows() -> None:
    stated = case("HPSM", "ECM", {**all_no(), "grandfathered_ecm": True}, complete=True)
    question, answer = asked(**stated), ask(**stated)
    facts = question.facts
    for source, others in (("QuestionnaireResponse/x", 1), ("roster", 0), ("authorizations", 0)):
        values = {**facts.values, "grandfathered_ecm": Fact(True, source)}
        known = replace(question, facts=replace(facts, values=values))
        assert len(bearing(LIBRARY, known, answer, staff=True)) == 1
        assert len(bearing(LIBRARY, known, answer, staff=False)) == others
    assert shown(case("HPSM", "ECM", HOMELESS, ELIGIBLE, lapsed=True), staff=False) == {}


def test_without_a_plan_nothing_is_read() -> None:
    assert bearing(LIBRARY, asked(None), ask(None), staff=True) == ()


@pytest.mark.parametrize(
    "stated",
    [
        case("HPSM", "HTNS", IN_2026, HOUSING),
        case("HPSM", "ECM", OUT_OF_JAIL, birth=YOUTH, complete=True),
        case("HPSJ", "ECM", {**all_no(), "idd": True}, complete=True),
        case("CCAH", "AR"),
    ],
)
def test_the_outline_of_a_stored_answer_is_enough(stated: dict[str, Any]) -> None:
    question, answer = asked(**stated), ask(**stated)
    outline = outline_from_json(answer_to_json(answer))
    assert shown(stated)
    assert bearing(LIBRARY, question, outline, staff=True) == tuple(shown(stated).values())


def test_the_reading_in_the_documentation_is_one() -> None:
    [block] = re.findall(
        r"^    readings:\n(?:     .*\n)+", (DOCS / "policy.md").read_text(), re.MULTILINE
    )
    [reading] = yaml.safe_load(block)["readings"].values()
    assert PageReading.model_validate(reading)


def test_a_lapse_is_stored_with_the_question_and_older_ones_have_none() -> None:
    lapsed = asked("HPSM", lapsed=True)
    assert question_from_json(question_to_json(lapsed)) == lapsed
    assert "lapsed" not in question_to_json(asked("HPSM"))


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("stands: gate\n", "stands: gates\n", "this policy has no gates"),
        ("stands: populations.POF4", "stands: populations.POF44", "has no populations.POF44"),
        ("services: [HTNS, HTSS]\n", "services: [HTNX]\n", "'HTNX' is not among services"),
        ("    populations: [POF6]", "    populations: [POF66]", "is not among populations"),
        ("when: grandfathered_ecm", "when: grandfather_ecm", "grandfather_ecm is no fact"),
        ("    reasons: [not-yet-live]", "    reasons: [not-yet]", "is not among reasons"),
        ("    services: [HTNS, HTSS]", "    counties: [marin]", "is not among counties"),
        ("    read_as: The last 12 months count.\n", "", "is missing"),
    ],
)
def test_a_reading_that_leads_nowhere_is_refused(
    tmp_path: Path, old: str, new: str, fault: str
) -> None:
    told = check_policies(changed(tmp_path, ("HPSM/2022-01-01", old, new)))
    assert told
    assert all(fault in each and "readings." in each for each in told)
