"""The state machine of a referral: one table of moves. A move that is not listed is refused.

PURE. A row says when its move is allowed, and what the move does. `Draft.move`
(`app.store.referral.draft`) applies a row, the rows become the database's check on history
(`app.store.tables.referral`), and docs/moves.md shows the rows. Three drivers use the table: the
rules, a person and the clock. Source: spec.md 2.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from app.model.messages import EventType


class State(StrEnum):
    """The state of a referral with the plan."""

    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    VOID = "void"
    CANCELLED = "cancelled"


class BusinessStatus(StrEnum):
    """The reason why a pending referral waits, or the progress of an approved one's service.

    Denied, void and cancelled referrals have none.
    """

    IN_REVIEW = "in-review"
    INFORMATION_NEEDED = "information-needed"
    ASSIGNED = "assigned"
    ALTERNATE = "alternate"
    WAITLISTED = "waitlisted"
    UNASSIGNED = "unassigned"
    ACCEPTED = "accepted"
    ON_HOLD = "on-hold"
    IN_SERVICE = "in-service"
    COMPLETED = "completed"
    UNFULFILLED = "unfulfilled"


class Event(StrEnum):
    """An event in the life of a referral; each one that happens is a row of history."""

    RECEIVE = "receive"
    REVIEW = "review"
    REQUEST_INFORMATION = "request-information"
    ADD_INFORMATION = "add-information"
    APPROVE = "approve"
    DENY = "deny"
    VOID = "void"
    CANCEL = "cancel"
    ASSIGN = "assign"
    ACCEPT = "accept"
    DECLINE = "decline"
    HOLD = "hold"
    RESUME = "resume"
    START = "start"
    COMPLETE = "complete"
    FAIL = "fail"
    ANNOTATE = "annotate"


class Party(StrEnum):
    """A part in one referral: of a caller, or of the rules and the clock, which make moves, too."""

    REQUESTER = "requester"
    #: The performer asked for, while no performer has the referral: may read and do nothing.
    ASKED = "asked"
    PERFORMER = "performer"
    STAFF = "staff"
    RULES = "rules"
    CLOCK = "clock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One row of the table: when an event may happen, who may cause it, and all that follows."""

    #: The parties that may cause the event (spec.md 2, 5, 6).
    by: frozenset[Party]
    #: The states in which the event may happen; None is "not received yet".
    source: tuple[State | None, ...]
    #: The state after the event; None leaves the state as it is.
    target: State | None = None
    #: For an approved referral: the business statuses in which the event may happen.
    before: frozenset[BusinessStatus] = frozenset()
    #: The business status after the event is one of these; None leaves the status as it is.
    after: frozenset[BusinessStatus | None] | None = frozenset({None})

    #: The statuses that ask for the event, on the referral's Task and on the service Task.
    on_referral_task: tuple[str, ...] = ()
    on_service_task: str | None = None
    #: A Task that asks for the event must give a reason in words.
    needs_words: bool = False

    #: The message about the event, sent to `messages.recipients`. A placement adds a second message
    #: (`PLACED`).
    announces: EventType | None = None
    #: The outcome that the parties are told by the plan's correspondence matrix.
    outcome: str | None = None

    #: The row of history names the plan's policy.
    under_policy: bool = False
    #: The clock that makes a referral void ends: the plan waits for no information any more.
    ends_void_clock: bool = False
    #: The open request for information is answered.
    answers_request: bool = False
    #: The place that the referral holds becomes free for the next referral.
    frees_place: bool = False
    #: The authorization ends, so that the member can be referred anew.
    ends_authorization: bool = False
    #: The service begins; the message about this is sent once for each performer.
    begins_service: bool = False
    #: The move's reasons replace the decision's reasons on the Task, until the service moves again.
    shows_reasons: bool = False
    #: The loop is closed: the referral gets its `closed_at`.
    closes_loop: bool = False

    @property
    def places(self) -> bool:
        """Tells whether the move looks for a performer, or for a waiting list."""
        return self.after is not None and BusinessStatus.WAITLISTED in self.after

    @property
    def statuses_after(self) -> frozenset[BusinessStatus | None]:
        """The business statuses that an approved referral can have after the move."""
        return self.after if self.after is not None else frozenset(self.before)

    def status_after(
        self, before: BusinessStatus | None, placed: BusinessStatus | None
    ) -> BusinessStatus | None:
        """Returns the business status after the move: the row's own, or that of the placement.

        Raises `ValueError` for a placement that the move does not lead to.
        """
        if self.after is None:
            return before
        (status,) = self.after if placed is None else (placed,)
        if status not in self.after:
            raise ValueError(f"no such placement by this move: {status}")
        return status


_PENDING, _APPROVED = (State.PENDING,), (State.APPROVED,)

_WITH_PERFORMER = frozenset({BusinessStatus.ASSIGNED, BusinessStatus.ALTERNATE})
_WITH_NOBODY = frozenset({BusinessStatus.WAITLISTED, BusinessStatus.UNASSIGNED})
UNDER_WAY = frozenset({BusinessStatus.ON_HOLD, BusinessStatus.IN_SERVICE})
_ENDED = frozenset({BusinessStatus.COMPLETED, BusinessStatus.UNFULFILLED})

#: Business statuses in which no service has begun, so that an approval may still be cancelled.
NOT_BEGUN = _WITH_PERFORMER | _WITH_NOBODY | {BusinessStatus.ACCEPTED}
_OPEN = NOT_BEGUN | UNDER_WAY
_TAKEN_ON = UNDER_WAY | {BusinessStatus.ACCEPTED}

#: The moves of a referral. The order of a service is Gravity's (SDOHCC-TaskForReferralManagement
#: 3.0.0, state diagram and "set by"): requested, accepted, in progress, with a hold in between;
#: accepted and held services may be completed and may fail.
MOVES: Mapping[Event, Move] = {
    Event.RECEIVE: Move(
        by=frozenset({Party.REQUESTER}),
        source=(None,),
        target=State.PENDING,
        announces=EventType.RECEIVED,
    ),
    Event.REVIEW: Move(
        by=frozenset({Party.RULES}),
        source=_PENDING,
        after=frozenset({BusinessStatus.IN_REVIEW}),
        under_policy=True,
        ends_void_clock=True,
    ),
    Event.REQUEST_INFORMATION: Move(
        by=frozenset({Party.RULES, Party.STAFF}),
        source=_PENDING,
        after=frozenset({BusinessStatus.INFORMATION_NEEDED}),
        announces=EventType.INFORMATION_REQUESTED,
        outcome="information-needed",
        under_policy=True,
    ),
    Event.ADD_INFORMATION: Move(
        by=frozenset({Party.REQUESTER, Party.STAFF}),
        source=_PENDING,
        announces=EventType.INFORMATION_RECEIVED,
        ends_void_clock=True,
        answers_request=True,
    ),
    Event.APPROVE: Move(
        by=frozenset({Party.RULES, Party.STAFF}),
        source=_PENDING,
        target=State.APPROVED,
        after=_WITH_PERFORMER | _WITH_NOBODY,
        on_referral_task=("accepted",),
        announces=EventType.APPROVED,
        outcome="approved",
        under_policy=True,
        ends_void_clock=True,
    ),
    Event.DENY: Move(
        by=frozenset({Party.RULES, Party.STAFF}),
        source=_PENDING,
        target=State.DENIED,
        on_referral_task=("rejected",),
        needs_words=True,
        announces=EventType.DENIED,
        outcome="denied",
        under_policy=True,
        ends_void_clock=True,
    ),
    Event.VOID: Move(
        by=frozenset({Party.CLOCK, Party.STAFF}),
        source=_PENDING,
        target=State.VOID,
        announces=EventType.VOIDED,
        outcome="void",
        under_policy=True,
        ends_void_clock=True,
    ),
    # The clock assigns to nobody: it ends the waiting of a referral whose authorization has ended.
    Event.ASSIGN: Move(
        by=frozenset({Party.RULES, Party.STAFF, Party.CLOCK}),
        source=_APPROVED,
        before=_OPEN,
        after=_WITH_PERFORMER | _WITH_NOBODY,
        frees_place=True,
    ),
    # On hold is among the statuses, since a service may be held before it begins. Whether it has
    # begun is not in the status: `app.journey.refuse` looks at the referral's details.
    Event.CANCEL: Move(
        by=frozenset({Party.REQUESTER, Party.STAFF}),
        source=(State.PENDING, State.APPROVED),
        target=State.CANCELLED,
        before=NOT_BEGUN | {BusinessStatus.ON_HOLD},
        on_referral_task=("cancelled", "entered-in-error"),
        announces=EventType.CANCELLED,
        outcome="cancelled",
        under_policy=True,
        ends_void_clock=True,
        frees_place=True,
        ends_authorization=True,
    ),
    Event.ACCEPT: Move(
        by=frozenset({Party.PERFORMER}),
        source=_APPROVED,
        before=_WITH_PERFORMER,
        after=frozenset({BusinessStatus.ACCEPTED}),
        on_service_task="accepted",
        announces=EventType.ACCEPTED,
    ),
    Event.DECLINE: Move(
        by=frozenset({Party.PERFORMER}),
        source=_APPROVED,
        before=_WITH_PERFORMER | {BusinessStatus.ACCEPTED},
        after=_WITH_NOBODY | {BusinessStatus.ALTERNATE},
        on_service_task="rejected",
        needs_words=True,
        announces=EventType.DECLINED,
        frees_place=True,
    ),
    Event.HOLD: Move(
        by=frozenset({Party.PERFORMER}),
        source=_APPROVED,
        before=frozenset({BusinessStatus.ACCEPTED, BusinessStatus.IN_SERVICE}),
        after=frozenset({BusinessStatus.ON_HOLD}),
        on_service_task="on-hold",
        shows_reasons=True,
    ),
    Event.RESUME: Move(
        by=frozenset({Party.PERFORMER}),
        source=_APPROVED,
        before=frozenset({BusinessStatus.ON_HOLD}),
        after=frozenset({BusinessStatus.IN_SERVICE}),
        on_service_task="in-progress",
        announces=EventType.STARTED,
        begins_service=True,
    ),
    Event.START: Move(
        by=frozenset({Party.PERFORMER}),
        source=_APPROVED,
        before=frozenset({BusinessStatus.ACCEPTED}),
        after=frozenset({BusinessStatus.IN_SERVICE}),
        on_service_task="in-progress",
        announces=EventType.STARTED,
        begins_service=True,
    ),
    # The authorization runs to its last day, so that a reauthorization can go on from it.
    Event.COMPLETE: Move(
        by=frozenset({Party.PERFORMER}),
        source=_APPROVED,
        before=_TAKEN_ON,
        after=frozenset({BusinessStatus.COMPLETED}),
        on_service_task="completed",
        announces=EventType.CLOSED,
        frees_place=True,
        shows_reasons=True,
        closes_loop=True,
    ),
    Event.FAIL: Move(
        by=frozenset({Party.PERFORMER}),
        source=_APPROVED,
        before=_TAKEN_ON,
        after=frozenset({BusinessStatus.UNFULFILLED}),
        on_service_task="failed",
        needs_words=True,
        announces=EventType.CLOSED,
        frees_place=True,
        ends_authorization=True,
        shows_reasons=True,
        closes_loop=True,
    ),
    # Stores something with the referral and moves nothing; allowed after the service's end, too.
    Event.ANNOTATE: Move(
        by=frozenset({Party.REQUESTER, Party.PERFORMER, Party.STAFF}),
        source=(State.PENDING, State.APPROVED),
        before=_OPEN | _ENDED,
        after=None,
    ),
}

#: (state, event) → the state after it: the table by pairs, in the order of the database's check.
TRANSITIONS: Mapping[tuple[State | None, Event], State] = {
    (state, event): target
    for state in (None, *State)
    for event, row in MOVES.items()
    if state in row.source and (target := row.target or state)
}

#: Business status after a placement → the second message that the move announces.
PLACED: Mapping[BusinessStatus | None, EventType] = {
    BusinessStatus.ASSIGNED: EventType.ASSIGNED,
    BusinessStatus.ALTERNATE: EventType.ASSIGNED,
    BusinessStatus.WAITLISTED: EventType.WAITLISTED,
}


class IllegalMove(Exception):
    """The event is not allowed in the state that the referral is in."""

    def __init__(
        self, state: State | None, event: Event, status: BusinessStatus | None = None
    ) -> None:
        self.state = state
        self.event = event
        self.status = status
        super().__init__(f"{event} is not allowed while {state}")

    @property
    def allowed(self) -> list[str]:
        """The events that are allowed now, for the answer to the caller."""
        return sorted(event.value for event in MOVES if is_legal(self.state, event, self.status))


def is_legal(state: State | None, event: Event, status: BusinessStatus | None = None) -> bool:
    """Tells whether the table allows the event in this state and, if approved, business status."""
    row = MOVES[event]
    return state in row.source and (state is not State.APPROVED or status in row.before)


def next_state(state: State | None, event: Event, status: BusinessStatus | None = None) -> State:
    """Returns the state after `event`. Raises `IllegalMove` for every pair that is not listed.

    `status` is the business status before the event: an approved referral follows the order of its
    service.
    """
    if not is_legal(state, event, status):
        raise IllegalMove(state, event, status)
    return TRANSITIONS[state, event]
