"""However much is told, it is read in one pass; and what was cut proves nothing by its absence."""

import sys
from collections import Counter
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.fhir.facts import read_facts
from app.fhir.task import added
from app.journey.eligibility.merge import merge
from app.policy.counts import count, resolve
from app.policy.model import CareEvent, Span
from app.policy.stated import (
    MOST_EVENTS,
    MOST_NOTES,
    SourcedFacts,
    SourceKind,
    bounded,
    latest,
    noted,
)
from tests.edge.worst import WORST
from tests.rules.plan_data import count_of

ON = date(2026, 11, 20)
RULE = count_of("ed-visit", months=12)


def exact(days_ago: int, kind: str = "ed-visit") -> CareEvent:
    day = ON - timedelta(days=days_ago)
    return CareEvent(kind, Span(day, day), source="f")


def form(events: list[CareEvent], complete: bool | None) -> SourcedFacts:
    return SourcedFacts(SourceKind.FORM, "f", {}, tuple(events), complete)


def test_a_complete_list_that_was_cut_is_open():
    events = [exact(index % 400) for index in range(3 * MOST_EVENTS)]
    facts = merge([form(events, True)], None, (), ON)
    assert len(facts.events) <= MOST_EVENTS
    assert facts.events_complete is None
    assert any(note.startswith("utilization: 1500 events") for note in facts.notes)
    low, high = count(RULE, resolve(facts.events), ON, facts.events_complete)
    assert high is None
    assert low <= count(RULE, resolve(tuple(events)), ON, True)[0]


def test_a_list_within_the_bound_stays_as_it_is():
    events = [exact(index) for index in range(MOST_EVENTS)]
    facts = merge([form(events, True)], None, (), ON)
    assert (len(facts.events), facts.events_complete, facts.notes) == (MOST_EVENTS, True, ())


DATED = st.builds(
    exact, st.integers(0, 40), st.sampled_from(["ed-visit", "inpatient", "snf-short"])
)


@given(st.lists(DATED, min_size=MOST_EVENTS, max_size=MOST_EVENTS + 40))
def test_what_is_cut_never_raises_a_lower_bound(events):
    kept, _ = latest(events, ON)
    for kind in ("ed-visit", "inpatient"):
        rule = count_of(kind, months=12)
        cut = count(rule, resolve(tuple(kept)), ON, None)[0]
        assert cut <= count(rule, resolve(tuple(events)), ON, None)[0]


def test_notes_are_bounded():
    found = noted([f"note {index}" for index in range(1000)])
    assert (len(found), found[-1]) == (MOST_NOTES + 1, "900 more of such notes")


def test_what_a_list_lacks():
    assert added([{"a": 1}], [{"a": 1}, {"a": True}]) == [{"a": True}]
    assert added([], [1]) == [1]


def steps(work) -> int:
    """How many lines of our code a piece of work runs: the same on every machine."""
    ran: Counter[str] = Counter()

    def tracer(_frame, event, _argument):
        ran[event] += 1
        return tracer

    before = sys.gettrace()
    sys.settrace(tracer)
    try:
        work()
    finally:
        sys.settrace(before)
    return ran["line"]


REQUESTS = [name for name in WORST if name not in ("names of entries", "a document")]


@pytest.mark.parametrize("name", REQUESTS)
def test_reading_facts_costs_as_much_as_there_is_to_read(name):
    def read(size: int) -> int:
        body = WORST[name](size)

        def work() -> None:
            merge(read_facts(body, (), ON), None, (), ON)

        work()  # what is compiled and remembered once is no cost of size
        return steps(work)

    small, large = read(300), read(1200)
    assert large <= 6 * max(small, 300)


def test_of_many_diagnoses_nothing_new_is_lost():
    assert bounded([]) == []
