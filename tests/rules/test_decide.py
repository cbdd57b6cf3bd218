"""What follows from the rules' answer: it takes effect, a person looks, or somebody is asked."""

from datetime import date

import pytest

from app.decision.decide import APPROVE, ASK, DENY, REVIEW, decide
from app.policy.model import Determination, Outcome, Reason
from tests.rules.plan_data import switches

BY_HAND = switches(approve="review", deny_administrative="review", deny_criteria="review")
BY_ITSELF = switches(
    approve="automatic", deny_administrative="automatic", deny_criteria="automatic"
)

CASES = [
    ("approved", ["population-met"], switches(), APPROVE),
    ("approved", ["service-criteria-met"], BY_HAND, REVIEW),
    ("denied", ["line-of-business"], switches(), DENY),
    ("denied", ["line-of-business"], BY_HAND, REVIEW),
    ("denied", ["delegated-plan", "not-a-member"], switches(), DENY),
    ("denied", ["no-population"], switches(), REVIEW),
    ("denied", ["no-population"], BY_ITSELF, DENY),
    ("denied", ["limit-reached"], switches(), REVIEW),
    ("pending", ["facts-missing"], switches(), ASK),
    ("pending", ["facts-missing", "population-missing"], BY_ITSELF, ASK),
    ("pending", ["member-unidentified"], switches(), ASK),
    ("pending", ["review-required"], BY_ITSELF, REVIEW),
    ("pending", ["partial-availability"], switches(), REVIEW),
    ("pending", ["already-authorized"], switches(), REVIEW),
    ("pending", ["already-authorized", "facts-missing"], switches(), REVIEW),
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
