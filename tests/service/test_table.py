"""The table of moves, complete: every situation, event and party has one answer; the page too."""

import itertools
from pathlib import Path

import pytest

from app.referral.lifecycle import (
    AFTER_APPROVAL,
    TRANSITIONS,
    BusinessStatus,
    Event,
    IllegalMove,
    State,
    is_legal,
    next_state,
)
from app.referral.tables import MOVES
from app.service.moves import (
    BY,
    ON_REFERRAL_TASK,
    ON_SERVICE_TASK,
    SITUATIONS,
    Party,
    Verdict,
    document,
    judge,
    meant,
)

P, R, S = Party.PERFORMER, Party.REQUESTER, Party.STAFF
B = BusinessStatus
BEFORE = {B.ASSIGNED, B.ALTERNATE}
NOBODY = {B.WAITLISTED, B.UNASSIGNED}
LIVE = BEFORE | NOBODY | {B.ACCEPTED, B.ON_HOLD, B.IN_SERVICE}

#: The whole table a second time, written from spec.md 2, 5, 6 and Gravity's diagram.
EXPECTED = {
    Event.RECEIVE: ({(None, None)}, {R}),
    Event.REVIEW: ("pending", {Party.RULES}),
    Event.REQUEST_INFORMATION: ("pending", {S, Party.RULES}),
    Event.ADD_INFORMATION: ("pending", {R, S}),
    Event.APPROVE: ("pending", {S, Party.RULES}),
    Event.DENY: ("pending", {S, Party.RULES}),
    Event.VOID: ("pending", {S, Party.CLOCK}),
    Event.CANCEL: ("pending", BEFORE | NOBODY | {B.ACCEPTED, B.ON_HOLD}, {R, S}),
    Event.ASSIGN: (LIVE, {S, Party.RULES, Party.CLOCK}),
    Event.ACCEPT: (BEFORE, {P}),
    Event.DECLINE: (BEFORE | {B.ACCEPTED}, {P}),
    Event.HOLD: ({B.ACCEPTED, B.IN_SERVICE}, {P}),
    Event.RESUME: ({B.ON_HOLD}, {P}),
    Event.START: ({B.ACCEPTED}, {P}),
    Event.COMPLETE: ({B.ACCEPTED, B.ON_HOLD, B.IN_SERVICE}, {P}),
    Event.FAIL: ({B.ACCEPTED, B.ON_HOLD, B.IN_SERVICE}, {P}),
    Event.ANNOTATE: ("pending", LIVE | {B.COMPLETED, B.UNFULFILLED}, {R, P, S}),
}


def expected(event):
    *wheres, by = EXPECTED[event]
    situations = set()
    for where in wheres:
        if where == "pending":
            situations |= {one for one in SITUATIONS if one[0] is State.PENDING}
        else:
            situations |= {
                one if isinstance(one, tuple) else (State.APPROVED, one) for one in where
            }
    return situations, by


@pytest.mark.parametrize("event", Event)
def test_every_situation_event_and_party_has_its_answer(event):
    situations, by = expected(event)
    for (state, status), party in itertools.product(SITUATIONS, Party):
        verdict = judge([party], state, status, event)
        if party not in by:
            assert verdict is Verdict.FORBIDDEN, (state, status, party)
        elif (state, status) in situations:
            assert verdict is Verdict.ALLOWED, (state, status, party)
        else:
            assert verdict is Verdict.CONFLICT, (state, status, party)
        assert judge([], state, status, event) is Verdict.NOT_FOUND


def test_every_state_and_business_status_is_a_situation():
    assert len(set(SITUATIONS)) == len(SITUATIONS)
    assert {state for state, _ in SITUATIONS} == {None, *State}
    assert {status for _, status in SITUATIONS} == {None, *BusinessStatus}


def test_every_event_has_its_parties_and_after_approval_its_statuses():
    assert set(BY) == set(Event) == {event for _, event in TRANSITIONS}
    assert set(AFTER_APPROVAL) == {event for state, event in TRANSITIONS if state is State.APPROVED}


@pytest.mark.parametrize(("state", "status"), SITUATIONS)
def test_a_refusal_names_what_is_possible(state, status):
    legal = sorted(event.value for event in Event if is_legal(state, event, status))
    for event in Event:
        if is_legal(state, event, status):
            assert next_state(state, event, status) is TRANSITIONS[state, event]
            continue
        with pytest.raises(IllegalMove) as refused:
            next_state(state, event, status)
        assert refused.value.allowed == legal


def test_a_caller_that_is_two_parties_may_do_what_either_may():
    assert judge([R, P], State.APPROVED, B.ASSIGNED, Event.ACCEPT) is Verdict.ALLOWED
    assert judge([R, P], State.APPROVED, B.ASSIGNED, Event.CANCEL) is Verdict.ALLOWED


@pytest.mark.parametrize(
    ("status", "now", "event"),
    [
        ("in-progress", B.ACCEPTED, Event.START),
        ("in-progress", B.ON_HOLD, Event.RESUME),
        ("in-progress", B.ASSIGNED, Event.START),
        ("accepted", B.ASSIGNED, Event.ACCEPT),
        ("rejected", B.ACCEPTED, Event.DECLINE),
        ("requested", B.ASSIGNED, None),
        ("cancelled", B.ASSIGNED, None),
    ],
)
def test_what_a_status_of_the_service_task_means(status, now, event):
    assert meant(ON_SERVICE_TASK, status, State.APPROVED, now) is event


def test_what_a_status_of_the_referrals_task_means():
    asked = {
        status: meant(ON_REFERRAL_TASK, status, State.PENDING, None) for status in ON_REFERRAL_TASK
    }
    assert asked == {
        "accepted": Event.APPROVE,
        "rejected": Event.DENY,
        "cancelled": Event.CANCEL,
        "entered-in-error": Event.CANCEL,
    }


def test_the_database_says_every_move_and_no_other():
    assert MOVES.count("event = ") == len(TRANSITIONS)
    for state, event in TRANSITIONS:
        came = f"from_state = '{state}'" if state else "from_state IS NULL"
        assert f"{came} AND event = '{event.value}'" in MOVES


def test_the_page_is_what_the_code_says():
    page = Path(__file__).parents[2] / "docs" / "moves.md"
    assert page.read_text("utf-8") == document(), "mend it with: python -m app moves"
