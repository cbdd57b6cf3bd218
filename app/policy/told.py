"""How much of what a sender tells is read as facts: the rest is kept as sent, and noted.

A list that was cut is open: it proves what is in it, and never that something is not.
"""

from collections.abc import Hashable, Sequence
from datetime import date

from app.policy.model import Event
from app.policy.stated import SourcedFacts

#: More than any member has in the time that a rule looks back.
MOST_EVENTS = 500
MOST_CONDITIONS = 500
#: Codings of one concept that many resources may point to.
MOST_CODINGS = 50
#: References of one element: performers asked for, referrals that a request is based on.
MOST_REFERENCES = 50
#: Notes of one determination; nobody reads more.
MOST_NOTES = 100


def bounded(stated: Sequence[SourcedFacts]) -> list[SourcedFacts]:
    """Of many diagnoses the first, and of the others those that say something new."""
    kept: list[SourcedFacts] = []
    known: set[Hashable] = set()
    cut = 0
    for found in stated:
        says = {(name, fact.value) for name, fact in found.values.items()}
        if len(kept) >= MOST_CONDITIONS and says <= known:
            cut += 1
        else:
            known |= says
            kept.append(found)
    if cut:
        note = f"Condition: {cut} of more than {MOST_CONDITIONS} repeat others and were not read"
        kept.append(SourcedFacts(kept[0].kind, "ServiceRequest", notes=(note,)))
    return kept


def latest(events: Sequence[Event], on: date) -> tuple[Sequence[Event], str | None]:
    """Of many events the latest until a day, and a note; whole days only.

    So whatever was left out ended before the day of the first event that is left, and no stay is
    parted from the emergency visit that led to it.
    """
    if len(events) <= MOST_EVENTS:
        return events, None
    past = [event for event in events if event.when is None or event.when.first <= on]
    ends = sorted((_end(event) for event in past), reverse=True)
    kept = past
    if len(past) > MOST_EVENTS:
        kept = [event for event in past if _end(event) > ends[MOST_EVENTS]]
    note = f"utilization: {len(events)} events were sent, of which the latest {len(kept)} are read"
    return kept, note


def _end(event: Event) -> date:
    """The last day that an event may mean."""
    return event.when.last if event.when is not None else date.max


def noted(notes: Sequence[str]) -> tuple[str, ...]:
    """Every note once, and not more of them than anybody reads."""
    found = tuple(dict.fromkeys(notes))
    if len(found) <= MOST_NOTES:
        return found
    return (*found[:MOST_NOTES], f"{len(found) - MOST_NOTES} more of such notes")
