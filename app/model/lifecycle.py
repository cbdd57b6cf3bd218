"""The state machine of a referral: one table of moves. A pair that is not listed is refused.

PURE. What a move does stands beside what it may do. `Draft.move` (`app.store.referral.draft`)
applies a row, the database's check on history is made of the rows (`app.store.tables.referral`),
and docs/moves.md shows them. Three drivers use the table: the rules, a person, the clock. Source:
spec.md 2.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from app.model.messages import EventType


class State(StrEnum):
    """Where a referral stands with the plan."""

    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    VOID = "void"
    CANCELLED = "cancelled"


class BusinessStatus(StrEnum):
    """What the referral is waiting for, or how the service goes; denied, void and cancelled have
    none.
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
    """What happens to a referral. Each is a row of history."""

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
    """A caller's part in one referral; the rules and the clock move referrals, too."""

    REQUESTER = "requester"
    #: The performer asked for, while nobody has the referral: it looks on.
    ASKED = "asked"
    PERFORMER = "performer"
    STAFF = "staff"
    RULES = "rules"
    CLOCK = "clock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One row of the table: when an event may happen, who may cause it, and all that follows."""

    #: Who may cause the event (spec.md 2, 5, 6).
    by: frozenset[Party]
    #: The states in which it may happen; None is "not received yet".
    source: tuple[State | None, ...]
    #: The state that it leads to; None leaves the state as it is.
    target: State | None = None
    #: Once approved: the business statuses in which it may happen.
    before: frozenset[BusinessStatus] = frozenset()
    #: The business status that it leads to, one of these; None leaves the status as it is.
    after: frozenset[BusinessStatus | None] | None = frozenset({None})

    #: The statuses of the referral's Task, and of the performer's service Task, that ask for it.
    on_referral_task: tuple[str, ...] = ()
    on_service_task: str | None = None
    #: A Task that asks for it must say why in words.
    needs_words: bool = False

    #: The message about it. Who is told is `messages.recipients`; a placement is told besides
    #: (`PLACED`).
    announces: EventType | None = None
    #: The outcome of which the parties are written to, by the plan's correspondence matrix.
    outcome: str | None = None

    #: The row of history names the plan's policy.
    under_policy: bool = False
    #: Nothing is waited for any more: the clock that makes a referral void ends.
    ends_void_clock: bool = False
    #: The request for information that is open is answered.
    answers_request: bool = False
    #: The place that the referral holds is free for the next.
    frees_place: bool = False
    #: The authorization ends, so that the member can be referred anew.
    ends_authorization: bool = False
    #: The service has begun: announced once for each performer.
    begins_service: bool = False
    #: Its reasons are shown, instead of those of the decision, until the service moves again.
    shows_reasons: bool = False
    #: The loop is closed.
    closes_loop: bool = False

    @property
    def places(self) -> bool:
        """Whether a performer is found by it, or a place to wait at."""
        return self.after is not None and BusinessStatus.WAITLISTED in self.after

    @property
    def statuses_after(self) -> frozenset[BusinessStatus | None]:
        """The business statuses that an approved referral can have after it."""
        return self.after if self.after is not None else frozenset(self.before)

    def status_after(
        self, before: BusinessStatus | None, placed: BusinessStatus | None
    ) -> BusinessStatus | None:
        """The business status after the move: the row's own, or what a placement is called.

        `ValueError` for a placement that the move does not lead to.
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
    # To nobody: the clock ends the waiting of a referral whose authorization has run out.
    Event.ASSIGN: Move(
        by=frozenset({Party.RULES, Party.STAFF, Party.CLOCK}),
        source=_APPROVED,
        before=_OPEN,
        after=_WITH_PERFORMER | _WITH_NOBODY,
        frees_place=True,
    ),
    # A service may be held before it begins; whether it has begun is known of the referral alone
    # (`app.journey.refuse`).
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
    # Something is kept with the referral, and nothing moves; also after the end of the service.
    Event.ANNOTATE: Move(
        by=frozenset({Party.REQUESTER, Party.PERFORMER, Party.STAFF}),
        source=(State.PENDING, State.APPROVED),
        before=_OPEN | _ENDED,
        after=None,
    ),
}

#: The table by pairs of state and event, in the order of the database's check: where each leads.
TRANSITIONS: Mapping[tuple[State | None, Event], State] = {
    (state, event): target
    for state in (None, *State)
    for event, row in MOVES.items()
    if state in row.source and (target := row.target or state)
}

#: What a placement announces besides, by the business status that it comes to.
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
    """Whether the table has the event in this state and, once approved, business status."""
    row = MOVES[event]
    return state in row.source and (state is not State.APPROVED or status in row.before)


def next_state(state: State | None, event: Event, status: BusinessStatus | None = None) -> State:
    """The state that `event` leads to; raises `IllegalMove` for every pair that is not listed.

    `status` is the business status before the event: after approval the service's own order holds.
    """
    if not is_legal(state, event, status):
        raise IllegalMove(state, event, status)
    return TRANSITIONS[state, event]
