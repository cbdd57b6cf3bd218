"""What others than the plan's staff read of an answer: as much as its results tell, and no more."""

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from app.journey.eligibility.merge import merge
from app.policy.discreet import by_result, names_the_plan
from app.policy.engine import evaluate
from app.policy.explain import explain
from app.policy.model import EligibilityQuestion, Fact, Span
from app.policy.stated import CoverageTerms, RosterMember, SourcedFacts, SourceKind
from tests.rules.policy.asking import LIBRARY

ON = date(2026, 11, 20)
PROGRAMS = st.frozensets(st.sampled_from(["hospice", "pace", "eae-dsnp", "ihss", "ccs"]))
#: Facts for which the roster holds, stated or not; and facts that it states beyond these, where
#: that it states them is no secret.
ITS_OWN = {
    "programs_enrolled": PROGRAMS,
    "waiver_1915c_enrolled": st.booleans(),
    "grandfathered_ecm": st.booleans(),
    "cs_used_resp_hours_year": st.integers(0, 400),
    "current_authorizations": st.frozensets(st.sampled_from(["ECM", "HTNS", "RESP"])),
    "race": st.frozensets(st.sampled_from(["black", "white"])),
}
BEYOND = {
    "homeless": st.booleans(),
    "complex_social_factors": st.frozensets(st.sampled_from(["food", "work"])),
}
LINES = st.sampled_from(["MEDI-CAL", "CAREADVANTAGE"])
ROSTERS = st.tuples(
    st.dates(date(1930, 1, 1), date(2020, 1, 1)),
    LINES,
    st.fixed_dictionaries(BEYOND, optional=ITS_OWN),
)
SENT = st.fixed_dictionaries({}, optional=ITS_OWN | BEYOND | {"requested_hours": st.just(10)})


def answered(service, sent, kind, roster):
    born, line, known = roster
    said = SourcedFacts(kind, "Form/1", {name: Fact(v, "Form/1") for name, v in sent.items()})
    stated = SourcedFacts(
        SourceKind.ELEMENT,
        "roster",
        {name: Fact(value, "roster") for name, value in known.items()},
        birth=Span(born, born),
    )
    coverage = CoverageTerms("roster", True, plan="HPSM", line_of_business=line)
    member = RosterMember("1", "HPSM", born.isoformat(), stated, (coverage,))
    facts = merge([said], member, (), ON)
    question = EligibilityQuestion("HPSM", service, ON, "san_mateo", (), facts)
    return by_result(evaluate(LIBRARY, question), facts), facts


def told(answer):
    """The results of an answer, which everybody may read."""
    reasons = [reason.code for reason in answer.reasons]
    asked = (answer.missing, answer.ways)
    return answer.outcome, reasons, answer.populations, asked, results(answer.criteria)


def results(nodes):
    """Names and results; of the answer for ECM its coded reasons too, which are its detail."""
    return [
        (
            node.name,
            node.result,
            node.name == "ecm_eligible" and node.detail,
            results(node.children),
        )
        for node in nodes
    ]


@given(
    st.sampled_from(["ECM", "RESP"]),
    SENT,
    st.sampled_from([SourceKind.FORM, SourceKind.DERIVED]),
    ROSTERS,
    ROSTERS,
)
def test_two_members_with_the_same_results_look_the_same(service, sent, kind, one, other):
    shown, facts = answered(service, sent, kind, one)
    assert by_result(shown, facts) == shown
    assert not names_the_plan(explain(shown, LIBRARY, full=True))
    again, _ = answered(service, sent, kind, other)
    if told(again) == told(shown):
        assert again == shown
