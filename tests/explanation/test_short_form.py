"""The short form of an explanation: what decided, in at most 25 lines; and the whole, in full."""

from dataclasses import replace
from datetime import date

import pytest

from app.policy.engine import evaluate
from app.policy.explain import MOST_LINES, explain
from tests.policies.vectors import load_vectors, to_question
from tests.rules.policy.asking import CHILD, LIBRARY, all_no, ask, facts, stays, visits

VECTORS = load_vectors()
every_vector = pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v["id"])
THROUGH_THE_GATE = {"engaged_with_care_manager": True, "willing_to_receive_cs": True}


def short(said):
    return explain(said, LIBRARY)


def whole(said):
    return explain(said, LIBRARY, full=True)


@every_vector
def test_the_short_form_fits_and_the_full_form_leaves_nothing_out(vector):
    said = evaluate(LIBRARY, to_question(vector))
    assert len(short(said).splitlines()) <= MOST_LINES
    assert set(short(said).splitlines()[:2]) <= set(whole(said).splitlines())
    named = {node.name for node in said.criteria}
    assert len(whole(said).splitlines()) >= len(named)


@pytest.mark.parametrize("plan", ["HPSM", "HPSJ", "CCAH", "GEN002"])
@pytest.mark.parametrize("year", [2022, 2023, 2024, 2025, 2026])
@pytest.mark.parametrize("birth", ["1980-01-01", "2012-01-01", "2003", None])
def test_nobody_reads_more_than_25_lines_whatever_is_known(plan, year, birth):
    for known in ({}, all_no(), all_no("homeless"), {"homeless": True}):
        for service in ("ECM", "HTNS", "NFTD", "EAA"):
            said = ask(plan, service, f"{year}-08-01", birth=birth, complete=True, **known)
            assert len(short(said).splitlines()) <= MOST_LINES


def test_a_denial_keeps_its_words_and_shows_what_holds_too():
    told = short(
        ask(
            "HPSM",
            complete=True,
            **all_no("smhs", "complex_social_factors"),
            smhs=True,
            complex_social_factors=["food"],
        )
    ).splitlines()
    at = next(n for n, line in enumerate(told) if "Serious Mental Health" in line)
    assert told[at].startswith("- ")
    assert "Not met. All of these are needed. (" in told[at]
    assert told[at + 1].startswith("  - One of these is needed: not met.")
    assert told[at + 2] == "    - Is the member pregnant? No (test)."
    held = told[at + 3 :]
    assert any("Specialty Mental Health Services? Yes (test)." in line for line in held)
    assert any("(test), met." in line for line in held)


NUMBERS = [
    (
        ask("HPSM", events=visits("2023-10-02", "2023-11-11", "2023-12-26", "2024-01-19"),
            complete=True, **all_no()),
        "Avoidable emergency visits: 4 of 5 in the 6 months from 2023-07-19 to 2024-01-19.",
    ),
    (
        ask("HPSM", events=visits("2023-10-02", "2023-11-11", "2023-12-26"), **all_no()),
        ("Avoidable emergency visits: at least 3 of 5 in the 6 months from 2023-06-26 to "
        "2023-12-26; the list of visits and stays is not said to be complete."),
    ),
    (
        ask("HPSM", events=stays("2024-01-02"), complete=True, **all_no()),
        "Unplanned hospital stays or short nursing-facility stays in the last 6 months: 1 of 3.",
    ),
    (ask("HPSM", complete=True, **all_no()), "Age: 44 years; under 21 is needed."),
    (
        ask("HPSM", "NFTD", nf_days=59, willing_to_live_in_alf=True, able_to_live_in_alf=True,
            wants_to_remain_in_community=False, **THROUGH_THE_GATE),
        "Days in a row in the nursing facility: 59; 60 are needed.",
    ),
    (
        ask("HPSJ", "CTS", nf_days=20, rc_days=19, snf_loc=True, chooses_home=True,
            wants_to_move_out=True, able_to_live_at_home=True),
        ("Days in a row in the nursing facility plus days in a row in recuperative care: 39; "
        "60 are needed."),
    ),
    (
        ask("HPSJ", "EAA", cs_used_eaa_usd="7000", requested_usd="1000", residence_changed=False,
            condition_changed_significantly=False, at_risk_institutionalization=True,
            home_adaptation_needed=True),
        "No; 7,000 of 7,500 dollars used, 1,000 asked for. The limit is lifted if one of these",
    ),
    (
        ask("HPSJ", "AR", asthma=True, owner_consents=True, asthma_control_test_score=22,
            asthma_ed_visits_12m=0, asthma_hospitalizations_12m=0, asthma_urgent_visits_12m=1,
            asthma_provider_recommendation=False),
        "Latest Asthma Control Test score (5 to 25): 22; 19 or less is needed.",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("said", "sentence"), NUMBERS)
def test_numbers_are_said(said, sentence):
    assert sentence in whole(said)


def test_a_population_of_adults_and_children_is_told_once_and_from_when():
    said = ask("HPSJ", on="2023-06-30", birth=CHILD, complete=True, **all_no("homeless"),
               homeless=True)  # fmt: skip
    (reason,) = [r for r in said.reasons if r.code == "not-yet-live"]
    assert reason.text == (
        "“Homeless Families or Unaccompanied Children and Youth Experiencing Homelessness” is met "
        "and begins here on 2023-07-01."
    )
    for told in (short(said), whole(said)):
        named = [line for line in told.splitlines() if line.startswith("- Homeless Families")]
        assert len(named) == 1
        assert "Met, but not live here on this date (begins here on 2023-07-01)." in named[0]
        assert reason.text in told


@pytest.mark.parametrize("on", ["2022-02-01", "2023-06-30", "2023-12-31"])
@pytest.mark.parametrize("plan", ["HPSM", "HPSJ", "CCAH"])
@pytest.mark.parametrize("birth", ["1980-01-01", CHILD, None])
def test_each_population_is_told_once_and_what_is_not_live_has_its_date(plan, on, birth):
    told = whole(ask(plan, on=on, birth=birth)).partition("To be answered:")[0].splitlines()
    tops = [line.partition(":")[0] for line in told if line.startswith("- ")]
    populations = {p.data.name.en for p in LIBRARY.policy(plan, date.fromisoformat(on)).populations}
    assert {name: tops.count(f"- {name}") for name in populations} == dict.fromkeys(populations, 1)
    for line in told:
        assert "not live here on this date." not in line
        assert ("not live" in line) == ("begins here on 20" in line)


@pytest.mark.parametrize(
    ("stated", "service"),
    [({"line_of_business": "CAREADVANTAGE"}, "ECM"), ({"coverage_active": False}, "HTNS")],
)
def test_an_administrative_denial_tells_no_criteria_of_need(stated, service):
    told = short(ask("HPSM", service, **stated)).splitlines()
    assert len(told) == 4


@pytest.mark.parametrize("vector", [v for v in VECTORS if v["expect"]["outcome"] != "pending"],
                         ids=lambda v: v["id"])  # fmt: skip
def test_what_is_decided_asks_nothing(vector):
    said = evaluate(LIBRARY, to_question(vector))
    assert "To be answered" not in whole(said)


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("QuestionnaireResponse/01934f3a", "form"),
        ("#f", "sent with the referral"),
        ("QuestionnaireResponse/#f", "form"),
        ("Condition/7, QuestionnaireResponse/#f", "diagnosis and form"),
        ("Condition/7", "diagnosis"),
        ("Encounter/e", "encounter"),
        ("Coverage/c", "coverage"),
        ("ServiceRequest.insurance", "referral"),
        ("Patient", "patient record"),
        ("roster", "the plan's roster"),
        ("authorizations", "the plan's authorizations"),
    ],
)
def test_a_source_is_named_by_its_kind(source, shown):
    known = facts({"homeless": False, "complex_social_factors": []})
    known = replace(
        known, values={name: replace(fact, source=source) for name, fact in known.values.items()}
    )
    question = to_question(VECTORS[0])
    told = whole(evaluate(LIBRARY, replace(question, facts=known)))
    assert f"Is the member homeless? No ({shown})." in told
    assert f"affect the member? None of these ({shown}); one of these is needed." in told


def test_a_childs_criterion_is_worded_for_a_child():
    told = whole(ask("GEN002", birth=CHILD, significant_mh_or_sud=True))
    assert "Adult:" not in told
    assert "Does the member have a significant mental health or substance use disorder" in told


@pytest.mark.parametrize(
    ("note", "told"),
    [
        (
            "homeless: QuestionnaireResponse/#f and Condition/7 differ; the later one holds",
            "- Is the member homeless? The form and the diagnosis differ; the later one holds.",
        ),
        (
            "nf_days: the answer could not be read, so it counts as unknown",
            (
                "- Days in a row in the nursing facility: The answer could not be read, so it "
                "counts as unknown."
            ),
        ),
        (
            "Condition/7: is about somebody else, so it was not read",
            "- The diagnosis: is about somebody else, so it was not read.",
        ),
    ],
)
def test_a_note_is_a_sentence(note, told):
    assert told in whole(replace(ask("HPSM"), notes=(note,))).splitlines()


def test_what_two_reasons_share_is_said_once():
    said = ask("HPSM", "RESP", caregiver_relief_needed=False, cs_used_resp_hours_year=330,
               requested_hours=10, caregiver_support_changed=False, **THROUGH_THE_GATE)  # fmt: skip
    assert len(said.reasons) == 2
    assert short(said).count("is to be confirmed by a person.") == 1
