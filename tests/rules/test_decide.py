"""What follows from the rules' answer: it takes effect, a person looks, or somebody is asked."""

from datetime import date

import pytest

from app.journey.decision.decide import decide
from app.model.lifecycle import Event
from app.policy.model import Determination, DeterminationOutcome, Missing, Reason
from tests.rules.plan_data import switches

BY_HAND = switches(approve="review", deny_administrative="review", deny_criteria="review")
BY_ITSELF = switches(
    approve="automatic", deny_administrative="automatic", deny_criteria="automatic"
)

CASES = [
    ("approved", ["population-met"], switches(), Event.APPROVE),
    ("approved", ["service-criteria-met"], BY_HAND, Event.REVIEW),
    ("denied", ["line-of-business"], switches(), Event.DENY),
    ("denied", ["line-of-business"], BY_HAND, Event.REVIEW),
    ("denied", ["delegated-plan", "not-a-member"], switches(), Event.DENY),
    ("denied", ["no-population"], switches(), Event.REVIEW),
    ("denied", ["no-population"], BY_ITSELF, Event.DENY),
    ("denied", ["limit-reached"], switches(), Event.REVIEW),
    ("pending", ["facts-missing"], switches(), Event.REQUEST_INFORMATION),
    ("pending", ["facts-missing", "population-missing"], BY_ITSELF, Event.REQUEST_INFORMATION),
    ("pending", ["member-unidentified"], switches(), Event.REQUEST_INFORMATION),
    ("pending", ["review-required"], BY_ITSELF, Event.REVIEW),
    ("pending", ["partial-availability"], switches(), Event.REVIEW),
    ("pending", ["already-authorized"], switches(), Event.REVIEW),
    ("pending", ["already-authorized", "facts-missing"], switches(), Event.REVIEW),
]
ASKED = Missing("homeless", "Is the member homeless?")
ADMINISTRATIVE = {"line-of-business", "delegated-plan", "not-a-member"}


@pytest.mark.parametrize(("outcome", "reasons", "automation", "event"), CASES)
def test_a_move_follows(outcome, reasons, automation, event):
    said = Determination(
        outcome=DeterminationOutcome(outcome),
        reasons=tuple(map(Reason, reasons)),
        populations=(),
        missing=(ASKED,) if "facts-missing" in reasons else (),
        criteria=(),
        administrative=bool(ADMINISTRATIVE & set(reasons)),
        policy="HPSM/2022-01-01",
        as_of=date(2026, 11, 20),
    )
    assert decide(said, automation) is event


def test_a_person_looks_where_no_question_is_left_that_can_concern_the_member():
    said = Determination(
        outcome=DeterminationOutcome.PENDING,
        reasons=(Reason("facts-missing"),),
        populations=(),
        missing=(),
        criteria=(),
        policy="HPSJ/2026-01-01",
        as_of=date(2026, 11, 20),
    )
    assert decide(said, switches()) is Event.REVIEW
