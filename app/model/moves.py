"""The table of moves as a caller meets it: what a party may do to a referral, and when.

PURE. The table is `app.model.lifecycle`'s; this judges a caller by it, reads a Task's status as
a move, and writes the page that shows the whole table (docs/moves.md).
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
    """What a caller is answered: the HTTP status says it."""

    ALLOWED = "allowed"
    CONFLICT = "409"
    FORBIDDEN = "403"
    NOT_FOUND = "404"


def _asked_for(statuses: Callable[[Move], Iterable[str]]) -> dict[str, tuple[Event, ...]]:
    """The events by the Task status that asks for them, in the order of a service."""
    found: dict[str, list[Event]] = {}
    for event, row in MOVES.items():
        for status in statuses(row):
            found.setdefault(status, []).append(event)
    return {status: tuple(sorted(events, key=_earliest)) for status, events in found.items()}


def _earliest(event: Event) -> int:
    """How early in a service the event can come: by the first business status before it."""
    order = list(BusinessStatus)
    return min((order.index(status) for status in MOVES[event].before), default=0)


#: A status asked for on the referral's Task, and on the performer's service Task, as events: the
#: first that is legal now is made; where none is, the first of all is refused.
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
    """The answer to a caller that is all of `parties` to a referral; of none: it sees nothing."""
    held = frozenset(parties)
    if not held:
        return Verdict.NOT_FOUND
    if not held & MOVES[event].by:
        return Verdict.FORBIDDEN
    return Verdict.ALLOWED if is_legal(state, event, status) else Verdict.CONFLICT


def meant(
    wanted: Mapping[str, tuple[Event, ...]],
    task_status: str,
    state: State,
    status: BusinessStatus | None,
) -> Event | None:
    """The event that a Task's new status asks for; None for a status that nobody sets there."""
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
exist. A cell says who may do it then: **R** the requester, **P** the performer that has the
referral, **S** the plan's staff, the **rules**, the **clock**. An empty cell is refused:

* 409 to a party that may do it in another situation, with nothing written and nothing announced;
* 403 to a party that may never do it (a performer that was only asked for may do nothing);
* 404 to everybody else: a performer that declined or was passed over is a stranger again.
"""
_NOTES = """
Readings where the sources are silent:

* A held service that is resumed is in service, as Gravity draws it, even if it was held before it
  began; `service.started` is announced the first time.
* An approval on hold can be cancelled where the service was held before it began; a service that
  has begun is the performer's to resume or to end.
* A change of provider is `assign`, at any time until the service has ended. The place of the former
  is freed, its Task is cancelled, and the service begins anew with the next. A service that has
  begun is not moved to a waiting list.
* A performer ends its part with `rejected` (before it begins) or `failed`; `cancelled` is the
  requester's and the plan's.
* `annotate` keeps notes, inputs, outputs (the lead care manager, also after the end) and supporting
  information, and moves nothing.
* `failed` ends the authorization, so that the member can be referred anew; after `completed` it
  runs to its last day.
"""


def document() -> str:
    """docs/moves.md: the whole matrix, where each move leads, and the Task statuses that ask."""
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
