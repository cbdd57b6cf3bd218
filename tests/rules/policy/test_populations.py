"""Who is in which population of focus, plan by plan: each threshold from both sides."""

from typing import Any

import pytest

from app.policy.model import CareEvent, DeterminationOutcome
from tests.rules.policy.asking import ADULT, CHILD, all_no, ask, event, reasons, stays, visits

FIVE = visits("2023-10-05", "2023-11-08", "2023-12-12", "2024-01-16", "2024-02-20")
MET = {"homeless": True, "complex_need": True}
FULL = {**MET, "unable_self_manage": True, "coordination_benefit": True}
SUD = {"smhs": True, "complex_social_factors": ["food"]}
LTC = {"lives_in_community": True, "can_reside_community": True}
MOVE = {"nf_resident": True, "wants_to_move_out": True, "likely_success": True}
OUT = {"ji_status": "released", "release_date": "2023-12-05"}
ED = event("ed-visit", "2023-06-01", avoidable=False, reason="substance-use")
STAY = event("inpatient", "2023-12-01", avoidable=False, reason="substance-use")


def populations(plan: str, *, events: list[CareEvent] | None = None, **stated: Any) -> set[str]:
    """The populations met when everything else is stated as no."""
    named = {"birth", "on", "county"}
    said = ask(
        plan,
        events=events or [],
        complete=True,
        **{**all_no(*stated), **{k: v for k, v in stated.items() if k not in named}},
        **{k: v for k, v in stated.items() if k in named},
    )
    assert "facts-missing" not in reasons(said)
    return set(said.populations)


@pytest.mark.parametrize(
    ("plan", "stated", "events", "met"),
    [
        ("HPSM", FULL, [], {"POF1A"}),
        ("HPSM", {**FULL, "unable_self_manage": False}, [], set()),
        ("HPSM", {**FULL, "birth": CHILD}, [], {"POF1B"}),
        ("HPSM", {"housing_insecure": True, "household_has_member_under_21": True}, [], {"POF1B"}),
        ("HPSM", {"housing_insecure": True}, [], set()),
        ("HPSM", {}, FIVE, {"POF2"}),
        ("HPSM", {}, FIVE[:4], set()),
        ("HPSM", {}, [*FIVE[:4], *visits("2024-03-05")], set()),
        # a stay after the as-of date is ignored: the visit of the day before stays a visit
        ("HPSM", {}, [*FIVE[:4], *visits("2024-03-04"), *stays("2024-03-05")], {"POF2"}),
        ("HPSM", {}, [*FIVE[:4], *visits("2024-03-03"), *stays("2024-03-04")], set()),
        ("HPSM", {}, stays("2023-09-04", "2023-10-01", "2024-01-01"), {"POF2"}),
        ("HPSM", {}, stays("2023-09-03", "2023-10-01", "2024-01-01"), set()),
        ("HPSM", {"birth": CHILD}, FIVE[:3], {"POF2"}),
        ("HPSM", {"birth": CHILD}, FIVE[:2], set()),
        ("HPSM", {"birth": CHILD}, stays("2023-03-04", "2023-04-01"), {"POF2"}),
        ("HPSM", {"birth": CHILD}, stays("2023-03-03", "2023-04-01"), set()),
        ("HPSM", {**SUD, "pregnant": True}, [], {"POF3"}),
        ("HPSM", {**SUD, "high_risk_overdose": True}, [], {"POF3"}),
        ("HPSM", {**SUD, "complex_social_factors": [], "pregnant": True}, [], set()),
        ("HPSM", SUD, [ED, STAY], {"POF3"}),
        ("HPSM", SUD, [ED], set()),
        ("HPSM", {"dmc": True, "birth": CHILD}, [], set()),
        ("HPSM", {"dmc_ods": True, "birth": CHILD}, [], {"POF3"}),
        ("HPSM", {**OUT, "ji_conditions": ["sud"]}, [], {"POF4"}),
        ("HPSM", {**OUT, "ji_conditions": []}, [], set()),
        ("HPSM", {"ji_status": "transitioning", "ji_conditions": ["tbi"]}, [], {"POF4"}),
        ("HPSM", {**OUT, "ji_facility": "youth", "birth": CHILD}, [], {"POF4"}),
        ("HPSM", {**OUT, "ji_facility": "jail", "birth": CHILD}, [], set()),
        (
            "HPSM",
            {**LTC, "ltc_imminent": True, "environmental_factors": ["living-alone"]},
            [],
            {"POF5"},
        ),
        ("HPSM", {**MOVE, "can_reside_community": True}, [], {"POF6"}),
        ("HPSM", {**MOVE, "can_reside_community": False}, [], set()),
        (
            "HPSM",
            {"ccs_wcm": True, "complex_social_factors": ["food"], "birth": CHILD},
            [],
            {"POF7"},
        ),
        ("HPSM", {"ccs": True, "complex_social_factors": ["food"], "birth": CHILD}, [], set()),
        ("HPSM", {"foster_past_12m": True, "birth": "2003-03-05"}, [], {"POF8"}),
        ("HPSM", {"foster_past_12m": True, "birth": "2003-03-04"}, [], set()),
        ("HPSM", {"foster_on_18th_birthday": True, "birth": "1998-03-05"}, [], {"POF8"}),
        ("HPSM", {"foster_on_18th_birthday": True, "birth": "1998-03-04"}, [], set()),
        ("HPSM", {"aap_eligible_or_in": True, "birth": "2006-03-05"}, [], {"POF8"}),
        ("HPSM", {"aap_eligible_or_in": True, "birth": "2006-03-04"}, [], set()),
        ("HPSM", {"fm_current_or_past_12m": True, "birth": "2006-03-05"}, [], {"POF8"}),
        ("HPSM", {"pregnant": True, "racial_ethnic_disparity": True}, [], {"POF9"}),
        ("HPSM", {"pregnant": True}, [], set()),
        ("GEN002", MET, [], {"POF1A"}),
        ("GEN002", {"doubled_up": True, "birth": CHILD}, [], set()),
        ("GEN002", {}, visits("2023-03-04", *["2023-08-01"] * 3, "2024-03-04"), {"POF2"}),
        ("GEN002", {}, stays("2023-10-01", "2023-11-01", "2024-01-01", avoidable=False), set()),
        ("GEN002", {}, stays("2023-04-01", "2023-11-01", "2024-01-01", avoidable=True), {"POF2"}),
        ("GEN002", {**OUT, "ji_conditions": ["hiv"]}, [], {"POF4"}),
        ("GEN002", {**LTC, "snf_loc": True, "environmental_factors": ["other"]}, [], set()),
        ("GEN002", {"aap_eligible_or_in": True, "birth": "2004-03-05"}, [], {"POF8"}),
        ("GEN002", {"postpartum_12m": True, "race": ["pacific-islander"]}, [], {"POF9"}),
        ("CCAH", SUD, [ED, STAY], set()),
        ("CCAH", SUD, [ED, ED], {"POF3"}),
        ("CCAH", {"dmc": True, "birth": CHILD}, [], {"POF3"}),
        ("CCAH", {**LTC, "snf_loc": True, "environmental_factors": ["other"]}, [], {"POF5"}),
        ("CCAH", {**LTC, "ltc_imminent": True, "environmental_factors": ["other"]}, [], set()),
        ("CCAH", {}, stays("2023-04-01", "2023-05-01", "2023-10-01", avoidable=True), {"POF2"}),
        ("CCAH", {"ccs": True, "complex_social_factors": ["food"], "birth": CHILD}, [], {"POF7"}),
        ("HPSJ", {"abandoned_in_hospital": True, "birth": CHILD}, [], {"POF1B"}),
        ("HPSJ", {**OUT, "ji_facility": "jail", "birth": CHILD}, [], {"POF4"}),
        (
            "HPSJ",
            {**OUT, "ji_facility": "jail", "foster_on_18th_birthday": True, "birth": "1998-03-05"},
            [],
            {"POF4", "POF8"},
        ),
    ],
)
def test_a_population_is_met_at_its_threshold(
    plan: str, stated: dict[str, Any], events: list[CareEvent], met: set[str]
) -> None:
    assert populations(plan, events=events, **stated) == met


def test_from_2026_pregnancy_and_transitional_rent_open_the_guides_homeless_population() -> None:
    pregnant = {"homeless": True, "pregnant": True}
    assert populations("CCAH", on="2025-12-31", **pregnant) == set()
    assert populations("CCAH", on="2026-01-01", **pregnant) == {"POF1A"}
    rent = {"transitional_rent_authorized": True}
    assert populations("CCAH", on="2025-12-31", **rent) == set()
    assert populations("CCAH", on="2026-01-01", **rent) == {"POF1A"}
    assert populations("HPSM", on="2026-01-01", **rent) == set()


def test_only_a_known_residence_excludes_from_the_guides_long_term_care_population() -> None:
    risk = {**LTC, "snf_loc": True, "complex_social_factors": ["food"]}
    assert populations("CCAH", **risk) == {"POF5"}
    assert populations("CCAH", **risk, residence="icf") == set()
    assert populations("CCAH", **risk, at_risk_of_icf_or_subacute=True) == set()
    assert ask("CCAH", **risk).populations == ("POF5",)


@pytest.mark.parametrize(
    ("plan", "county", "on", "live"),
    [
        ("HPSM", "san_mateo", "2023-12-31", False),
        ("HPSM", "san_mateo", "2024-01-01", True),
        ("HPSJ", "san_joaquin", "2022-01-01", True),
        ("HPSJ", "stanislaus", "2023-12-31", False),
        ("HPSJ", "stanislaus", "2024-01-01", True),
        ("CCAH", "merced", "2023-12-31", False),
        ("CCAH", "merced", "2025-01-01", True),
        ("GEN002", None, "2015-01-01", True),
    ],
)
def test_release_from_a_facility_counts_from_the_live_date(
    plan: str, county: str | None, on: str, live: bool
) -> None:
    stated = {**all_no(), "ji_status": "released", "release_date": on, "ji_conditions": ["sud"]}
    said = ask(plan, on=on, county=county, complete=True, **stated)
    assert said.outcome == ("approved" if live else "denied")
    assert reasons(said) == ({"population-met"} if live else {"no-population", "not-yet-live"})


@pytest.mark.parametrize(
    ("plan", "county", "birth", "on", "outcome"),
    [
        ("HPSJ", "san_joaquin", ADULT, "2022-01-01", "approved"),
        ("HPSJ", "stanislaus", ADULT, "2022-06-30", "denied"),
        ("HPSJ", "stanislaus", ADULT, "2022-07-01", "approved"),
        ("HPSJ", "san_joaquin", CHILD, "2023-06-30", "denied"),
        ("HPSJ", "san_joaquin", CHILD, "2023-07-01", "approved"),
        ("HPSM", "san_mateo", ADULT, "2023-06-30", "denied"),
        ("HPSM", "san_mateo", ADULT, "2023-07-01", "approved"),
        ("CCAH", "monterey", ADULT, "2023-06-30", "denied"),
        ("CCAH", "monterey", CHILD, "2023-07-01", "approved"),
    ],
)
def test_homeless_families_are_live_by_age_and_county(
    plan: str, county: str, birth: str, on: str, outcome: str
) -> None:
    stated = {**all_no(), "homeless": True, "household_has_member_under_21": True}
    said = ask(plan, on=on, county=county, birth=birth, complete=True, **stated)
    assert said.outcome == outcome


def test_in_2024_a_person_decides_the_alliances_released_members() -> None:
    stated = {**all_no(), **OUT, "ji_conditions": ["sud"]}
    said = ask("CCAH", on="2024-02-05", complete=True, **stated)
    assert (said.outcome, said.populations) == (DeterminationOutcome.PENDING, ("POF4",))
    assert reasons(said) == {"review-required"}
    said = ask("CCAH", on="2024-02-05", complete=True, **stated)
    assert said.outcome == "pending"


def test_what_only_hpsj_lists_is_neither_approved_nor_denied_by_the_rules() -> None:
    no = all_no("idd")
    assert ask("HPSJ", complete=True, **no, idd=True).populations == ("HPSJ_IDD",)
    assert ask("HPSJ", complete=True, **no, idd=False).outcome == "denied"
    unknown = ask("HPSJ", complete=True, **no)
    assert (unknown.outcome, [m.fact for m in unknown.missing]) == ("pending", ["idd"])
    beside = ask("HPSJ", complete=True, **{**no, **FULL}, idd=True)
    assert (beside.outcome, beside.populations) == ("approved", ("POF1A",))
