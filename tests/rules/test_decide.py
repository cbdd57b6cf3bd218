"""What follows from the rules' answer: it takes effect, a person looks, or somebody is asked."""

from datetime import date

import pytest

from app.decision.decide import Automation, decide
from app.policy.model import Determination, Outcome, Reason
from app.referral.lifecycle import Event

BY_HAND = Automation(approve=False, deny_administrative=False, deny_criteria=False)
BY_ITSELF = Automation(approve=True, deny_administrative=True, deny_criteria=True)

CASES = [
    ("approved", ["population-met"], Automation(), Event.APPROVE),
    ("approved", ["service-criteria-met"], BY_HAND, Event.REVIEW),
    ("denied", ["line-of-business"], Automation(), Event.DENY),
    ("denied", ["line-of-business"], BY_HAND, Event.REVIEW),
    ("denied", ["delegated-plan", "not-a-member"], Automation(), Event.DENY),
    ("denied", ["no-population"], Automation(), Event.REVIEW),
    ("denied", ["no-population"], BY_ITSELF, Event.DENY),
    ("denied", ["limit-reached"], Automation(), Event.REVIEW),
    ("pending", ["facts-missing"], Automation(), Event.REQUEST_INFORMATION),
    ("pending", ["facts-missing", "population-missing"], BY_ITSELF, Event.REQUEST_INFORMATION),
    ("pending", ["member-unidentified"], Automation(), Event.REQUEST_INFORMATION),
    ("pending", ["review-required"], BY_ITSELF, Event.REVIEW),
    ("pending", ["partial-availability"], Automation(), Event.REVIEW),
    ("pending", ["already-authorized"], Automation(), Event.REVIEW),
    ("pending", ["already-authorized", "facts-missing"], Automation(), Event.REVIEW),
]
ADMINISTRATIVE = {"line-of-business", "delegated-plan", "not-a-member"}


@pytest.mark.parametrize(("outcome", "reasons", "automation", "event"), CASES)
def test_a_move_follows(outcome, reasons, automation, event):
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
    assert decide(said, automation) is event
