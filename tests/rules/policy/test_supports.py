"""Community Supports: gate, criteria, limits, partial offers (facts.md 6.5, 7)."""

from typing import Any

import pytest

from tests.rules.policy.asking import all_no, ask, missing, reasons

GATE = {"engaged_with_care_manager": True, "willing_to_receive_cs": True}
MEALS = {"nutrition_sensitive_conditions": ["diabetes"]}
ECM_YES = {
    "homeless": True,
    "complex_need": True,
    "unable_self_manage": True,
    "coordination_benefit": True,
}
WHO = {"needs_adl_or_iadl_help": True}
ASTHMA = {
    "asthma": True,
    "owner_consents": True,
    "asthma_ed_visits_12m": 0,
    "asthma_hospitalizations_12m": 0,
    "asthma_urgent_visits_12m": 0,
    "asthma_control_test_score": 25,
    "asthma_provider_recommendation": False,
}
ALF = {"willing_to_live_in_alf": True, "able_to_live_in_alf": True}
HOME = {
    "snf_loc": True,
    "chooses_home": True,
    "wants_to_move_out": True,
    "able_to_live_at_home": True,
}
RELIEF = {"caregiver_relief_needed": True}
CARED = {**RELIEF, "lives_in_community": True, "adl_compromised": True, "caregiver_dependent": True}


@pytest.mark.parametrize(
    ("service", "stated", "outcome"),
    [
        ("HTNS", {"ces_prioritized": True}, "approved"),
        ("HTNS", {"homeless": True, "serious_health_condition": True}, "approved"),
        ("HTNS", {"homeless": True, "current_authorizations": ["ECM"]}, "approved"),
        ("HTNS", {"homeless": False, "ces_prioritized": False}, "denied"),
        ("HD", {"receiving_htns": True, "moving_into_permanent_housing": True}, "approved"),
        ("HD", {"receiving_htns": True, "moving_into_permanent_housing": False}, "denied"),
        ("HTSS", {"housing_secured": True, "received_htns": True}, "approved"),
        ("HTSS", {"housing_secured": False, "received_htns": True}, "denied"),
        (
            "STPHH",
            {"homeless": True, "high_medical_or_bh_needs": True, "exiting_facility": ["hospital"]},
            "approved",
        ),
        (
            "STPHH",
            {"homeless": True, "high_medical_or_bh_needs": True, "exiting_facility": []},
            "denied",
        ),
        ("RC", {"hospital_care_no_longer_needed": True, "recovery_needed": True}, "approved"),
        ("RC", {"hospital_care_no_longer_needed": False}, "denied"),
        ("MTM", MEALS, "approved"),
        ("MTM", {"nutrition_sensitive_conditions": []}, "denied"),
        (
            "SC",
            {"publicly_intoxicated": True, "would_otherwise_go_to_ed_or_jail": True},
            "approved",
        ),
        ("SC", {"publicly_intoxicated": True, "would_otherwise_go_to_ed_or_jail": False}, "denied"),
        ("AR", {**ASTHMA, "asthma_ed_visits_12m": 1}, "approved"),
        ("AR", {**ASTHMA, "asthma_urgent_visits_12m": 2}, "approved"),
        ("AR", {**ASTHMA, "asthma_urgent_visits_12m": 1}, "denied"),
        ("AR", {**ASTHMA, "asthma_control_test_score": 19}, "approved"),
        ("AR", {**ASTHMA, "asthma_control_test_score": 20}, "denied"),
        ("AR", {**ASTHMA, "asthma_ed_visits_12m": 1, "owner_consents": False}, "denied"),
        ("EAA", {"at_risk_institutionalization": True, "home_adaptation_needed": True}, "approved"),
        ("EAA", {"at_risk_institutionalization": False}, "denied"),
        ("DH", {"needs_skills_training": True, "idd": True}, "approved"),
        ("DH", {"needs_skills_training": False, "idd": True}, "denied"),
        ("PCHS", {**WHO, "ihss_approved": True}, "approved"),
        ("PCHS", {**WHO, "ihss_status": "none"}, "pending"),
        ("RESP", CARED, "approved"),
        ("RESP", {**RELIEF, "respite_child_group": True}, "approved"),
        ("RESP", {**CARED, "caregiver_dependent": False, "respite_child_group": False}, "denied"),
        ("NFTD", {**ALF, "nf_days": 60}, "approved"),
        ("NFTD", {**ALF, "nf_days": 59, "wants_to_remain_in_community": False}, "denied"),
        ("NFTD", {**ALF, "wants_to_remain_in_community": True, "ltc_imminent": True}, "approved"),
        ("CTS", {**HOME, "nf_days": 40, "rc_days": 20}, "approved"),
        ("CTS", {**HOME, "nf_days": 60}, "approved"),
        ("CTS", {**HOME, "nf_days": 59}, "pending"),
        ("CTS", {**HOME, "nf_days": 40, "rc_days": 19}, "denied"),
    ],
)
def test_the_criteria_of_a_support(service: str, stated: dict[str, Any], outcome: str) -> None:
    assert ask("HPSJ", service, **stated).outcome == outcome


def test_navigation_changes_when_transitional_rent_begins() -> None:
    in_ecm = {
        "homeless": True,
        "current_authorizations": ["ECM"],
        "serious_health_condition": False,
    }
    in_ecm |= {"ces_prioritized": False, "transitional_rent_eligible": False}
    assert ask("HPSJ", "HTNS", "2025-06-30", **in_ecm).outcome == "approved"
    assert ask("HPSJ", "HTNS", "2025-07-01", **in_ecm).outcome == "denied"
    rent = {"transitional_rent_eligible": True}
    assert ask("HPSJ", "HTNS", "2025-07-01", **rent).outcome == "approved"
    assert ask("HPSJ", "HTNS", "2025-06-30", **rent).outcome == "pending"


def test_from_2026_asthma_remediation_needs_an_assessment_at_home() -> None:
    stated = {**ASTHMA, "asthma_ed_visits_12m": 1}
    assert ask("HPSJ", "AR", "2025-12-31", **stated).outcome == "approved"
    assert missing(ask("HPSJ", "AR", "2026-01-01", **stated)) == ["asthma_home_assessment_12m"]


def test_the_alliances_recuperative_care_asks_for_one_thing_more() -> None:
    stated = {"hospital_care_no_longer_needed": True, "recovery_needed": True}
    assert ask("HPSJ", "RC", **stated).outcome == "approved"
    assert missing(ask("CCAH", "RC", **stated, social_information="x")) == [
        "unstable_living_environment"
    ]
    assert ask("CCAH", "RC", **stated, homeless=True).outcome == "approved"


@pytest.mark.parametrize(
    ("stated", "outcome", "reason"),
    [
        (GATE, "approved", "service-criteria-met"),
        (
            {"willing_to_receive_cs": False, "engaged_with_care_manager": True},
            "denied",
            "plan-gate-not-met",
        ),
        ({"engaged_with_care_manager": False, **ECM_YES}, "approved", "service-criteria-met"),
        (
            {"engaged_with_care_manager": False, **ECM_YES, "willing_to_receive_cs": False},
            "denied",
            "plan-gate-not-met",
        ),
        ({"engaged_with_care_manager": False}, "pending", "facts-missing"),
        ({}, "pending", "facts-missing"),
        (
            {**GATE, "line_of_business": "CAREADVANTAGE"},
            "approved",
            "service-criteria-met",
        ),
        (
            {"engaged_with_care_manager": False, "line_of_business": "CAREADVANTAGE"},
            "denied",
            "plan-gate-not-met",
        ),
    ],
)
def test_hpsm_asks_for_a_care_manager_or_ecm(
    stated: dict[str, Any], outcome: str, reason: str
) -> None:
    said = ask("HPSM", "MTM", **MEALS, **stated)
    assert (said.outcome, reasons(said)) == (outcome, {reason})


def test_the_gate_waits_for_a_person_where_ecm_does() -> None:
    moved = {"line_of_business": "CAREADVANTAGE", "grandfathered_ecm": True}
    not_engaged = {"engaged_with_care_manager": False, "willing_to_receive_cs": True}
    said = ask("HPSM", "MTM", **MEALS, **moved, **not_engaged)
    assert (said.outcome, reasons(said)) == ("pending", {"review-required"})
    asked = ask("HPSM", "MTM", **MEALS, **moved)
    assert reasons(asked) == {"facts-missing"}
    assert missing(asked) == ["engaged_with_care_manager", "willing_to_receive_cs"]


def test_the_gate_asks_for_what_ecm_still_needs() -> None:
    no = all_no("homeless", "complex_need")
    stated = {**no, "unable_self_manage": True, "coordination_benefit": True}
    said = ask("HPSM", "MTM", **MEALS, **stated, complete=True, engaged_with_care_manager=False)
    assert missing(said) == ["homeless", "complex_need"]


def test_gate_criteria_and_limit_are_all_named() -> None:
    said = ask(
        "HPSM",
        "MTM",
        nutrition_sensitive_conditions=[],
        willing_to_receive_cs=False,
        cs_used_mtm_weeks=24,
    )
    expected = {"plan-gate-not-met", "service-criteria-not-met", "limit-reached"}
    assert (said.outcome, reasons(said)) == ("denied", expected)
    assert not said.administrative


@pytest.mark.parametrize(
    ("service", "met", "stated", "outcome"),
    [
        ("MTM", MEALS, {"cs_used_mtm_weeks": 12, "requested_weeks": 12}, "approved"),
        ("MTM", MEALS, {"cs_used_mtm_weeks": 12, "requested_weeks": 13}, "denied"),
        ("MTM", MEALS, {"cs_used_mtm_weeks": 23}, "approved"),
        ("MTM", MEALS, {"cs_used_mtm_weeks": 24}, "denied"),
        ("MTM", MEALS, {"requested_weeks": 100}, "approved"),
        ("RESP", CARED, {"cs_used_resp_hours_year": 326, "requested_hours": 10}, "approved"),
        ("RESP", CARED, {"cs_used_resp_hours_year": 327, "requested_hours": 10}, "pending"),
        (
            "RESP",
            CARED,
            {"cs_used_resp_hours_year": 336, "caregiver_support_changed": True},
            "approved",
        ),
        (
            "RESP",
            CARED,
            {"cs_used_resp_hours_year": 336, "caregiver_support_changed": False},
            "denied",
        ),
    ],
)
def test_a_limit_is_reached_beyond_its_number(
    service: str, met: dict[str, Any], stated: dict[str, Any], outcome: str
) -> None:
    assert ask("HPSJ", service, **met, **stated).outcome == outcome


@pytest.mark.parametrize(
    ("times", "documented", "outcome"),
    [
        (0, False, "approved"),
        (1, True, "approved"),
        (1, False, "denied"),
        (1, None, "pending"),
        (2, True, "denied"),
        (2, None, "denied"),
        (None, None, "approved"),
    ],
)
def test_housing_deposits_are_paid_once_and_once_more_with_a_documented_change(
    times: int | None, documented: bool | None, outcome: str
) -> None:
    stated = {"cs_used_hd_times": times, "hd_change_documented": documented}
    known = {name: value for name, value in stated.items() if value is not None}
    housing = {"receiving_htns": True, "moving_into_permanent_housing": True}
    said = ask("HPSJ", "HD", **housing, **known)
    assert said.outcome == outcome
    if outcome == "pending":
        assert missing(said) == ["hd_change_documented"]


@pytest.mark.parametrize(
    ("service", "used", "requested", "most"),
    [
        ("AR", "cs_used_ar_usd", "requested_usd", 7500),
        ("CTS", "cs_used_cts_usd", "requested_usd", 7500),
        ("RC", "cs_used_rc_days", "requested_days", 90),
        ("STPHH", "cs_used_stphh_days", "requested_days", 183),
        ("STPHH", "cs_used_room_days_12m", "requested_days", 183),
        ("RC", "cs_used_room_days_12m", "requested_days", 183),
    ],
)
def test_a_limit_without_exception_denies_just_beyond_it(
    service: str, used: str, requested: str, most: int
) -> None:
    on = "2025-07-01"
    within = ask("HPSJ", service, on, **{used: most - 10, requested: 10})
    beyond = ask("HPSJ", service, on, **{used: most - 10, requested: 11})
    assert within.outcome == "pending"
    assert reasons(beyond) == {"limit-reached"}


def test_rooms_are_counted_together_only_from_july_2025() -> None:
    stated = {"cs_used_room_days_12m": 183, "hospital_care_no_longer_needed": True}
    assert ask("HPSJ", "RC", "2025-06-30", **stated, recovery_needed=True).outcome == "approved"
    assert ask("HPSJ", "RC", "2025-07-01", **stated, recovery_needed=True).outcome == "denied"


def test_a_partial_offer_waits_for_a_person_unless_the_criteria_fail() -> None:
    met = {"at_risk_institutionalization": True, "home_adaptation_needed": True}
    said = ask("CCAH", "EAA", **met)
    assert (said.outcome, reasons(said)) == ("pending", {"partial-availability"})
    unknown = ask("CCAH", "EAA")
    assert reasons(unknown) == {"partial-availability", "facts-missing"}
    failed = ask("CCAH", "EAA", at_risk_institutionalization=False)
    assert (failed.outcome, reasons(failed)) == ("denied", {"service-criteria-not-met"})


def test_the_alliance_asks_for_social_information_and_never_decides_by_it() -> None:
    for stated, outcome in (
        (MEALS, "approved"),
        ({"nutrition_sensitive_conditions": []}, "denied"),
    ):
        said = ask("CCAH", "MTM", **stated)
        assert (said.outcome, missing(said)) == (outcome, ["social_information"])
        told = ask("CCAH", "MTM", **stated, social_information="lives in a car")
        assert (told.outcome, missing(told)) == (outcome, [])
    assert "social_information" not in missing(ask("CCAH", "ECM"))
    assert "social_information" not in missing(ask("HPSJ", "MTM"))


def test_a_denial_on_other_plans_documents_names_its_source_as_secondary() -> None:
    [reason] = ask("HPSJ", "HD", receiving_htns=False).reasons
    assert "secondary" in (reason.text or "")
    [reason] = ask("HPSJ", "RC", recovery_needed=False).reasons
    assert reason.text is None
