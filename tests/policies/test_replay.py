"""A stored determination asked again; two policies compared; a new file tried on the past."""

import json
from collections import Counter
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from app.policy.engine import evaluate
from app.policy.model import CareEvent, DeterminationOutcome, EligibilityQuestion, Fact, Facts, Span
from app.policy.read_files import FileFault
from app.policy.replay import depersonalize, replay
from app.policy.simulate import diff, read_candidate, simulate
from app.policy.stored_form import (
    answer_from_json,
    answer_to_json,
    question_from_json,
    question_to_json,
)
from tests.policies.vectors import load_vectors, span, to_question
from tests.rules.policy.asking import LIBRARY, all_no, facts, visits

every_vector = pytest.mark.parametrize("vector", load_vectors(), ids=lambda v: v["id"])
FIVE = visits("2023-10-02", "2023-11-11", "2023-12-26", "2024-01-19", "2024-02-20")
TEXTS = frozenset({"social_information"})


def high_use(plan="HPSM", on=date(2024, 3, 4), events=FIVE):
    known = facts(all_no(), events=events, complete=True)
    return EligibilityQuestion(plan, "ECM", on, "san_mateo", (), known)


def stored(question):
    return question_to_json(question), answer_to_json(evaluate(LIBRARY, question))


@every_vector
def test_the_same_question_has_the_same_answer(vector):
    assert replay(LIBRARY, *stored(to_question(vector))) == []


def test_the_policy_of_then_answers_even_where_a_newer_one_is_in_force():
    """Asthma remediation asks for an assessment from 2026 on: an answer of 2025 does not."""
    stated = {"asthma": True, "owner_consents": True, "asthma_ed_visits_12m": 1}
    question = EligibilityQuestion(
        "HPSJ", "AR", date(2025, 12, 31), "stanislaus", (), facts(stated)
    )
    then = evaluate(LIBRARY, question)
    assert (then.outcome, then.policy) == (DeterminationOutcome.APPROVED, "HPSJ/2025-07-01")
    assert replay(LIBRARY, question_to_json(question), answer_to_json(then)) == []
    later = replace(then, policy="HPSJ/2026-01-01")
    found = replay(LIBRARY, question_to_json(question), answer_to_json(later))
    assert ("outcome", "approved", "pending") in {(d.where, d.then, d.now) for d in found}


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"outcome": "denied"}, "outcome"),
        ({"reasons": [{"code": "no-population", "text": None}]}, "reasons"),
        ({"populations": ["POF2", "POF1A"]}, "populations"),
        ({"missing": [{"fact": "homeless", "question": "?"}]}, "missing"),
        ({"administrative": True}, "administrative"),
        ({"notes": ["a note"]}, "notes"),
        ({"criteria": []}, "criteria"),
        ({"policy": "HPSM/1999-01-01"}, "policy"),
        ({"policy": None}, "outcome"),
        ({"criteria": None}, "determination"),
        ({"outcome": "perhaps"}, "determination"),
    ],
)
def test_whatever_differs_is_named(change, where):
    question, answer = stored(high_use())
    changed = json.dumps(json.loads(answer) | change)
    assert where in {d.where for d in replay(LIBRARY, question, changed)}


def test_a_criterion_that_differs_is_named_by_its_path():
    question, answer = stored(high_use())
    tree = json.loads(answer)
    tree["criteria"][0] |= {"result": False, "citation": "E", "facts": ["age"]}
    found = [str(d) for d in replay(LIBRARY, question, json.dumps(tree))]
    assert found == [
        "criteria > coverage_active: false then, unknown now",
        "criteria > coverage_active: facts: age then, coverage_active now",
    ]


def test_the_wording_of_a_question_is_no_part_of_an_answer():
    question = EligibilityQuestion("HPSM", "ECM", date(2024, 3, 4), "san_mateo", (), Facts())
    tree = json.loads(stored(question)[1])
    assert tree["missing"]
    tree["missing"] = [m | {"question": "said otherwise then"} for m in tree["missing"]]
    tree["reasons"] = [r | {"text": "said otherwise then"} for r in tree["reasons"]]
    tree["criteria"] = [c | {"detail": "said otherwise then"} for c in tree["criteria"]]
    assert replay(LIBRARY, question_to_json(question), json.dumps(tree)) == []


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"plan": 1}', "x"])
def test_what_cannot_be_read_is_a_difference(text):
    question, answer = stored(high_use())
    assert [d.where for d in replay(LIBRARY, text, answer)] == ["determination"]
    assert [d.where for d in replay(LIBRARY, question, text)] == ["determination"]


@every_vector
def test_without_the_person_the_answer_is_the_same(vector):
    question = to_question(vector)
    said, again = (evaluate(LIBRARY, q) for q in (question, depersonalize(question, TEXTS)))
    assert (said.outcome, said.reasons, said.populations, said.missing) == (
        again.outcome,
        again.reasons,
        again.populations,
        again.missing,
    )


def test_nothing_that_names_a_person_is_passed_on():
    known = Facts(
        values={
            "homeless": Fact(value=True, source="QuestionnaireResponse/secret-id"),
            "social_information": Fact("Adela sleeps in the park", "Patient/secret-id"),
            "cs_used_eaa_usd": Fact(Decimal("12.50"), "roster"),
        },
        events=(CareEvent("ed-visit", span("2024-01-01"), source="#secret-id"),),
        birth=span("1931-07-04"),
        notes=("secret-id said so",),
    )
    question = EligibilityQuestion("HPSM", "ECM", date(2024, 3, 4), "san_mateo", (), known)
    told = question_to_json(depersonalize(question, TEXTS))
    for secret in ("secret-id/", "Adela", "1931-07-04", "said so"):
        assert secret not in told
    read = question_from_json(told).facts
    assert read.values["homeless"] == Fact(value=True, source="QuestionnaireResponse")
    assert read.birth == Span(date(1934, 3, 4), date(1934, 3, 4))  # 90, as all of the very old


@pytest.mark.parametrize("born", ["2003-03-04", "2003-03-05", "2003", "2004-02-29", "1980-05"])
def test_the_age_stays_where_the_birthday_goes(born):
    for on in (date(2024, 3, 4), date(2024, 2, 29)):
        known = Facts(values={}, birth=span(born))
        question = EligibilityQuestion("HPSM", "ECM", on, "san_mateo", (), known)
        before, after = (
            list(_named(evaluate(LIBRARY, q).criteria, "age >= 21"))
            for q in (question, depersonalize(question, TEXTS))
        )
        assert before == after != []


def _named(nodes, name):
    for node in nodes:
        if node.name == name:
            yield node.result
        yield from _named(node.children, name)


def test_what_changed_between_two_policies_is_told_with_its_source():
    changes = diff(LIBRARY.versions["HPSM/2024-01-01"], LIBRARY.versions["HPSM/2026-01-01"])
    told = {(c.section, c.where): c for c in changes}
    clock = told["Clocks", "clocks > decision_calendar_days"]
    assert (clock.before, clock.after) == (None, "7")
    assert "cms-0057" in clock.citation
    asthma = told["Criteria of Community Supports", "supports > AR > any_of > criteria > when"]
    assert "asthma_home_assessment_12m" not in asthma.before
    assert asthma.after.endswith("and asthma_home_assessment_12m")
    assert told["Who is told", "correspondence > approved > member"].after == "yes"
    assert any(c.section == "Limits" for c in changes)


def test_a_policy_differs_from_itself_in_nothing():
    for policy in LIBRARY.versions.values():
        assert diff(policy, policy) == []


def test_two_plans_can_be_compared_too():
    dated = diff(LIBRARY.versions["HPSM/2024-01-01"], LIBRARY.versions["CCAH/2024-01-01"])
    assert any(c.where == "availability > ECM > merced" for c in dated)


NEW = """
extends: HPSM/2024-01-01
shared: DHCS/2024-01-01
populations:
  POF2:
    any_of:
      - name: adults
        when: adult and (ed_avoidable_in_any_6m >= 6 or ipsnf_unplanned_6m >= 3)
        citation: E
"""


@pytest.fixture
def candidate(tmp_path):
    (tmp_path / "NEW.yaml").write_text(NEW)
    return read_candidate("HPSM", tmp_path / "NEW.yaml")


def test_a_new_file_is_tried_on_the_past(candidate):
    six = visits(*[f"2024-01-{day:02}" for day in range(10, 16)])
    asked = [
        ("five visits", high_use()),
        ("six visits", high_use(events=six)),
        ("another plan", high_use("HPSJ")),
    ]
    found = list(simulate(LIBRARY, candidate, asked))
    assert [change and change.referral for change in found] == ["five visits", None]
    change = found[0]
    assert (change.before.outcome, change.after.outcome) == (
        DeterminationOutcome.APPROVED,
        DeterminationOutcome.DENIED,
    )
    assert any("POF2" in d.where for d in change.why)


def test_a_new_file_is_checked_like_any_other(tmp_path):
    file = tmp_path / "NEW.yaml"
    file.write_text(NEW.replace("adult and", "adlt and"))
    with pytest.raises(FileFault, match="adlt is no fact"):
        read_candidate("HPSM", file)
    file.write_text("plan: HPSJ\nextends: HPSM/2024-01-01\n")
    with pytest.raises(FileFault, match="as the folder"):
        read_candidate("HPSM", file)
    with pytest.raises(FileFault):
        read_candidate("HPSM", file.with_name("none.yaml"))


def test_a_file_that_changes_nothing_changes_no_answer(tmp_path):
    file = tmp_path / "same.yaml"
    file.write_text("extends: HPSM/2024-01-01\nshared: DHCS/2024-01-01\n")
    same = read_candidate("HPSM", file)
    asked = [
        (v["id"], to_question(v))
        for v in load_vectors()
        if v["plan"] == "HPSM" and "2024-01-01" <= v["asOf"] < "2025-07-01"
    ]
    counted = Counter(change is None for change in simulate(LIBRARY, same, asked))
    assert counted == {True: len(asked)}
    assert len(asked) > 10


def test_an_answer_is_stored_as_it_always_was():
    """What is in the database since the first release must stay readable."""
    text = (
        '{"outcome":"denied","reasons":[{"code":"not-offered","text":null}],"populations":[],'
        '"missing":[],"criteria":[{"name":"RC offered","result":false,"citation":"S003","detail":'
        '"not listed","facts":[],"children":[]}],"policy":"HPSM/2024-01-01","as_of":"2024-03-04",'
        '"administrative":true,"notes":[]}'
    )
    assert json.loads(answer_to_json(answer_from_json(text))) == {**json.loads(text), "ways": []}
