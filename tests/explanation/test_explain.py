"""A determination told to a nurse: the answer, why, what was looked at; safe to show."""

from dataclasses import replace

import pytest

from app.fhir.r4.check import check_resource
from app.policy.engine import evaluate
from app.policy.explain import explain, explain_xhtml
from app.policy.model import Criterion, DeterminationOutcome, Missing, Reason
from app.policy.phrases import phrases
from app.policy.stored_form import answer_from_json, answer_to_json
from tests.policies.vectors import load_vectors, to_question
from tests.rules.policy.asking import LIBRARY, all_no, ask, visits

FIVE = visits("2023-10-02", "2023-11-11", "2023-12-26", "2024-01-19", "2024-02-20")
every_vector = pytest.mark.parametrize("vector", load_vectors(), ids=lambda v: v["id"])


def lines(determination):
    return explain(determination, LIBRARY).splitlines()


def test_an_approval_says_what_was_met_and_by_what():
    page = "Health Plan of San Mateo, page for providers"
    group = "Individuals At Risk for Avoidable Hospital or Emergency Department Utilization"
    told = lines(ask("HPSM", events=FIVE, **all_no()))
    assert told[:5] == [
        "The rules approve this. As of 2024-03-04 (policy HPSM/2024-01-01), because:",
        "- At least one population of focus is met.",
        f"Met: {group}.",
        "What was looked at:",
        f"- {group} (adults): Met. ({page}, lines 35-40)",
    ]
    assert told[5] == (
        "  - Avoidable emergency visits: at least 5 in the 6 months from 2023-08-20 to 2024-02-20; "
        f"5 are needed, met. ({page}, lines 35-37)"
    )
    assert told[6].startswith(
        "- Enhanced Care Management is offered here: Yes; the page gives no date; "
        "it is counted from the county's start 2022-01-01. ("
    )
    assert len(told) == 7


def test_a_denial_on_criteria_says_which_of_them_fail():
    told = "\n".join(lines(ask("HPSM", complete=True, **all_no())))
    page = "(Health Plan of San Mateo, page for providers, lines"
    assert told.startswith("The rules do not approve this.")
    assert "No population of focus is met." in told
    assert f"Not met. Is the member homeless? No (test). {page} 19-21)" in told
    assert f"Not met. Age: 44 years; under 21 is needed. {page} 46-48)" in told


def test_an_open_answer_says_what_is_still_to_be_answered():
    told = lines(ask("HPSM"))
    assert told[0].startswith("The rules cannot decide this yet.")
    asked = told[told.index("To be answered:") + 1 :]
    assert any(line.lstrip(" -") == "Is the member homeless?" for line in asked)


def test_an_exclusion_is_told_with_the_plans_advice():
    told = "\n".join(lines(ask("HPSM", line_of_business="CAREADVANTAGE")))
    assert "line of business does not include this service" in told
    assert "They may receive Community Supports" in told
    assert "- Exclusion “CareAdvantage”: It applies (test: Which line of business" in told


def test_without_a_plan_there_is_little_to_tell():
    assert lines(ask(None)) == [
        "The rules cannot decide this yet. As of 2024-03-04, because:",
        "- The member could not be identified with certainty.",
    ]


@every_vector
def test_every_explanation_is_words_and_never_notation(vector):
    told = explain(evaluate(LIBRARY, to_question(vector)), LIBRARY, full=True)
    for notation in ("n(", " >= ", " <= ", " == ", " in [", "_12m", "_6m", "any of"):
        assert notation not in told


@every_vector
def test_the_xhtml_is_a_valid_narrative_with_the_same_words(vector):
    said = evaluate(LIBRARY, to_question(vector))
    div = explain_xhtml(said, LIBRARY)
    narrative = {"status": "generated", "div": div}
    assert check_resource({"resourceType": "Patient", "text": narrative}) == []
    assert div.count("<li>") == len([t for t in lines(said) if t.lstrip().startswith("- ")])


def test_nothing_that_was_sent_becomes_markup():
    said = ask("HPSM", events=FIVE, **all_no())
    bad = "<script>alert('&')</script>"
    hostile = replace(
        said,
        outcome=DeterminationOutcome.PENDING,
        reasons=(Reason(bad, bad),),
        missing=(Missing(bad, bad),),
        notes=(bad,),
        criteria=(Criterion(bad, None, bad, bad, (bad,)),),
    )
    div = explain_xhtml(hostile, LIBRARY, full=True)
    assert "<script" not in div
    assert div.count("&lt;script&gt;") >= 4
    narrative = {"status": "generated", "div": div}
    assert check_resource({"resourceType": "Patient", "text": narrative}) == []


@every_vector
def test_a_stored_answer_is_read_back_as_it_was(vector):
    said = evaluate(LIBRARY, to_question(vector))
    assert answer_from_json(answer_to_json(said)) == said


@pytest.mark.parametrize("version", [*LIBRARY.versions])
def test_every_criterion_of_every_policy_has_words(version):
    words = phrases(LIBRARY, version)
    policy = LIBRARY.versions[version]
    roots = [p.everybody for p in policy.populations] + [*policy.supports.values()]
    roots += [policy.gate] if policy.gate else []
    for node in roots:
        for name in _leaves(node):
            said = words.of(name)
            assert said[0].isupper()
            assert not {"_", ">", "<", "="} & set(said)


def _leaves(node):
    if not node.children:
        yield node.name
    for child in node.children:
        yield from _leaves(child)
