"""What follows from the rules' answer: it takes effect, a person looks, or somebody is asked."""

from datetime import date

import pytest

from app.decision.decide import APPROVE, ASK, DENY, REVIEW, Automation, decide
from app.policy.model import Determination, Outcome, Reason

BY_HAND = Automation(approve=False, deny_administrative=False, deny_criteria=False)
BY_ITSELF = Automation(approve=True, deny_administrative=True, deny_criteria=True)

CASES = [
    ("approved", ["population-met"], Automation(), APPROVE),
    ("approved", ["service-criteria-met"], BY_HAND, REVIEW),
    ("denied", ["line-of-business"], Automation(), DENY),
    ("denied", ["line-of-business"], BY_HAND, REVIEW),
    ("denied", ["delegated-plan", "not-a-member"], Automation(), DENY),
    ("denied", ["no-population"], Automation(), REVIEW),
    ("denied", ["no-population"], BY_ITSELF, DENY),
    ("denied", ["limit-reached"], Automation(), REVIEW),
    ("pending", ["facts-missing"], Automation(), ASK),
    ("pending", ["facts-missing", "population-missing"], BY_ITSELF, ASK),
    ("pending", ["member-unidentified"], Automation(), ASK),
    ("pending", ["review-required"], BY_ITSELF, REVIEW),
    ("pending", ["partial-availability"], Automation(), REVIEW),
    ("pending", ["already-authorized"], Automation(), REVIEW),
    ("pending", ["already-authorized", "facts-missing"], Automation(), REVIEW),
]
ADMINISTRATIVE = {"line-of-business", "delegated-plan", "not-a-member"}


@pytest.mark.parametrize(("outcome", "reasons", "automation", "decision"), CASES)
def test_a_decision_follows(outcome, reasons, automation, decision):
    said = Determination(
        outcome=Outcome(outcome),
        reasons=tuple(map(Reason, reasons)),
        populations=(),
        missing=(),
        criteria=(),
        administrative=bool(ADMINISTRATIVE & set(reasons)),
        policy="HPSM/2022-01-01",
        as_of=date(2026, 11, 20),
    )
    assert decide(said, automation) == decision
