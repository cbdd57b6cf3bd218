"""The state machine of a referral: one table of moves. A pair that is not listed is refused.

PURE. The database says the same again (`migrations/`): guarded updates, a check on every row of
history. Three drivers use it: the rules, a person, the clock. Source: spec.md 2.
"""

from enum import StrEnum


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


#: The moves of a referral. `None` is "not received yet".
TRANSITIONS: dict[tuple[State | None, Event], State] = {
    (None, Event.RECEIVE): State.PENDING,
    (State.PENDING, Event.REVIEW): State.PENDING,
    (State.PENDING, Event.REQUEST_INFORMATION): State.PENDING,
    (State.PENDING, Event.ADD_INFORMATION): State.PENDING,
    (State.PENDING, Event.APPROVE): State.APPROVED,
    (State.PENDING, Event.DENY): State.DENIED,
    (State.PENDING, Event.VOID): State.VOID,
    (State.PENDING, Event.CANCEL): State.CANCELLED,
    (State.PENDING, Event.ANNOTATE): State.PENDING,
    (State.APPROVED, Event.ASSIGN): State.APPROVED,
    (State.APPROVED, Event.CANCEL): State.CANCELLED,
    (State.APPROVED, Event.ACCEPT): State.APPROVED,
    (State.APPROVED, Event.DECLINE): State.APPROVED,
    (State.APPROVED, Event.HOLD): State.APPROVED,
    (State.APPROVED, Event.RESUME): State.APPROVED,
    (State.APPROVED, Event.START): State.APPROVED,
    (State.APPROVED, Event.COMPLETE): State.APPROVED,
    (State.APPROVED, Event.FAIL): State.APPROVED,
    (State.APPROVED, Event.ANNOTATE): State.APPROVED,
}

_WITH_PERFORMER = frozenset({BusinessStatus.ASSIGNED, BusinessStatus.ALTERNATE})
_WITH_NOBODY = frozenset({BusinessStatus.WAITLISTED, BusinessStatus.UNASSIGNED})
UNDER_WAY = frozenset({BusinessStatus.ON_HOLD, BusinessStatus.IN_SERVICE})
_ENDED = frozenset({BusinessStatus.COMPLETED, BusinessStatus.UNFULFILLED})

#: Business statuses in which no service has begun, so that an approval may still be cancelled.
NOT_BEGUN = _WITH_PERFORMER | _WITH_NOBODY | {BusinessStatus.ACCEPTED}
_OPEN = NOT_BEGUN | UNDER_WAY
_TAKEN_ON = UNDER_WAY | {BusinessStatus.ACCEPTED}

#: What an approved referral's business status must be for an event, and what it is then. The order
#: of a service is Gravity's (SDOHCC-TaskForReferralManagement, state diagram): requested, accepted,
#: in progress, with a hold in between; accepted and held services may be completed and may fail.
AFTER_APPROVAL: dict[Event, tuple[frozenset[BusinessStatus], frozenset[BusinessStatus | None]]] = {
    # To nobody: the clock ends the waiting of a referral whose authorization has run out.
    Event.ASSIGN: (_OPEN, _WITH_PERFORMER | _WITH_NOBODY),
    # A service may be held before it begins; whether it has begun is known of the referral alone
    # (`app.decision.refuse`).
    Event.CANCEL: (NOT_BEGUN | {BusinessStatus.ON_HOLD}, frozenset({None})),
    Event.ACCEPT: (_WITH_PERFORMER, frozenset({BusinessStatus.ACCEPTED})),
    Event.DECLINE: (
        _WITH_PERFORMER | {BusinessStatus.ACCEPTED},
        _WITH_NOBODY | {BusinessStatus.ALTERNATE},
    ),
    Event.HOLD: (
        frozenset({BusinessStatus.ACCEPTED, BusinessStatus.IN_SERVICE}),
        frozenset({BusinessStatus.ON_HOLD}),
    ),
    Event.RESUME: (
        frozenset({BusinessStatus.ON_HOLD}),
        frozenset({BusinessStatus.IN_SERVICE}),
    ),
    Event.START: (
        frozenset({BusinessStatus.ACCEPTED}),
        frozenset({BusinessStatus.IN_SERVICE}),
    ),
    Event.COMPLETE: (_TAKEN_ON, frozenset({BusinessStatus.COMPLETED})),
    Event.FAIL: (_TAKEN_ON, frozenset({BusinessStatus.UNFULFILLED})),
    # What is added to a referral moves nothing, and may come after the end of the service.
    Event.ANNOTATE: (_OPEN | _ENDED, frozenset(_OPEN | _ENDED)),
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
        return sorted(
            event.value
            for state, event in TRANSITIONS
            if state == self.state and is_legal(state, event, self.status)
        )


def is_legal(state: State | None, event: Event, status: BusinessStatus | None = None) -> bool:
    """Whether the table has the event in this state and, once approved, business status."""
    if (state, event) not in TRANSITIONS:
        return False
    return state is not State.APPROVED or status in AFTER_APPROVAL[event][0]


def next_state(state: State | None, event: Event, status: BusinessStatus | None = None) -> State:
    """The state that `event` leads to; raises `IllegalMove` for every pair that is not listed.

    `status` is the business status before the event: after approval the service's own order holds.
    """
    if not is_legal(state, event, status):
        raise IllegalMove(state, event, status)
    return TRANSITIONS[state, event]
