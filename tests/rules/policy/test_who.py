"""Who the member is, which service is meant, and what is authorized already (facts.md 6.6, 6.7)."""

from datetime import date

import pytest

from app.policy.engine import evaluate
from app.policy.model import Determination, EligibilityQuestion, Facts
from tests.rules.policy.asking import LIBRARY, all_no, ask, missing, reasons

ELIGIBLE = {
    "homeless": True,
    "complex_need": True,
    "unable_self_manage": True,
    "coordination_benefit": True,
}


def test_nothing_is_decided_about_somebody_unidentified() -> None:
    for stated in (ELIGIBLE, all_no(), {"coverage_active": False}):
        said = ask("HPSM", identified=False, complete=True, **stated)
        assert (said.outcome, reasons(said)) == ("pending", {"member-unidentified"})
        assert said.populations == ()
        assert said.criteria  # the facts are still read and shown
    said = ask("HPSM", identified=False)
    assert reasons(said) == {"member-unidentified", "facts-missing", "population-missing"}
    assert "homeless" in missing(said)


@pytest.mark.parametrize("plan", [None, "", "ACME", "DHCS", "calendars", "hpsm"])
def test_without_a_plan_of_ours_the_member_is_unidentified(plan: str | None) -> None:
    said = ask(plan, **ELIGIBLE)
    assert (said.outcome, reasons(said), said.policy) == ("pending", {"member-unidentified"}, None)
    no_service = ask(plan, None)
    assert reasons(no_service) == {"member-unidentified", "facts-missing"}
    assert missing(no_service) == ["service"]


def test_without_a_service_the_service_is_asked_for() -> None:
    said = ask("HPSM", None, **ELIGIBLE)
    assert (said.outcome, reasons(said)) == ("pending", {"facts-missing"})
    assert missing(said) == ["service"]
    assert said.missing[0].question.startswith("Which service")


def test_a_second_authorization_goes_to_a_person_with_the_rules_answer_beside() -> None:
    said = ask("HPSM", authorized=True, **ELIGIBLE)
    assert (said.outcome, said.populations) == ("pending", ("POF1A",))
    assert reasons(said) == {"already-authorized", "population-met"}
    refused = ask("HPSM", authorized=True, complete=True, **all_no())
    assert (refused.outcome, reasons(refused)) == (
        "pending",
        {"already-authorized", "no-population"},
    )
    excluded = ask("HPSM", authorized=True, **ELIGIBLE, coverage_active=False)
    assert (excluded.outcome, reasons(excluded)) == ("denied", {"not-a-member"})


@pytest.mark.parametrize(
    ("on", "version"),
    [
        ("2020-01-01", "HPSM/2022-01-01"),
        ("2022-01-01", "HPSM/2022-01-01"),
        ("2023-12-31", "HPSM/2023-01-01"),
        ("2024-03-04", "HPSM/2024-01-01"),
        ("2025-07-01", "HPSM/2025-07-01"),
        ("2026-11-20", "HPSM/2026-01-01"),
        ("9999-12-31", "HPSM/2026-01-01"),
    ],
)
def test_the_policy_of_the_date_is_named(on: str, version: str) -> None:
    said = ask("HPSM", on=on)
    assert (said.policy, said.as_of) == (version, date.fromisoformat(on))


def test_conflicts_between_sources_are_passed_on() -> None:
    question = EligibilityQuestion(
        "HPSM", "ECM", date(2024, 3, 4), None, (), Facts(notes=("birth: two",))
    )
    said: Determination = evaluate(LIBRARY, question)
    assert said.notes == ("birth: two",)


def test_every_node_of_the_tree_names_its_source() -> None:
    for plan, service in (("HPSM", "ECM"), ("CCAH", "RESP"), ("HPSM", "HTNS"), ("GEN002", "ECM")):
        nodes = list(ask(plan, service, **ELIGIBLE).criteria)
        while nodes:
            node = nodes.pop()
            assert node.name
            assert node.citation
            nodes.extend(node.children)
