"""The timeline's second stage: what it says of every answer of the rules, and of a person's."""

from datetime import UTC, datetime
from itertools import product

import pytest

from app.fhir.r4 import codes
from app.views.timeline.gather import Found
from app.views.timeline.model import Mark
from app.views.timeline.stages import stages
from app.views.timeline.tell import entries
from tests.rules.policy.asking import LIBRARY

AT = datetime(2026, 11, 20, 18, tzinfo=UTC)
ADMINISTRATIVE = (
    "not-a-member", "not-offered", "not-yet-live", "line-of-business", "excluded-1915c",
    "excluded-program", "delegated-plan",
)  # fmt: skip
ABOUT_NEED = ("no-population", "service-criteria-not-met", "plan-gate-not-met", "limit-reached")
OPEN = (
    "facts-missing", "population-missing", "member-unidentified", "partial-availability",
    "already-authorized", "review-required",
)  # fmt: skip


def found(outcome, reason, state, moved=()):
    """A referral with one answer of the rules, in a state, after moves."""
    referral = {
        "state": state, "business_status": None, "performer": None, "received_at": AT,
        "decision_due": AT, "void_due": None,
    }  # fmt: skip
    answer = {
        "seq": 1, "outcome": outcome, "basis": "rules", "policy": None, "as_of": AT.date(),
        "at": AT, "reasons": [{"code": reason, "text": None}], "populations": [], "answer": None,
    }  # fmt: skip
    history = [{"from_state": "pending", "to_state": to, "at": AT} for to in moved]
    return Found(referral, history, [answer], (), (), (), None, staff=True, standing=None)


def stage(*given):
    return stages(found(*given))[1]


@pytest.mark.parametrize(
    ("outcome", "reason", "state", "moved", "mark", "text"),
    [
        ("approved", "population-met", "approved", ["approved"], "done", "The criteria are met"),
        ("denied", "not-yet-live", "denied", ["denied"], "no", "Not available on this date yet"),
        ("denied", "no-population", "pending", [], "no", "No population of focus is met"),
        (
            "denied", "no-population", "approved", ["approved"], "done",
            "No population of focus is met; a person made an exception",
        ),
        (
            "approved", "population-met", "denied", ["denied"], "no",
            "The criteria are met; a person decided otherwise",
        ),
        (
            "pending", "partial-availability", "approved", ["approved"], "done",
            "The criteria are met; offered in part only; a person approved it",
        ),
        ("pending", "facts-missing", "pending", [], "waiting", "Not known yet: facts are missing"),
        (
            "pending", "facts-missing", "approved", ["approved"], "done",
            "Facts were missing; a person approved it",
        ),
        (
            "pending", "facts-missing", "void", ["void"], "stopped",
            "Never fully known: the information did not come",
        ),
        (
            "pending", "facts-missing", "cancelled", ["cancelled"], "stopped",
            "Not decided: the referral was taken back",
        ),
        (
            "pending", "review-required", "cancelled", ["approved", "cancelled"], "done",
            "The rules leave this to a person; a person approved it",
        ),
        (
            "pending", "already-authorized", "denied", ["denied"], "no",
            "The service is authorized already; a person decided against it",
        ),
    ],
)  # fmt: skip
def test_the_stage_says_what_the_rules_found_and_what_a_person_did(
    outcome, reason, state, moved, mark, text
):
    told = stage(outcome, reason, state, moved)
    assert (told.mark, told.text) == (mark, text)


@pytest.mark.parametrize(
    ("reason", "state"),
    list(product(ADMINISTRATIVE, ("denied", "approved", "pending", "cancelled"))),
)
def test_an_administrative_denial_says_nothing_of_criteria(reason, state):
    moved = [] if state == "pending" else [state]
    assert "riteria" not in stage("denied", reason, state, moved).text
    (told,) = entries(found("denied", reason, state), LIBRARY)
    assert told.text == "The rules do not approve this."


@pytest.mark.parametrize("reason", ABOUT_NEED)
def test_a_denial_on_need_is_named_by_its_reason(reason):
    assert stage("denied", reason, "denied", ["denied"]).text == codes.REASONS[reason]


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        ("approved", "population-met"),
        *(("denied", reason) for reason in (*ADMINISTRATIVE, *ABOUT_NEED)),
        *(("pending", reason) for reason in OPEN),
    ],
)
def test_what_is_approved_was_known(outcome, reason):
    told = stage(outcome, reason, "approved", ["approved"])
    assert told.mark is Mark.DONE
    assert "ever" not in told.text
    assert " yet" not in told.text or outcome == "denied"
