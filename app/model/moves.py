"""Judges a caller by the table of moves: what a party may do to a referral, and when.

PURE. The table is `MOVES` of `app.model.lifecycle`. This module also reads a Task's status as a
move, and writes the page that shows the whole table (docs/moves.md).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import StrEnum

from app.model.lifecycle import (
    MOVES,
    TRANSITIONS,
    BusinessStatus,
    Event,
    Move,
    Party,
    State,
    is_legal,
)


class Verdict(StrEnum):
    """The answer to a caller that asks for a move; a refusal is an HTTP status."""

    ALLOWED = "allowed"
    CONFLICT = "409"
    FORBIDDEN = "403"
    NOT_FOUND = "404"


def _asked_for(statuses: Callable[[Move], Iterable[str]]) -> dict[str, tuple[Event, ...]]:
    """Groups the events by the Task status that asks for them, in the order of a service."""
    by_status: dict[str, list[Event]] = {}
    for event, row in MOVES.items():
        for status in statuses(row):
            by_status.setdefault(status, []).append(event)
    return {status: tuple(sorted(events, key=_earliest)) for status, events in by_status.items()}


def _earliest(event: Event) -> int:
    """Ranks an event in the order of a service: by the first business status before the event."""
    order = list(BusinessStatus)
    return min((order.index(status) for status in MOVES[event].before), default=0)


#: The status asked for on the referral's Task, or on the performer's service Task → its events.
#: The first event that is legal now happens; where none is legal, the first event is refused.
ON_REFERRAL_TASK = _asked_for(lambda row: row.on_referral_task)
ON_SERVICE_TASK = _asked_for(lambda row: filter(None, [row.on_service_task]))

#: Every state with every business status that it can have, in the order of a referral's life.
SITUATIONS: tuple[tuple[State | None, BusinessStatus | None], ...] = (
    (None, None),
    (State.PENDING, None),
    (State.PENDING, BusinessStatus.IN_REVIEW),
    (State.PENDING, BusinessStatus.INFORMATION_NEEDED),
    *(
        (State.APPROVED, status)
        for status in BusinessStatus
        if status not in (BusinessStatus.IN_REVIEW, BusinessStatus.INFORMATION_NEEDED)
    ),
    (State.DENIED, None),
    (State.VOID, None),
    (State.CANCELLED, None),
)


def judge(
    parties: Iterable[Party], state: State | None, status: BusinessStatus | None, event: Event
) -> Verdict:
    """Answers a caller with these parts in a referral; a caller without any part gets 404."""
    parts = frozenset(parties)
    if not parts:
        return Verdict.NOT_FOUND
    if not parts & MOVES[event].by:
        return Verdict.FORBIDDEN
    return Verdict.ALLOWED if is_legal(state, event, status) else Verdict.CONFLICT


def event_meant(
    wanted: Mapping[str, tuple[Event, ...]],
    task_status: str,
    state: State,
    status: BusinessStatus | None,
) -> Event | None:
    """Returns the event that a Task's new status asks for; None if nobody may set that status."""
    events = wanted.get(task_status, ())
    legal = (event for event in events if is_legal(state, event, status))
    return next(legal, events[0] if events else None)


_LETTERS = {
    Party.REQUESTER: "R",
    Party.PERFORMER: "P",
    Party.STAFF: "S",
    Party.RULES: "rules",
    Party.CLOCK: "clock",
}
_OTHERS = frozenset({Party.RULES, Party.CLOCK})
_HEAD = """# Moves

Written by `python -m app moves` from the table in `app/model/lifecycle.py`; a test compares. A
referral has a state and, beside it, a business status; each row below is one of the pairs that
exist. A cell says who may make the move then: **R** the requester, **P** the performer that has
the referral, **S** the plan's staff, the **rules**, the **clock**. Every other caller is refused:

* 409 to a party that may make the move in another situation; nothing is written or announced;
* 403 to a party that may never make the move (a performer that was only asked for makes no move);
* 404 to everybody else, also to a performer that declined or was passed over.
"""
_NOTES = """
Readings where the sources are silent:

* A held service that is resumed is in service, as Gravity draws it, even if it was held before it
  began; `service.started` is announced the first time.
* An approval on hold can be cancelled if the service was held before it began. Once a service has
  begun, only its performer resumes or ends it.
* A change of provider is `assign`, at any time until the service has ended. The former performer's
  place is freed and its Task is cancelled; the service begins anew with the next performer. A
  service that has begun is not moved to a waiting list.
* A performer ends its part with `rejected` (before the service begins) or `failed`; only the
  requester and the plan set `cancelled`.
* `annotate` keeps notes, inputs, outputs (the lead care manager, also after the end) and supporting
  information, and moves nothing.
* `failed` ends the authorization, so that the member can be referred anew; after `completed` it
  runs to its last day.
"""


def moves_document() -> str:
    """Writes docs/moves.md: the matrix, where each move leads, and the Task statuses that ask."""
    parts = [_HEAD, _matrix(), "\n## Where each move leads\n", _targets()]
    parts += ["\n## What each move does besides\n", _consequences()]
    parts += ["\n## By Task\n", _tasks(), _NOTES]
    return "\n".join(parts)


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _situation(state: State | None, status: BusinessStatus | None) -> str:
    if state is None:
        return "not received"
    return f"{state.value}, {status.value}" if status else state.value


def _matrix() -> str:
    lines = [
        _row(["", *(event.value for event in Event)]),
        _row(["---"] * (len(Event) + 1)),
    ]
    for state, status in SITUATIONS:
        cells = [
            " ".join(
                letter
                for party, letter in _LETTERS.items()
                if judge([party], state, status, event) is Verdict.ALLOWED
            )
            for event in Event
        ]
        lines.append(_row([_situation(state, status), *cells]))
    return "\n".join(lines) + "\n"


def _targets() -> str:
    lines = [_row(["event", "from", "to", "business status then"]), _row(["---"] * 4)]
    for (state, event), target in TRANSITIONS.items():
        then = ""
        if state is State.APPROVED and event is not Event.ANNOTATE:
            then = ", ".join(
                sorted(status.value for status in MOVES[event].statuses_after if status)
            )
        if event is Event.ANNOTATE:
            then = "as before"
        lines.append(_row([event.value, state.value if state else "", target.value, then]))
    return "\n".join(lines) + "\n"


def _consequences() -> str:
    head = ["event", "message", "letters", "and"]
    lines = [_row(head), _row(["---"] * len(head))]
    for event, row in MOVES.items():
        message = f"`{row.announces}`" if row.announces else ""
        cells = [event.value, message, row.outcome or "", ", ".join(_besides(row))]
        if any(cells[1:]):
            lines.append(_row(cells))
    return "\n".join(lines) + "\n"


def _besides(row: Move) -> Iterator[str]:
    words = {
        "the request for information is answered": row.answers_request,
        "the void clock ends": row.ends_void_clock,
        "the place is free": row.frees_place,
        "the authorization ends": row.ends_authorization,
        "the loop is closed": row.closes_loop,
        "the placement is announced": row.places,
        "the service has begun (announced once for each performer)": row.begins_service,
        "its reasons are shown": row.shows_reasons,
    }
    return (word for word, holds in words.items() if holds)


def _tasks() -> str:
    lines = [_row(["Task", "status asked for", "event", "by"]), _row(["---"] * 4)]
    for name, wanted in (("referral", ON_REFERRAL_TASK), ("service", ON_SERVICE_TASK)):
        for status, events in wanted.items():
            words = " or ".join(event.value for event in events)
            by = " ".join(
                _LETTERS[party] for party in _LETTERS if party in MOVES[events[0]].by - _OTHERS
            )
            lines.append(_row([name, f"`{status}`", words, by]))
    return "\n".join(lines) + "\n"
