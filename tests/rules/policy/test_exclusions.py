"""What denies before any criterion is read, and what only a person may weigh (facts.md 6.3)."""

from typing import Any

import pytest

from tests.rules.policy.asking import ask, missing, reasons

ELIGIBLE = {
    "homeless": True,
    "complex_need": True,
    "unable_self_manage": True,
    "coordination_benefit": True,
}
NEVER = ["share-of-cost-ltc", "county-tcm", "ccs", "fsp", "ihss", "medicare-advantage", "wic"]
ALWAYS = ["pace", "hospice", "family-mosaic", "fide-snp", "complex-care-management", "cct"]


@pytest.mark.parametrize("plan", ["HPSM", "HPSJ", "CCAH"])
@pytest.mark.parametrize("program", [*ALWAYS, "share-of-cost", *NEVER])
def test_programs_exclude_from_ecm_at_the_three_plans(plan: str, program: str) -> None:
    said = ask(plan, **ELIGIBLE, programs_enrolled=[program])
    assert (reasons(said) == {"excluded-program"}) is (program not in NEVER)
    assert ask("GEN002", **ELIGIBLE, programs_enrolled=[program]).outcome == "approved"


@pytest.mark.parametrize(
    ("program", "on", "excluded"),
    [
        ("eae-dsnp", "2022-12-31", False),
        ("eae-dsnp", "2023-01-01", True),
        ("non-eae-dsnp", "2023-12-31", False),
        ("non-eae-dsnp", "2024-01-01", True),
        ("eae-dsnp", "2026-02-01", True),
    ],
)
def test_special_needs_plans_exclude_from_their_date(program: str, on: str, excluded: bool) -> None:
    said = ask("HPSM", on=on, **ELIGIBLE, programs_enrolled=[program])
    assert (said.outcome == "denied") is excluded


@pytest.mark.parametrize(
    ("plan", "service", "stated", "denied"),
    [
        ("HPSM", "ECM", {"line_of_business": "CAREADVANTAGE"}, {"line-of-business"}),
        ("CCAH", "ECM", {"line_of_business": "CAREADVANTAGE"}, set()),
        ("HPSM", "ECM", {"waiver_1915c_enrolled": True}, {"excluded-1915c"}),
        ("CCAH", "ECM", {"waiver_1915c_enrolled": True}, {"excluded-1915c"}),
        ("GEN002", "ECM", {"waiver_1915c_enrolled": True}, set()),
        ("HPSM", "ECM", {"waiver_1915c_waitlisted": True}, set()),
        ("GEN002", "ECM", {"coverage_active": False}, {"not-a-member"}),
        ("HPSM", "ECM", {"coverage_active": True}, set()),
        ("HPSJ", "ECM", {"delegated_to": "KAISER"}, set()),
        ("HPSJ", "DH", {"delegated_to": "KAISER"}, {"delegated-plan"}),
        ("HPSM", "MTM", {"delegated_to": "KAISER"}, set()),
        ("HPSJ", "TR", {"delegated_to": "KAISER"}, {"not-offered"}),
        ("GEN002", "HTNS", {}, {"not-offered"}),
        ("HPSM", "DH", {}, {"not-offered"}),
        ("CCAH", "DH", {}, {"not-offered"}),
        ("CCAH", "AR", {}, {"not-yet-live"}),
        (
            "HPSM",
            "ECM",
            {"coverage_active": False, "line_of_business": "CAREADVANTAGE"},
            {"not-a-member", "line-of-business"},
        ),
    ],
)
def test_all_exclusions_that_are_true_are_named_together(
    plan: str, service: str, stated: dict[str, Any], denied: set[str]
) -> None:
    said = ask(plan, service, **ELIGIBLE, **stated)
    assert said.administrative is bool(denied)
    if denied:
        assert (said.outcome, reasons(said)) == ("denied", denied)
        assert said.populations == ()
    else:
        assert said.outcome != "denied"


@pytest.mark.parametrize(
    ("plan", "service", "county", "on", "reason"),
    [
        ("HPSM", "ECM", "san_mateo", "2021-12-31", "not-yet-live"),
        ("HPSM", "HTNS", "san_mateo", "2021-12-31", "not-yet-live"),
        ("HPSJ", "ECM", "stanislaus", "2022-06-30", "not-yet-live"),
        ("HPSJ", "NFTD", "san_joaquin", "2023-06-30", "not-yet-live"),
        ("CCAH", "RESP", "merced", "2022-12-31", "not-yet-live"),
        ("CCAH", "SC", "santa_cruz", "2026-01-01", "not-yet-live"),
        ("CCAH", "EAA", "merced", "2022-12-31", "not-yet-live"),
        ("HPSM", "ECM", "merced", "2024-03-04", "not-offered"),
        ("HPSM", "ECM", "Los Angeles", "2024-03-04", "not-offered"),
    ],
)
def test_what_is_not_offered_here_or_yet_is_denied(
    plan: str, service: str, county: str, on: str, reason: str
) -> None:
    said = ask(plan, service, on, county=county, **ELIGIBLE)
    assert (said.outcome, reasons(said)) == ("denied", {reason})


def test_a_county_is_read_however_it_is_written() -> None:
    for written in ("San Mateo", "san mateo county", "SAN_MATEO"):
        assert ask("HPSM", county=written, **ELIGIBLE).outcome == "approved"


def test_announced_without_a_date_says_so() -> None:
    [reason] = ask("CCAH", "SC", county="santa_cruz").reasons
    assert reason.text == "announced, no date"  # facts.md 6.3


def test_not_begun_yet_says_from_when() -> None:
    [reason] = ask("HPSJ", "NFTD", "2023-06-30", county="stanislaus").reasons
    assert reason.text == "It begins there on 2023-07-01."


@pytest.mark.parametrize(
    ("plan", "service", "county", "first"),
    [
        ("HPSJ", "HTNS", "stanislaus", "2022-07-01"),
        ("HPSM", "HD", "san_mateo", "2022-01-01"),
        ("CCAH", "RC", "merced", "2022-07-01"),
        ("CCAH", "ECM", "monterey", "2022-01-01"),
    ],
)
def test_before_an_offer_without_a_date_the_denial_says_that_the_page_gives_none(
    plan: str, service: str, county: str, first: str
) -> None:
    said = ask(plan, service, "2021-12-31", county=county, **ELIGIBLE)
    [text] = [r.text for r in said.reasons if r.code == "not-yet-live"]
    assert text == f"The page gives no date; it is counted from the county's start {first}."


def test_a_profile_without_dates_shows_none() -> None:
    said = ask("GEN002", "ECM", "2024-03-04", **ELIGIBLE)
    assert "2000-01-01" not in str(said)


def test_a_delegated_member_is_told_where_to_turn() -> None:
    [offered] = ask("HPSJ", "DH", delegated_to="KAISER", delegate_offers_service=True).reasons
    [other] = ask("HPSJ", "DH", delegated_to="KAISER").reasons
    assert "Evidence of Coverage" in (offered.text or "")
    assert "reassignment" in (other.text or "")
    assert "1.888.936.PLAN" in (other.text or "")


@pytest.mark.parametrize(
    "against", [{"line_of_business": "CAREADVANTAGE"}, {"waiver_1915c_enrolled": True}]
)
def test_members_moved_into_ecm_before_2022_go_to_a_person(against: dict[str, Any]) -> None:
    said = ask("HPSM", **ELIGIBLE, **against, grandfathered_ecm=True)
    assert (said.outcome, reasons(said)) == ("pending", {"review-required"})
    assert said.populations == ("POF1A",)
    assert said.notes
    nothing_known = ask("HPSM", **against, grandfathered_ecm=True)
    assert (reasons(nothing_known), missing(nothing_known)) == ({"review-required"}, [])
    other = ask("HPSM", **against, grandfathered_ecm=True, programs_enrolled=["pace"])
    assert (other.outcome, reasons(other)) == ("denied", {"excluded-program"})
    assert ask("HPSM", **ELIGIBLE, grandfathered_ecm=True).outcome == "approved"


def test_an_unknown_county_is_asked_for_only_where_the_answer_depends_on_it() -> None:
    assert ask("HPSM", county=None, **ELIGIBLE).outcome == "approved"
    assert ask("HPSJ", county=None, **ELIGIBLE).outcome == "approved"
    early = ask("HPSJ", on="2022-03-01", county=None, **ELIGIBLE)
    assert (early.outcome, reasons(early)) == ("pending", {"facts-missing"})
    assert missing(early)[0] == "county"
    assert "county" in missing(ask("CCAH", "SC", county=None))
    assert ask("CCAH", "AR", county=None).outcome == "denied"
