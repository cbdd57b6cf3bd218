"""The table of moves, complete: every situation, event and party has one answer; the page too."""

import itertools
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from app.model.known import Assignment, Offer, Placement
from app.model.lifecycle import BusinessStatus, Event, IllegalMove, Party, State, next_state
from app.model.moves import (
    ON_REFERRAL_TASK,
    ON_SERVICE_TASK,
    SITUATIONS,
    Verdict,
    event_meant,
    judge,
    moves_document,
)
from app.model.record import Authorization, Details, Referral
from app.store.referral.draft import Act, Actor, Draft
from app.store.tables.referral import ONLY_MOVES, referral_history

P, R, S = Party.PERFORMER, Party.REQUESTER, Party.STAFF
B = BusinessStatus
BEFORE = {B.ASSIGNED, B.ALTERNATE}
NOBODY = {B.WAITLISTED, B.UNASSIGNED}
LIVE = BEFORE | NOBODY | {B.ACCEPTED, B.ON_HOLD, B.IN_SERVICE}
TAKEN_ON = {B.ACCEPTED, B.ON_HOLD, B.IN_SERVICE}
#: What a placement is announced as, by the business status that it comes to.
PLACED = {
    B.ASSIGNED: ["service.assigned"],
    B.ALTERNATE: ["service.assigned"],
    B.WAITLISTED: ["service.waitlisted"],
    B.UNASSIGNED: [],
}


@dataclass(frozen=True)
class Row:
    """What a move must be and do. Of what is not said here, nothing is changed or told."""

    by: set[Party]
    pending: bool = False
    approved: frozenset[BusinessStatus] | set[BusinessStatus] = frozenset()
    to: State | None = None
    then: frozenset[BusinessStatus | None] | set[BusinessStatus] | None = frozenset({None})
    message: str | None = None
    letters: str | None = None
    ends: tuple[str, ...] = ()

    @property
    def places(self) -> bool:
        return bool(self.then and self.then >= NOBODY)


#: The whole table a second time, written from spec.md 2, 5, 6, 8 and Gravity's diagram.
EXPECTED = {
    Event.RECEIVE: Row({R}, to=State.PENDING, message="referral.received"),
    Event.REVIEW: Row({Party.RULES}, True, then={B.IN_REVIEW}, ends=("void clock",)),
    Event.REQUEST_INFORMATION: Row(
        {S, Party.RULES},
        True,
        then={B.INFORMATION_NEEDED},
        message="referral.information_requested",
        letters="information-needed",
    ),
    Event.ADD_INFORMATION: Row(
        {R, S}, True, message="referral.information_received", ends=("void clock",)
    ),
    Event.APPROVE: Row(
        {S, Party.RULES},
        True,
        to=State.APPROVED,
        then=BEFORE | NOBODY,
        message="referral.approved",
        letters="approved",
        ends=("void clock",),
    ),
    Event.DENY: Row(
        {S, Party.RULES},
        True,
        to=State.DENIED,
        message="referral.denied",
        letters="denied",
        ends=("void clock",),
    ),
    Event.VOID: Row(
        {S, Party.CLOCK},
        True,
        to=State.VOID,
        message="referral.voided",
        letters="void",
        ends=("void clock",),
    ),
    Event.CANCEL: Row(
        {R, S},
        True,
        BEFORE | NOBODY | {B.ACCEPTED, B.ON_HOLD},
        State.CANCELLED,
        message="referral.cancelled",
        letters="cancelled",
        ends=("void clock", "place", "authorization"),
    ),
    Event.ASSIGN: Row(
        {S, Party.RULES, Party.CLOCK}, approved=LIVE, then=BEFORE | NOBODY, ends=("place",)
    ),
    Event.ACCEPT: Row({P}, approved=BEFORE, then={B.ACCEPTED}, message="service.accepted"),
    Event.DECLINE: Row(
        {P},
        approved=BEFORE | {B.ACCEPTED},
        then=NOBODY | {B.ALTERNATE},
        message="service.declined",
        ends=("place",),
    ),
    Event.HOLD: Row({P}, approved={B.ACCEPTED, B.IN_SERVICE}, then={B.ON_HOLD}),
    Event.RESUME: Row({P}, approved={B.ON_HOLD}, then={B.IN_SERVICE}, message="service.started"),
    Event.START: Row({P}, approved={B.ACCEPTED}, then={B.IN_SERVICE}, message="service.started"),
    Event.COMPLETE: Row(
        {P},
        approved=TAKEN_ON,
        then={B.COMPLETED},
        message="service.closed",
        ends=("place", "loop"),
    ),
    Event.FAIL: Row(
        {P},
        approved=TAKEN_ON,
        then={B.UNFULFILLED},
        message="service.closed",
        ends=("place", "loop", "authorization"),
    ),
    Event.ANNOTATE: Row({R, P, S}, True, LIVE | {B.COMPLETED, B.UNFULFILLED}, then=None),
}


def expected(event):
    row = EXPECTED[event]
    if event is Event.RECEIVE:
        return {(None, None)}, row.by
    situations = {one for one in SITUATIONS if row.pending and one[0] is State.PENDING}
    return situations | {(State.APPROVED, status) for status in row.approved}, row.by


#: Every move from every situation in which it may happen, to every business status it may lead to.
WAYS = [
    (event, state, status, then)
    for event, row in EXPECTED.items()
    for state, status in SITUATIONS
    if (state, status) in expected(event)[0]
    for then in sorted([status] if row.then is None else row.then, key=str)
]
NOW = datetime(2026, 3, 2, 18, tzinfo=UTC)
ACT = Act(Actor("somebody", "org-any"), Details(), None)


def a_draft(state, status):
    """A referral in that situation: a clock runs, and a performer that has it holds a place."""
    has_it = status in BEFORE | TAKEN_ON
    known = {
        "plan": "HPSM",
        "id": "r",
        "version": 1,
        "state": state or State.PENDING,
        "business_status": status,
        "organization_id": "org-r",
        "void_due": NOW,
        "offer_id": "offer-had" if has_it else None,
        "holds_place": has_it,
        "performer_id": "org-had" if has_it else None,
        "moves": 0 if state is None else 1,
        "announced": 0,
    }
    after = Referral(**{**dict.fromkeys(Referral.__dataclass_fields__), **known})
    draft = Draft(before=None, after=after, at=NOW, sent={}, details=Details())
    draft.service_task_id = "task" if has_it else None
    if state is State.APPROVED:
        draft.authorization = Authorization("1", "ECM", "org-had", date.min, date.max)
    return draft


def a_place(status):
    """Where a move that places leaves the referral."""
    offer = Offer("offer", "org-next", "", "ECM", frozenset(), frozenset(), 1, 0, "capacity")
    return Placement(Assignment(status), None if status is B.UNASSIGNED else offer)


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


@pytest.mark.parametrize(("event", "state", "status", "then"), WAYS)
def test_a_move_does_what_it_must_and_no_more(event, state, status, then):
    row, draft = EXPECTED[event], a_draft(state, status)
    before, placement = draft.after, a_place(then) if row.places else None
    draft.move(event, ACT, placement=placement, reasons=())
    after = draft.after
    assert (after.state, after.business_status) == (row.to or state, then)
    assert draft.announcements == [row.message] * bool(row.message) + (
        PLACED[then] if row.places else []
    )
    assert {notice.outcome for notice in draft.notices} == {row.letters} - {None}
    assert (after.void_due is None) == ("void clock" in row.ends)
    assert draft.freed == ["offer-had"] * ("place" in row.ends and before.holds_place)
    assert (after.closed_at is not None) == ("loop" in row.ends)
    ended = draft.authorization is not None and draft.authorization.status == "ended"
    assert ended == ("authorization" in row.ends and state is State.APPROVED)
    history = [values for table, values in draft.rows if table is referral_history]
    assert [one["event"] for one in history] == [event.value]


@pytest.mark.parametrize(
    ("event", "how"), [(Event.ASSIGN, "cancelled"), (Event.DECLINE, "rejected")]
)
@pytest.mark.parametrize("then", [B.ALTERNATE, B.WAITLISTED, B.UNASSIGNED])
def test_a_performer_that_has_it_no_longer_is_no_party(event, how, then):
    draft = a_draft(State.APPROVED, B.ASSIGNED)
    draft.move(event, ACT, placement=a_place(then), reasons=())
    assert draft.departed == ["org-had"]
    assert (draft.ended_task.id, draft.ended_task.status) == ("task", how)
    assert draft.after.holds_place == (draft.after.performer_id is not None) == (then in BEFORE)


def test_a_move_leads_to_no_placement_that_is_not_its_own():
    draft = a_draft(State.APPROVED, B.ASSIGNED)
    with pytest.raises(ValueError, match="no such placement"):
        draft.move(Event.DECLINE, ACT, placement=a_place(B.ASSIGNED))


def test_that_a_service_began_is_announced_once():
    draft = a_draft(State.APPROVED, B.ACCEPTED)
    for event in (Event.START, Event.HOLD, Event.RESUME):
        draft.move(event, Act(ACT.actor, draft.details, None), reasons=())
    assert draft.announcements == ["service.started"]


@pytest.mark.parametrize(("state", "status"), SITUATIONS)
def test_a_refusal_names_what_is_possible(state, status):
    legal = sorted(event.value for event in Event if (state, status) in expected(event)[0])
    for event in Event:
        if event.value in legal:
            assert next_state(state, event, status) is (EXPECTED[event].to or state)
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
    assert event_meant(ON_SERVICE_TASK, status, State.APPROVED, now) is event


def test_what_a_status_of_the_referrals_task_means():
    asked = {
        status: event_meant(ON_REFERRAL_TASK, status, State.PENDING, None)
        for status in ON_REFERRAL_TASK
    }
    assert asked == {
        "accepted": Event.APPROVE,
        "rejected": Event.DENY,
        "cancelled": Event.CANCEL,
        "entered-in-error": Event.CANCEL,
    }


def test_the_database_says_every_move_and_no_other():
    pairs = {(state, event) for event in Event for state, _ in expected(event)[0]}
    assert ONLY_MOVES.count("event = ") == len(pairs)
    for state, event in pairs:
        came = f"from_state = '{state}'" if state else "from_state IS NULL"
        leads = f"event = '{event}' AND to_state = '{EXPECTED[event].to or state}'"
        assert f"{came} AND {leads}" in ONLY_MOVES


def test_the_page_is_what_the_code_says():
    page = Path(__file__).parents[2] / "docs" / "moves.md"
    assert page.read_text("utf-8") == moves_document(), "mend it with: python -m app moves"
