"""What is asked first: the shortest ways to an answer, and never a question that cannot matter."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, timedelta
from itertools import product
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from app.policy.asking import MOST_QUESTIONS, Asking, arranged, asking
from app.policy.engine import evaluate
from app.policy.model import (
    CareEvent,
    Determination,
    DeterminationOutcome,
    EligibilityQuestion,
    Fact,
    ShortestWay,
    Span,
)
from tests.policies.vectors import load_vectors, to_question
from tests.rules.policy.asking import (
    CHILD,
    COUNTIES,
    DICTIONARY,
    LIBRARY,
    all_no,
    ask,
    facts,
    missing,
)
from tests.rules.policy.test_properties import QUESTIONS

ELDERLY = "1964-05-05"
DIABETES = {"nutrition_sensitive_conditions": ["diabetes"]}
DRUNK = {"publicly_intoxicated": True, "would_otherwise_go_to_ed_or_jail": True}


def asked(said: Determination, beside: tuple[str, ...] = ()) -> Asking:
    return asking(said.ways, [each.fact for each in said.missing], beside)


@pytest.mark.parametrize(
    ("said", "way"),
    [
        (ask("HPSM"), "POF2: utilization"),
        (
            ask("HPSM", claimed=("POF6",)),
            "POF6: nf_resident wants_to_move_out likely_success can_reside_community",
        ),
        (ask("HPSJ", claimed=("POF4",)), "POF4: ji_status ji_conditions"),
        (ask("HPSJ", complete=True, **all_no("idd")), "HPSJ_IDD: idd"),
        (ask("GEN002", birth=CHILD), "POF1B: homeless"),
        (ask("HPSM", "MTM", **DIABETES, willing_to_receive_cs=True), "engaged_with_care_manager"),
        (ask("HPSM", "MTM", **DIABETES), "engaged_with_care_manager willing_to_receive_cs"),
        (
            ask("HPSJ", "NFTD", nf_days=59, willing_to_live_in_alf=True, able_to_live_in_alf=True),
            "wants_to_remain_in_community snf_loc",
        ),
        (
            ask("HPSJ", "CTS"),
            "snf_loc chooses_home wants_to_move_out able_to_live_at_home nf_days",
        ),
        (
            ask("CCAH", "SC", county=None),
            "county publicly_intoxicated would_otherwise_go_to_ed_or_jail",
        ),
        (ask("CCAH", "SC", county=None, **DRUNK), "county"),
        (ask("HPSM", None), "service"),
        (ask("HPSM", birth=None, on="2022-06-01"), "POF2: age utilization"),
    ],
)
def test_the_best_way_is_the_claimed_populations_then_the_shortest(
    said: Determination, way: str
) -> None:
    best = said.ways[0]
    assert ": ".join(filter(None, [best.population, " ".join(best.facts)])) == way


def test_a_decided_answer_has_no_way() -> None:
    assert not ask("HPSM", "RC").ways


def test_every_open_population_has_its_way() -> None:
    said = ask("HPSJ", on="2026-03-04")
    assert {way.population for way in said.ways} == {
        "POF1A", "POF1B", "POF2", "POF3", "POF4", "POF5", "POF6", "POF9", "HPSJ_IDD", "HPSJ_PREG",
    }  # fmt: skip
    assert not {way.population for way in ask("HPSJ", complete=True, **all_no("idd")).ways} - {
        "HPSJ_IDD"
    }
    assert {fact for way in said.ways for fact in way.facts} <= set(missing(said))


def test_what_few_members_have_is_asked_for_after_the_rest() -> None:
    facts = [way.facts for way in ask("HPSJ", on="2026-03-04").ways]
    assert facts[-1] == ("transitional_rent_authorized",)


@pytest.mark.parametrize(
    ("birth", "sex", "needless"),
    [
        (ELDERLY, None, {"pregnant", "postpartum_12m", "racial_ethnic_disparity"}),
        ("1990-01-01", "male", {"pregnant", "postpartum_12m", "racial_ethnic_disparity"}),
        ("1990-01-01", "female", set()),
        ("1990-01-01", "other", set()),
        ("2018-01-01", "female", {"pregnant", "foster_on_18th_birthday"}),
        ("2012-01-01", "female", {"foster_on_18th_birthday"}),
        (None, "male", {"pregnant"}),
    ],
)
def test_nobody_is_asked_what_cannot_concern_them(
    birth: str | None, sex: str | None, needless: set[str]
) -> None:
    for plan in ("HPSJ", "HPSM", "CCAH", "GEN002"):
        said = asked_of(plan, birth, sex)
        assert not needless & set(missing(said))
        assert not needless & {fact for way in said.ways for fact in way.facts}
        if birth == "1990-01-01" and not needless:
            assert "pregnant" in missing(said)


def test_what_is_stated_counts_whatever_the_sex() -> None:
    said = asked_of("HPSM", "1990-01-01", "male", pregnant=True, racial_ethnic_disparity=True)
    assert said.populations == ("POF9",)


def asked_of(plan: str, birth: str | None, sex: str | None, **stated: Any) -> Determination:
    on = date(2026, 11, 30)
    known = replace(facts(stated, birth), sex=sex)
    return evaluate(LIBRARY, EligibilityQuestion(plan, "ECM", on, COUNTIES[plan], (), known))


def test_at_most_eight_questions_stand_in_front_and_the_rest_under_their_populations() -> None:
    said = ask("HPSM", claimed=("POF3",), birth="1990-01-01")
    chosen = asked(said)
    [best] = chosen.first
    assert best.population == "POF3"
    assert best.all_of == ("smhs", "complex_social_factors")
    assert best.one_of[:2] == ("pregnant", "postpartum_12m")
    assert len(best.facts) == MOST_QUESTIONS
    folded = {each.population: each.one_of for each in chosen.further}
    assert folded["POF6"] == ("nf_resident", "wants_to_move_out", "likely_success")
    assert chosen.facts == set(missing(said))


def test_what_a_plan_asks_beside_takes_room_and_is_no_alternative() -> None:
    said = ask("CCAH", on="2026-03-04", birth="1990-01-01")
    chosen = asked(said, ("population_of_focus", "social_information"))
    assert len({fact for each in chosen.first for fact in each.facts}) <= MOST_QUESTIONS - 2
    assert not {"population_of_focus", "social_information"} & chosen.facts


def test_a_gate_that_one_fact_opens_asks_for_that_fact_alone() -> None:
    said = ask("HPSM", "MTM", **DIABETES, willing_to_receive_cs=True)
    chosen = asked(said)
    assert [each.facts for each in chosen.first] == [("engaged_with_care_manager",)]
    assert len(chosen.facts) < len(said.missing) / 2  # ECM's thirty questions are not asked


def test_questions_that_a_person_chose_stay_as_they_are() -> None:
    said = ask("HPSM").missing
    assert arranged(said, None).in_order == said


# Answered in the member's favour, the first way decides


def favourable(fact: str, on: date) -> list[Any]:
    """Answers worth a try for one fact, the likeliest first."""
    if fact == "county":
        return ["san_joaquin", "merced", "monterey", "san_mateo"]
    if fact == "age":
        return [30, 10]
    known = DICTIONARY[fact]
    if known.type == "boolean":
        return [True, False]
    if known.type in ("integer", "money"):
        return [1_000, 0]
    if known.type == "date":
        return [Span(on, on)]
    if known.type == "code":
        return [*known.codes][::-1]
    if fact == "programs_enrolled":
        return [frozenset()]
    return [frozenset(known.codes[:4]), *(frozenset({code}) for code in known.codes)]


def visits(on: date) -> tuple[CareEvent, ...]:
    """Six avoidable visits and six unplanned stays for substance use, within five months."""
    days = [Span(on - timedelta(days=20 * n), on - timedelta(days=20 * n)) for n in range(1, 7)]
    came = [CareEvent("ed-visit", day, True, None, False, "substance-use") for day in days]
    stays = [CareEvent("inpatient", _later(day), True, True, None, "substance-use") for day in days]
    return (*came, *stays)


def _later(day: Span) -> Span:
    return Span(day.first + timedelta(days=7), day.last + timedelta(days=7))


def answered(question: EligibilityQuestion, way: ShortestWay) -> Iterator[EligibilityQuestion]:
    """Put the question again with each set of favourable answers to the facts of a way."""
    known, on = question.facts, question.as_of
    stated = [fact for fact in way.facts if fact != "utilization"]
    events = visits(on) if "utilization" in way.facts else known.events
    for values in product(*(favourable(fact, on) for fact in stated)):
        told: Mapping[str, Any] = dict(zip(stated, values, strict=True))
        both = {**known.values, **{name: Fact(value, "told") for name, value in told.items()}}
        county = told.get("county", question.county)
        yield replace(
            question,
            county=county,
            facts=replace(known, values=both, events=events, events_complete=True),
        )


def decides(question: EligibilityQuestion, way: ShortestWay) -> bool:
    """Tell whether favourable answers approve, or leave nothing but a person's look."""
    for told in answered(question, way):
        said = evaluate(LIBRARY, told)
        codes = {reason.code for reason in said.reasons}
        if said.outcome is DeterminationOutcome.APPROVED:
            return True
        if said.outcome is DeterminationOutcome.PENDING and (
            codes & {"review-required", "partial-availability"} and "facts-missing" not in codes
        ):
            return True
        if "review-required" in codes and said.populations:  # others are open, and change nothing
            return True
    return False


def require_first_way(question: EligibilityQuestion) -> bool:
    """Check the first way of a pending question; False where nothing is open."""
    said = evaluate(LIBRARY, question)
    if not said.ways:
        return False
    assert said.outcome is DeterminationOutcome.PENDING
    assert len(said.ways[0].facts) <= MOST_QUESTIONS
    assert {fact for way in said.ways for fact in way.facts} <= set(missing(said))
    assert decides(question, said.ways[0]), said.ways[0]
    return True


VECTORS = {vector["id"]: vector for vector in load_vectors() if vector["service"]}


def forgotten(vector: Mapping[str, Any]) -> Iterator[EligibilityQuestion]:
    """Put a vector as it is, without each of its facts in turn, and with nothing known."""
    yield to_question(vector)
    for fact in vector["facts"]:
        stated = {name: value for name, value in vector["facts"].items() if name != fact}
        yield to_question(
            {**vector, "facts": stated, "unknown": [*vector.get("unknown", ()), fact]}
        )
    yield to_question({**vector, "facts": {}, "unlisted": "unknown"})


@pytest.mark.parametrize("vector", VECTORS.values(), ids=VECTORS)
def test_answering_the_first_way_decides_each_vector_of_which_something_is_forgotten(
    vector: Mapping[str, Any],
) -> None:
    for question in forgotten(vector):
        said = evaluate(LIBRARY, question)
        asks = said.outcome is DeterminationOutcome.PENDING and said.missing
        if asks and not said.populations and said.missing[0].fact != "social_information":
            assert require_first_way(question)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(QUESTIONS)
def test_answering_the_first_way_decides_whatever_is_known(question: EligibilityQuestion) -> None:
    require_first_way(question)
