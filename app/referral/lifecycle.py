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
    (State.APPROVED, Event.ASSIGN): State.APPROVED,
    (State.APPROVED, Event.CANCEL): State.CANCELLED,
}

#: Business statuses in which no service has begun, so that an approval may still be cancelled.
NOT_BEGUN = frozenset(
    {
        BusinessStatus.ASSIGNED,
        BusinessStatus.ALTERNATE,
        BusinessStatus.WAITLISTED,
        BusinessStatus.UNASSIGNED,
        BusinessStatus.ACCEPTED,
    }
)


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
        """The events that the state does allow, for the answer to the caller."""
        return sorted({event.value for state, event in TRANSITIONS if state == self.state})


def next_state(state: State | None, event: Event, status: BusinessStatus | None = None) -> State:
    """The state that `event` leads to; raises `IllegalMove` for every pair that is not listed.

    An approved referral is cancelled only while no service has begun (spec.md 2).
    """
    try:
        target = TRANSITIONS[state, event]
    except KeyError:
        raise IllegalMove(state, event, status) from None
    if state is State.APPROVED and status not in NOT_BEGUN:
        raise IllegalMove(state, event, status)
    return target
