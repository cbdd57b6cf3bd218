"""What must hold for any facts whatever."""

from datetime import date
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from app.policy.engine import evaluate, evaluate_under
from app.policy.model import CareEvent, DeterminationOutcome, EligibilityQuestion, Fact, Facts, Span
from app.policy.policy import Policy, build
from tests.rules.policy.asking import DICTIONARY, LIBRARY

DAYS = st.dates(date(2022, 6, 1), date(2026, 12, 31))
SPANS = st.builds(lambda a, b: Span(min(a, b), max(a, b)), DAYS, DAYS)
MAYBE = st.sampled_from([True, False, None])
EXCLUDING = {
    "coverage_active",
    "waiver_1915c_enrolled",
    "grandfathered_ecm",
    "programs_enrolled",
    "delegated_to",
    "line_of_business",
    "county",
}
#: Facts that may rightly turn an answer: ages, scores, exclusions inside POF5 and POF6.
NOT_ONLY_MORE = {"age", "residence", "at_risk_of_icf_or_subacute", "asthma_control_test_score"}


def _values(name: str) -> st.SearchStrategy[Any]:
    fact = DICTIONARY[name]
    if fact.type == "boolean":
        return st.booleans()
    if fact.type == "code":
        return st.sampled_from(fact.codes)
    if fact.type == "code-list":
        return st.frozensets(st.sampled_from(fact.codes), max_size=2)
    if fact.type == "date":
        return SPANS
    return st.integers(0, 400)


NAMES = [n for n, f in DICTIONARY.items() if f.type not in ("text", "events") and "." not in n]
STATED = st.lists(
    st.one_of([st.tuples(st.just(name), _values(name)) for name in NAMES]), max_size=25
).map(dict)
#: Members who would be approved, so that approvals are not rare.
BASES = (
    {},
    {
        "homeless": True,
        "complex_need": True,
        "unable_self_manage": True,
        "coordination_benefit": True,
        "household_has_member_under_21": True,
    },
    {
        "nutrition_sensitive_conditions": frozenset({"diabetes"}),
        "engaged_with_care_manager": True,
        "willing_to_receive_cs": True,
        "receiving_htns": True,
        "moving_into_permanent_housing": True,
        "ces_prioritized": True,
    },
)
EVENTS = st.lists(
    st.builds(
        CareEvent,
        st.sampled_from(["ed-visit", "inpatient", "snf-short"]),
        st.one_of(st.none(), SPANS, DAYS.map(lambda d: Span(d, d))),
        MAYBE,
        MAYBE,
        MAYBE,
        st.sampled_from([None, "mental-health", "substance-use", "other"]),
    ),
    max_size=8,
)
SERVICES = [
    "ECM",
    "ECM",
    "HTNS",
    "HD",
    "MTM",
    "RESP",
    "AR",
    "EAA",
    "NFTD",
    "CTS",
    "PCHS",
    "RC",
    "XX",
]
QUESTIONS = st.builds(
    lambda plan, service, as_of, county, base, stated, events, complete, birth: EligibilityQuestion(
        plan,
        service,
        as_of,
        county,
        (),
        Facts(
            {name: Fact(value, "any") for name, value in {**stated, **base}.items()},
            tuple(events),
            complete,
            birth,
        ),
    ),
    st.sampled_from(["HPSM", "HPSJ", "CCAH", "GEN002"]),
    st.sampled_from(SERVICES),
    DAYS,
    st.sampled_from([None, None, "stanislaus", "merced", "elsewhere"]),
    st.sampled_from(BASES),
    STATED,
    EVENTS,
    MAYBE,
    st.one_of(
        st.none(), SPANS, st.dates(date(1930, 1, 1), date(2024, 1, 1)).map(lambda d: Span(d, d))
    ),
)


def _with(question: EligibilityQuestion, **stated: Any) -> EligibilityQuestion:
    values = {**question.facts.values, **{n: Fact(v, "more") for n, v in stated.items()}}
    known = question.facts
    facts = Facts(values, known.events, known.events_complete, known.birth)
    return EligibilityQuestion(
        question.plan, question.service, question.as_of, question.county, question.claimed, facts
    )


@settings(max_examples=100, deadline=None)
@given(QUESTIONS)
def test_any_facts_get_one_of_three_answers_with_a_reason(question: EligibilityQuestion) -> None:
    said = evaluate(LIBRARY, question)
    codes = {reason.code for reason in said.reasons}
    asked = [fact.fact for fact in said.missing]
    assert said.reasons
    assert len(asked) == len(set(asked))
    assert all(fact in DICTIONARY for fact in asked)
    assert not said.administrative or said.outcome is DeterminationOutcome.DENIED
    if said.outcome is DeterminationOutcome.APPROVED:
        assert codes <= {"population-met", "service-criteria-met"}
    if "facts-missing" in codes:
        assert asked
        assert said.outcome is DeterminationOutcome.PENDING
    assert set(asked) <= {"social_information"} or "facts-missing" in codes


@settings(max_examples=100, deadline=None)
@given(QUESTIONS, st.data())
def test_learning_an_unknown_fact_never_turns_a_decided_answer(
    question: EligibilityQuestion, data: st.DataObject
) -> None:
    before = evaluate(LIBRARY, question)
    unknown = [n for n in NAMES if n not in question.facts.values and n not in EXCLUDING]
    used = {n for n in unknown if n.startswith(("cs_used", "requested", "current"))}
    name = data.draw(st.sampled_from([n for n in unknown if n not in used and n not in _REPLACED]))
    after = evaluate(LIBRARY, _with(question, **{name: data.draw(_values(name))}))
    inside = {"residence", "at_risk_of_icf_or_subacute"}  # exclusions inside POF5 and POF6
    if before.outcome is not DeterminationOutcome.PENDING and name not in inside:
        assert after.outcome is before.outcome, name


#: Facts that, stated, take the place of what was derived or was known by another.
_REPLACED = {
    "lives_in_community",
    "nf_resident",
    "ccs",
    "ccs_wcm",
    "transitional_rent_authorized",
    "receiving_htns",
    "received_htns",
    "unstable_living_environment",
    "racial_ethnic_disparity",
    "pregnancy_end_date",
    "release_date",
    "pregnant",  # pregnancy adds a condition to a list that was known without
    "postpartum_12m",
    "willing_to_receive_cs",  # unwillingness fails the gate that ECM had passed
    "caregiver_support_changed",
}


@settings(max_examples=100, deadline=None)
@given(QUESTIONS, st.sampled_from([n for n in NAMES if DICTIONARY[n].type == "boolean"]))
def test_a_further_yes_never_turns_an_approval_into_a_denial(
    question: EligibilityQuestion, name: str
) -> None:
    excludes = EXCLUDING | NOT_ONLY_MORE | {"waiver_1915c_waitlisted"}
    before = evaluate(LIBRARY, question)
    after = evaluate(LIBRARY, _with(question, **{name: True}))
    if before.outcome is DeterminationOutcome.APPROVED and name not in excludes:
        assert after.outcome is DeterminationOutcome.APPROVED


@settings(max_examples=100, deadline=None)
@given(QUESTIONS, st.randoms(use_true_random=False))
def test_the_order_of_facts_and_events_does_not_matter(
    question: EligibilityQuestion, random: Any
) -> None:
    names, events = list(question.facts.values), list(question.facts.events)
    random.shuffle(names)
    random.shuffle(events)
    values = {name: question.facts.values[name] for name in names}
    facts = Facts(values, tuple(events), question.facts.events_complete, question.facts.birth)
    other = EligibilityQuestion(
        question.plan, question.service, question.as_of, question.county, question.claimed, facts
    )
    assert evaluate(LIBRARY, other) == evaluate(LIBRARY, question)


def _shuffled(policy: Policy, random: Any) -> Policy:
    """The same policy with its rules in another order."""

    def turned(values: Any) -> dict[str, Any]:
        names = list(values)
        random.shuffle(names)
        return {name: values[name] for name in names}

    def ways(values: Any) -> dict[str, Any]:
        return {
            name: value.model_copy(
                update={"any_of": tuple(random.sample(value.any_of, len(value.any_of)))}
            )
            for name, value in turned(values).items()
        }

    data = policy.data
    other = data.model_copy(
        update={
            "populations": ways(data.populations),
            "supports": ways(data.supports),
            **{name: turned(getattr(data, name)) for name in ("exclusions", "limits", "counts")},
        }
    )
    return build(policy.version, policy.start, other, DICTIONARY)


@settings(max_examples=60, deadline=None)
@given(QUESTIONS, st.randoms(use_true_random=False))
def test_the_order_of_rules_does_not_matter(question: EligibilityQuestion, random: Any) -> None:
    policy = LIBRARY.policy(str(question.plan), question.as_of)
    assert policy is not None
    one = evaluate_under(policy, DICTIONARY, question)
    other = evaluate_under(_shuffled(policy, random), DICTIONARY, question)
    for said in ("outcome", "administrative"):
        assert getattr(one, said) == getattr(other, said)
    assert set(one.reasons) == set(other.reasons)
    assert set(one.populations) == set(other.populations)
    assert set(one.missing) == set(other.missing)
