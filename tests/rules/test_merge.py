"""Who wins when sources disagree (facts.md 3, 4.4), and that facts survive being stored."""

from datetime import date
from decimal import Decimal
from typing import Any

import orjson
import pytest

from app.journey.eligibility.merge import merge
from app.policy.model import CareEvent, Fact, Facts, FactValue, Span
from app.policy.stated import CoverageTerms, RosterMember, SourcedFacts, SourceKind, choose_coverage
from app.policy.stored_form import facts_from_json, facts_to_json, roster_from_json, roster_to_json

ON = date(2026, 11, 20)
DAY = Span(ON, ON)
DERIVED, OBSERVED, FORM, ELEMENT = SourceKind


def said(kind: SourceKind, source: str = "", **values: FactValue) -> SourcedFacts:
    source = source or kind.name.lower()
    return SourcedFacts(kind, source, {name: Fact(v, source) for name, v in values.items()})


def member(*coverages: CoverageTerms, **values: FactValue) -> RosterMember:
    return RosterMember("9000001XA", "HPSM", None, said(ELEMENT, "roster", **values), coverages)


def terms(
    source: str = "coverage", active: bool = True, plan: str = "HPSM", **more: Any
) -> CoverageTerms:
    return CoverageTerms(source, active, plan=plan, **more)


def codes(*found: str) -> frozenset[str]:
    return frozenset(found)


YES, NO = {"homeless": True}, {"homeless": False}
FOOD, WORK, NONE = ({"complex_social_factors": c} for c in (codes("food"), codes("work"), codes()))

#: What the sources say, in the order received; the value; the facts named in notes.
PAYLOADS = [
    ("one source", [said(FORM, **YES)], True, 0),
    ("form over Observation", [said(FORM, **NO), said(OBSERVED, **YES)], False, 1),
    ("Observation over derived", [said(OBSERVED, **NO), said(DERIVED, **YES)], False, 1),
    ("form over derived", [said(FORM, **NO), said(DERIVED, **YES)], False, 1),
    ("agreement is no conflict", [said(FORM, **YES), said(DERIVED, **YES)], True, 0),
    ("later over earlier form", [said(FORM, "a", **YES), said(FORM, "b", **NO)], False, 1),
    (
        "later over earlier Observation",
        [said(OBSERVED, "a", **YES), said(OBSERVED, "b", **NO)],
        False,
        1,
    ),
    (
        "each conflict is named",
        [said(DERIVED, **YES), said(OBSERVED, **NO), said(FORM, **YES)],
        True,
        2,
    ),
]


@pytest.mark.parametrize(
    ("stated", "value", "conflicts"), [c[1:] for c in PAYLOADS], ids=[c[0] for c in PAYLOADS]
)
def test_a_yes_or_no(stated: list[SourcedFacts], value: bool, conflicts: int) -> None:
    facts = merge(stated, None, (), ON)
    assert facts.values["homeless"].value is value
    assert [note.partition(":")[0] for note in facts.notes] == ["homeless"] * conflicts


LISTS = [
    ("union of all", [said(FORM, **FOOD), said(DERIVED, **WORK)], {"food", "work"}, 0),
    (
        "union over three",
        [said(FORM, **FOOD), said(OBSERVED, **WORK), said(DERIVED, **FOOD)],
        {"food", "work"},
        0,
    ),
    ("none yields to derived", [said(FORM, **NONE), said(DERIVED, **WORK)], {"work"}, 1),
    ("none yields to observed", [said(FORM, **NONE), said(OBSERVED, **WORK)], {"work"}, 1),
    ("none below yields too", [said(FORM, **WORK), said(OBSERVED, **NONE)], {"work"}, 1),
    ("none alone", [said(FORM, **NONE)], set(), 0),
    ("later form", [said(FORM, "a", **FOOD), said(FORM, "b", **WORK)], {"work"}, 1),
    ("later form, none", [said(FORM, "a", **FOOD), said(FORM, "b", **NONE)], set(), 1),
    (
        "diagnoses add up",
        [said(DERIVED, "a", **FOOD), said(DERIVED, "b", **WORK)],
        {"food", "work"},
        0,
    ),
    (
        "Observations add up",
        [said(OBSERVED, "a", **FOOD), said(OBSERVED, "b", **WORK)],
        {"food", "work"},
        0,
    ),
    ("observed none, later", [said(OBSERVED, "a", **FOOD), said(OBSERVED, "b", **NONE)], set(), 1),
]


@pytest.mark.parametrize(
    ("stated", "value", "conflicts"), [c[1:] for c in LISTS], ids=[c[0] for c in LISTS]
)
def test_a_list(stated: list[SourcedFacts], value: set[str], conflicts: int) -> None:
    facts = merge(stated, None, (), ON)
    assert facts.values["complex_social_factors"].value == value
    assert len(facts.notes) == conflicts


def test_a_union_names_both_sources() -> None:
    facts = merge([said(FORM, **FOOD), said(DERIVED, **WORK)], None, (), ON)
    assert facts.values["complex_social_factors"].source == "derived, form"


#: What the roster states, what a form states, what holds.
OVER_FORMS = [
    ({"waiver_1915c_enrolled": False}, {"waiver_1915c_enrolled": True}, False),
    ({"programs_enrolled": codes()}, {"programs_enrolled": codes("pace")}, codes()),
    ({"programs_enrolled": codes("pace")}, {"programs_enrolled": codes("hospice")}, codes("pace")),
    ({"current_authorizations": codes("ECM")}, {"current_authorizations": codes()}, codes("ECM")),
    ({"cs_used_resp_hours_year": 330}, {"cs_used_resp_hours_year": 0}, 330),
    ({"county": "merced"}, {"county": "monterey"}, "merced"),
    ({"race": codes("black")}, {"race": codes("white")}, codes("black")),
    ({}, {"waiver_1915c_enrolled": True}, True),
    ({"homeless": True}, {"homeless": False}, False),
]


@pytest.mark.parametrize(("known", "answered", "holds"), OVER_FORMS)
def test_the_roster_holds_for_what_only_a_plan_knows(
    known: dict[str, FactValue], answered: dict[str, FactValue], holds: FactValue
) -> None:
    facts = merge([said(FORM, **answered)], member(terms(), **known), (), ON)
    (name,) = answered
    assert facts.values[name].value == holds
    assert bool(facts.notes) is bool(known)


def test_what_the_roster_says_beyond_its_own_facts_still_counts() -> None:
    assert merge((), member(terms(), homeless=True), (), ON).values["homeless"].value is True


def test_the_rosters_coverage_holds_over_the_payloads() -> None:
    roster = member(terms("roster", line_of_business="CAREADVANTAGE", delegate="KAISER"))
    sent = terms("sent", line_of_business="MEDI-CAL")
    values = merge((), roster, (sent,), ON).values
    assert {n: f.value for n, f in values.items()} == {
        "coverage_active": True,
        "line_of_business": "CAREADVANTAGE",
        "delegated_to": "KAISER",
    }


@pytest.mark.parametrize(
    ("coverages", "active"),
    [
        ((terms(),), True),
        ((terms(last=date(2026, 11, 19)),), False),
        ((terms(active=False),), False),
        ((terms(period_known=False),), None),
        ((), False),
    ],
)
def test_a_roster_without_coverage_in_force(
    coverages: tuple[CoverageTerms, ...], active: bool | None
) -> None:
    fact = merge((), member(*coverages), (terms("sent"),), ON).values["coverage_active"]
    # Where the roster's own period cannot be read to the day, what the payload says is left.
    assert fact.value is (True if active is None else active)


ENDED, OPEN = terms("ended", last=date(2025, 12, 31)), terms("open")
LONG, VAGUE = terms("long", last=date(2030, 1, 1)), terms("vague", period_known=False)
FOREIGN = terms("foreign", plan="BLUE")


@pytest.mark.parametrize(
    ("given", "plans", "source"),
    [
        ((), None, None),
        ((ENDED, OPEN), None, "open"),
        ((OPEN, ENDED), None, "open"),
        ((ENDED, VAGUE), None, "vague"),
        ((ENDED,), None, "ended"),
        ((LONG, OPEN), None, "open"),
        ((OPEN, terms("second")), None, "open"),
        ((FOREIGN, ENDED), {"HPSM"}, "ended"),
        ((FOREIGN,), {"HPSM"}, None),
        ((FOREIGN,), None, "foreign"),
        ((CoverageTerms("nameless", True),), None, None),
    ],
)
def test_which_coverage_counts(
    given: tuple[CoverageTerms, ...], plans: set[str] | None, source: str | None
) -> None:
    chosen = choose_coverage(given, ON, plans)
    assert (chosen.source if chosen else None) == source


@pytest.mark.parametrize(
    ("first", "last", "on", "covers"),
    [
        (ON, ON, ON, True),
        (None, None, ON, True),
        (ON, None, date(2026, 11, 19), False),
        (None, ON, date(2026, 11, 21), False),
    ],
)
def test_both_ends_of_a_period_are_included(
    first: date | None, last: date | None, on: date, covers: bool
) -> None:
    assert terms(first=first, last=last).covers(on) is covers


def told(kind: SourceKind, *events: CareEvent, complete: bool | None = None) -> SourcedFacts:
    return SourcedFacts(kind, kind.name, events=events, events_complete=complete)


VISIT, STAY = CareEvent("ed-visit", DAY), CareEvent("inpatient", DAY)


@pytest.mark.parametrize(
    ("stated", "events", "complete"),
    [
        ([], (), None),
        ([told(FORM, complete=True)], (), True),
        ([told(FORM, VISIT, complete=True), told(DERIVED, STAY)], (VISIT, STAY), True),
        ([told(FORM, VISIT, complete=True), told(FORM, STAY)], (STAY,), None),
        ([told(FORM, VISIT), told(FORM, complete=True)], (VISIT,), True),
        ([told(FORM, VISIT, complete=True), told(FORM, complete=False)], (VISIT,), False),
        ([told(OBSERVED, complete=False), told(FORM, complete=True)], (), True),
        ([told(DERIVED, VISIT), told(DERIVED, VISIT)], (VISIT, VISIT), None),
    ],
)
def test_events(
    stated: list[SourcedFacts], events: tuple[CareEvent, ...], complete: bool | None
) -> None:
    facts = merge(stated, None, (), ON)
    assert (facts.events, facts.events_complete) == (events, complete)


def test_the_rosters_birth_date_holds_and_replaces_an_answered_age() -> None:
    born = Span(date(1979, 1, 15), date(1979, 1, 15))
    roster = RosterMember("1", "HPSM", None, SourcedFacts(ELEMENT, "roster", birth=born), (OPEN,))
    facts = merge([said(FORM, age=30)], roster, (), ON)
    assert facts.birth == born
    assert "age" not in facts.values


VALUES: dict[str, FactValue] = {
    "a": True,
    "b": False,
    "c": 0,
    "d": Decimal("7000.10"),
    "e": "text",
    "f": DAY,
    "g": codes(),
    "h": codes("x", "y"),
    "i": Span(date(2024, 1, 1), date(2024, 12, 31)),
    "j": 1,
}


def test_facts_survive_storage() -> None:
    event = CareEvent("ed-visit", DAY, True, None, False, "other", "form")
    stated = said(FORM, **VALUES).values
    facts = Facts(stated, (event, CareEvent("inpatient", None)), False, DAY, ("note",))
    again = facts_from_json(orjson.loads(orjson.dumps(facts_to_json(facts))))
    assert again == facts
    assert [type(f.value) for f in again.values.values()] == [type(v) for v in VALUES.values()]


def test_a_rosters_member_survives_storage() -> None:
    full = terms(
        first=ON,
        last=ON,
        payor="p",
        line_of_business="MEDI-CAL",
        delegate="KAISER",
        subscriber="s",
        period_known=False,
    )
    kept = member(full, terms(), **VALUES)
    assert roster_from_json(orjson.loads(orjson.dumps(roster_to_json(kept)))) == kept
