"""Rules that a deployment turns on or off, and that what was decided before can be replayed."""

import re
import shutil
from datetime import date
from functools import cache
from pathlib import Path

import pytest

from app.policy.check import check_policies
from app.policy.engine import evaluate
from app.policy.library import FILES, load_library, read_choice
from app.policy.model import EligibilityQuestion
from app.policy.replay import replay
from app.policy.stored_form import answer_to_json, question_to_json
from tests.rules.policy.asking import LIBRARY, facts

ONCE, NOTICES = "post-hospitalization-housing-once", "closed-loop-notices"
RISK = {"at_risk_of_homelessness": True}
USED, ROOM = {"cs_used_stphh_days": 1}, {"cs_used_room_days_12m": 183}
DRUNK = {"publicly_intoxicated": True, "would_otherwise_go_to_ed_or_jail": True}
HOUSED = {"homeless": True, "high_medical_or_bh_needs": True, "exiting_facility": ["hospital"]}
RENT = {"homeless": False, "transitional_rent_authorized": True}


@cache
def turned(name):
    """The policies with one switch turned the other way."""
    holds = {n: s.holds for p in LIBRARY.versions.values() for n, s in p.data.switches.items()}
    return load_library(chosen={name: not holds[name]})


def ask(library, service, on="2026-03-04", birth="1980-01-01", plan="HPSJ", **stated):
    county = {"HPSJ": "san_joaquin", "CCAH": "monterey"}[plan]
    question = EligibilityQuestion(
        plan, service, date.fromisoformat(on), county, (), facts(stated, birth, complete=True)
    )
    return question, evaluate(library, question)


@pytest.mark.parametrize(
    ("switch", "service", "asked", "shipped", "otherwise"),
    [
        ("sobering-center-age", "SC", {**DRUNK, "birth": "2012-01-01"}, "approved", "denied"),
        ("sobering-center-age", "SC", DRUNK, "approved", "approved"),
        ("navigation-at-risk", "HTNS", {**RISK, "on": "2024-03-04"}, "pending", "approved"),
        ("navigation-at-risk", "HTNS", RISK, "pending", "approved"),
        ("transitional-rent", "HTNS", {"transitional_rent_eligible": True}, "approved", "pending"),
        ("transitional-rent", "STPHH", {**HOUSED, **ROOM}, "denied", "approved"),
        ("transitional-rent", "ECM", RENT, "approved", "pending"),
        (ONCE, "STPHH", {**HOUSED, **USED, "on": "2025-06-30"}, "approved", "denied"),
        (ONCE, "STPHH", {**HOUSED, **USED, "on": "2025-07-01"}, "approved", "approved"),
        ("limits-and-caps", "STPHH", {**HOUSED, "cs_used_stphh_days": 183}, "denied", "approved"),
    ],
)
def test_a_switch_changes_the_answer(switch, service, asked, shipped, otherwise):
    assert ask(LIBRARY, service, **asked)[1].outcome == shipped
    assert ask(turned(switch), service, **asked)[1].outcome == otherwise


def test_clocks_and_notices_are_switched():
    on = date(2026, 3, 4)
    for library, days in ((LIBRARY, 7), (turned("cms-0057-f"), None)):
        assert library.policy("CCAH", on).data.clocks.decision_calendar_days == days
        assert library.clocks(None, on).decision_calendar_days == days
    for library, told in ((LIBRARY, ["yes", "yes"]), (turned(NOTICES), ["no", "supports-only"])):
        policies = [library.policy(plan, on).data for plan in ("CCAH", "HPSM")]
        assert [data.correspondence.approved.member for data in policies] == told


def test_every_unverified_rule_is_off_as_shipped():
    for policy in LIBRARY.versions.values():
        for name, switch in policy.data.switches.items():
            assert switch.holds is (switch.citation != "U"), name


def test_what_was_decided_under_other_switches_is_replayed_the_same():
    some = load_library(chosen=read_choice("sobering-center-age=on,cms-0057-f=off"))
    question, said = ask(some, "SC", birth="2012-01-01", **DRUNK)
    assert said.policy == "HPSJ/2026-01-01!cms-0057-f+sobering-center-age"
    for library in (LIBRARY, turned(NOTICES), some):
        assert replay(library, question_to_json(question), answer_to_json(said)) == []
    question, said = ask(LIBRARY, "SC", birth="2012-01-01", **DRUNK)
    assert said.policy == "HPSJ/2026-01-01"
    assert replay(some, question_to_json(question), answer_to_json(said)) == []


def test_a_choice_as_shipped_changes_nothing():
    same = load_library(chosen=read_choice("sobering-center-age=off, cms-0057-f=on"))
    assert set(same.versions) == set(LIBRARY.versions)


@pytest.mark.parametrize("text", ["sobering-center-age", "x=maybe", "=on", "a b=on"])
def test_a_choice_that_cannot_be_read_stops_the_start(text):
    with pytest.raises(ValueError, match="expected name=on or name=off"):
        read_choice(text)


def test_an_unknown_switch_stops_the_start():
    with pytest.raises(ValueError, match="there are closed-loop-notices, cms-0057-f"):
        load_library(chosen={"cms": False})


def test_what_a_switch_sets_is_checked_though_it_is_off(tmp_path):
    shutil.copytree(FILES, tmp_path / "files")
    path = tmp_path / "files/DHCS/2022-01-01.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("age >= 18 and publicly", "age >= 18 and publickly"), "utf-8")
    told = check_policies(tmp_path / "files")
    line = text.split("\n").index(
        "            - when: age >= 18 and publicly_intoxicated and "
        "would_otherwise_go_to_ed_or_jail"
    )
    assert told
    assert all(f"DHCS/2022-01-01.yaml:{line + 1}: " in fault for fault in told)
    path.write_text(text.replace("    sets:\n", "    set:\n", 1), "utf-8")
    assert any(
        "switches.limits-and-caps: expected" in fault
        for fault in check_policies(tmp_path / "files")
    )


def test_the_document_names_every_switch_and_its_example_can_be_read():
    text = (Path(__file__).parents[2] / "docs" / "policy.md").read_text("utf-8")
    [example] = re.findall(r'POLICY_SWITCHES="(.+)"', text)
    chosen = read_choice(example)
    on, off = re.findall(r"these are on: (.+?)\(each.+?is off: (.+?)\. A", text, re.DOTALL)[0]
    shipped = {n: s.holds for p in LIBRARY.versions.values() for n, s in p.data.switches.items()}
    assert shipped == {
        **dict.fromkeys(re.findall(r"`(.+?)`", on), True),
        **dict.fromkeys(re.findall(r"`(.+?)`", off), False),
    }
    turned_so = load_library(chosen=chosen).policy("HPSM", date(2026, 3, 4)).version
    assert f"`{turned_so}`" in text
