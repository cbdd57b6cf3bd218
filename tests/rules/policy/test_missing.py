"""What is asked for: every fact that could still change the answer, and no other (facts.md 6.4)."""

import pytest

from tests.rules.policy.asking import ADULT, CHILD, all_no, ask, missing, reasons, visits

UNKNOWN_NEED = all_no("complex_need", "unable_self_manage")


def test_nothing_stated_asks_for_a_population_and_for_facts() -> None:
    said = ask("HPSM")
    assert reasons(said) == {"facts-missing", "population-missing"}
    asked = missing(said)
    assert len(asked) == len(set(asked))
    assert {"homeless", "complex_need", "utilization", "smhs", "snf_loc"} <= set(asked)
    assert not {"foster_current", "ccs_wcm", "ji_facility", "age", "county"} & set(asked)
    child = set(missing(ask("HPSM", birth=CHILD)))
    assert {"foster_current", "ccs_wcm", "ji_facility"} <= child
    assert not {"complex_need", "snf_loc", "nf_resident", "ji_conditions"} & child


def test_claimed_populations_come_first() -> None:
    assert missing(ask("HPSM", claimed=("POF6",)))[0] == "nf_resident"
    assert missing(ask("HPSM", claimed=("POF2",)))[0] == "utilization"
    assert "population-missing" not in reasons(ask("HPSM", claimed=("POF6",)))


@pytest.mark.parametrize(
    ("stated", "asked"),
    [
        (
            {**UNKNOWN_NEED, "homeless": True, "coordination_benefit": True},
            ["complex_need", "unable_self_manage"],
        ),
        (
            {**UNKNOWN_NEED, "homeless": True, "coordination_benefit": True, "complex_need": True},
            ["unable_self_manage"],
        ),
        ({**all_no("pregnant"), "racial_ethnic_disparity": True}, ["pregnant"]),
        (
            {**all_no("postpartum_12m", "pregnant"), "racial_ethnic_disparity": True},
            ["pregnant", "postpartum_12m"],
        ),
        (
            {**all_no("ji_conditions"), "ji_status": "released", "release_date": "2024-01-01"},
            ["ji_conditions"],
        ),
        (
            {**all_no("ji_conditions"), "ji_status": "released", "ji_conditions": ["sud"]},
            ["release_date"],
        ),
        (
            {**all_no("smhs", "high_risk_suicide"), "complex_social_factors": ["food"]},
            ["smhs", "high_risk_suicide"],
        ),
    ],
)
def test_only_what_could_change_the_answer_is_asked(
    stated: dict[str, object], asked: list[str]
) -> None:
    said = ask("HPSM", birth=ADULT, complete=True, **stated)
    assert (said.outcome, missing(said)) == ("pending", asked)


def test_a_settled_part_makes_the_rest_idle() -> None:
    said = ask("HPSM", complete=True, **UNKNOWN_NEED)
    assert said.outcome == "denied"  # not homeless: the need changes nothing
    assert missing(said) == []
    # in a family, homelessness alone is enough: the complex need no longer matters
    stated = {**all_no("homeless", "complex_need"), "household_has_member_under_21": True}
    stated |= {"unable_self_manage": True, "coordination_benefit": True}
    assert missing(ask("HPSM", complete=True, **stated)) == ["homeless"]


def test_an_undecided_count_asks_for_the_list_of_visits() -> None:
    two = visits("2024-01-01", "2024-02-01")
    assert missing(ask("HPSM", events=two, **all_no())) == ["utilization"]
    assert ask("HPSM", events=two, complete=True, **all_no()).outcome == "denied"
    unclear = visits(*["2024-01-01"] * 5, avoidable=None)
    assert missing(ask("HPSM", events=unclear, complete=True, **all_no())) == ["utilization"]


def test_an_unknown_age_is_asked_for() -> None:
    stated = {**all_no(), "foster_current": True}
    assert missing(ask("HPSM", birth=None, complete=True, **stated)) == ["age"]
    assert ask("HPSM", birth="2010", complete=True, **stated).outcome == "approved"


def test_a_person_who_will_decide_anyway_needs_no_further_list() -> None:
    said = ask("HPSJ", complete=True, **all_no("idd", "pregnant"), pregnant=True)
    assert reasons(said) == {"review-required"}
    open_need = {**UNKNOWN_NEED, "homeless": True, "coordination_benefit": True, "pregnant": True}
    open_need.pop("idd")
    said = ask("HPSJ", complete=True, **open_need)
    assert reasons(said) == {"facts-missing", "population-missing", "review-required"}
    assert said.populations == ("HPSJ_PREG",)
    assert missing(said) == ["complex_need", "unable_self_manage"]


def test_what_is_asked_comes_with_the_words_a_referrer_reads() -> None:
    [asked] = ask("HPSJ", "MTM").missing
    assert asked.question == (
        "Which chronic or serious conditions that depend on nutrition does the member have? "
        "Choices: Diabetes; Cardiovascular disease; Heart failure; Kidney disease; Stroke; Chronic "
        "lung disease; HIV or AIDS; Cancer; Malnutrition; High-risk pregnancy or birth; Chronic "
        "mental health condition; Another condition; None of these."
    )
