"""The state machine: whatever happens in whatever order, only the listed moves are made."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.model.lifecycle import (
    NOT_BEGUN,
    TRANSITIONS,
    BusinessStatus,
    Event,
    IllegalMove,
    State,
    next_state,
)

#: spec.md 2, "Moves", as a table of its own: what the code must come to.
LEAVES = {
    State.PENDING: {State.PENDING, State.APPROVED, State.DENIED, State.VOID, State.CANCELLED},
    State.APPROVED: {State.APPROVED, State.CANCELLED},
    State.DENIED: set(),
    State.VOID: set(),
    State.CANCELLED: set(),
}
EVENTS = st.sampled_from(Event)
STATUSES = st.sampled_from([None, *BusinessStatus])


def test_every_move_of_the_table_is_one_of_the_contract():
    for (state, _), target in TRANSITIONS.items():
        assert state is None or target in LEAVES[state]
    assert {event for state, event in TRANSITIONS if state is None} == {Event.RECEIVE}


@given(st.lists(st.tuples(EVENTS, STATUSES), max_size=30))
def test_whatever_happens_a_referral_stays_within_the_table(happenings):
    state = None
    for event, status in [(Event.RECEIVE, None), *happenings]:
        before = state
        with suppress(IllegalMove):
            state = next_state(before, event, status)
        assert before in (None, state) or state in LEAVES[before]
    assert state is not None


@given(EVENTS, STATUSES)
def test_what_is_over_is_over(event, status):
    for state in (State.DENIED, State.VOID, State.CANCELLED):
        with pytest.raises(IllegalMove) as refused:
            next_state(state, event, status)
        assert refused.value.allowed == []


@given(STATUSES)
def test_an_approval_is_taken_back_only_before_the_service_begins(status):
    if status in NOT_BEGUN | {BusinessStatus.ON_HOLD}:
        assert next_state(State.APPROVED, Event.CANCEL, status) is State.CANCELLED
    else:
        with pytest.raises(IllegalMove):
            next_state(State.APPROVED, Event.CANCEL, status)


@given(EVENTS)
def test_nothing_happens_to_what_was_not_received(event):
    if event is not Event.RECEIVE:
        with pytest.raises(IllegalMove):
            next_state(None, event)


def test_a_refusal_names_what_is_possible():
    with pytest.raises(IllegalMove) as refused:
        next_state(State.APPROVED, Event.DENY, BusinessStatus.ASSIGNED)
    assert {"assign", "cancel"} <= set(refused.value.allowed)
    assert "approve" not in refused.value.allowed
