"""What one source states about a member, before the sources are put together.

PURE: frozen values only. `app.fhir` makes them from resources, `app.journey.eligibility.merge` puts
them together (facts.md 4.4), `app.policy.stored_form` keeps those of the roster.

How much of what a sender tells is read as facts: the rest is kept as sent, and noted.

A list that was cut is open: it proves what is in it, and never that something is not.

Which Coverage holds on a date, and the facts that it gives (facts.md 1.3).

 Who wins when roster and payload differ is left to `merge`.
"""

from collections.abc import Container, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import IntEnum

from app.policy.model import CareEvent, Fact, FactValue, Span


class SourceKind(IntEnum):
    """How a source knows. A higher one holds over a lower one (facts.md 4.4)."""

    DERIVED = 0  # read off a diagnosis, an encounter, a quantity
    OBSERVED = 1
    FORM = 2
    ELEMENT = 3  # the Patient and Coverage themselves, for the facts of facts.md 3.1


@dataclass(frozen=True, slots=True)
class SourcedFacts:
    """The facts of one resource. Of two of one kind, the one later in a list is the later said."""

    kind: SourceKind
    source: str
    values: Mapping[str, Fact] = field(default_factory=dict)
    events: tuple[CareEvent, ...] = ()
    events_complete: bool | None = None
    birth: Span | None = None
    #: Facts with an answer that could not be read: such an answer makes an earlier one unknown.
    unreadable: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CoverageTerms:
    """One Coverage as stated. An open end of the period is None."""

    source: str
    active: bool
    first: date | None = None
    last: date | None = None
    plan: str | None = None
    #: The payor's reference, where it is no plan code: `Organization/plan-hpsm`.
    payor: str | None = None
    line_of_business: str | None = None
    delegate: str | None = None
    subscriber: str | None = None
    #: False: an end of the period is not known to the day, so a date between the outermost days
    #: that it may mean proves nothing.
    period_known: bool = True

    def covers(self, on: date) -> bool | None:
        """Whether it is in force on a day, both ends included; None where that is unknown."""
        begun = self.first is None or self.first <= on
        ended = self.last is not None and self.last < on
        if not self.active or not begun or ended:
            return False
        return True if self.period_known else None


@dataclass(frozen=True, slots=True)
class RosterMember:
    """One member as the plan's roster knows them, read once when the roster is loaded."""

    cin: str | None
    plan: str | None
    birth_date: str | None
    stated: SourcedFacts
    coverages: tuple[CoverageTerms, ...] = ()


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


def latest(events: Sequence[CareEvent], on: date) -> tuple[Sequence[CareEvent], str | None]:
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


def _end(event: CareEvent) -> date:
    """The last day that an event may mean."""
    return event.when.last if event.when is not None else date.max


def noted(notes: Sequence[str]) -> tuple[str, ...]:
    """Every note once, and not more of them than anybody reads."""
    found = tuple(dict.fromkeys(notes))
    if len(found) <= MOST_NOTES:
        return found
    return (*found[:MOST_NOTES], f"{len(found) - MOST_NOTES} more of such notes")


#: What a Coverage without a `delegate` class says.
NOT_DELEGATED = "none"

_RANK = {True: 2, None: 1, False: 0}


def choose_coverage(
    terms: Sequence[CoverageTerms], as_of: date, plans: Container[str] | None = None
) -> CoverageTerms | None:
    """The Coverage that counts: one in force before one that may be, before one that is not.

    One without a plan code, or of none of `plans` where those are given, counts as no Coverage
    (spec.md 4). Of several alike the one that ends last holds, then the first.
    """
    known = [t for t in terms if t.plan and (plans is None or t.plan in plans)]
    if len(known) < 2:
        return known[0] if known else None
    return max(known, key=lambda t: (_RANK[t.covers(as_of)], t.last or date.max))


def coverage_facts(terms: CoverageTerms, as_of: date) -> dict[str, Fact]:
    """`coverage_active`, `line_of_business` and `delegated_to`, as far as they are known."""
    stated: dict[str, FactValue | None] = {
        "coverage_active": terms.covers(as_of),
        "line_of_business": terms.line_of_business,
        "delegated_to": terms.delegate or NOT_DELEGATED,
    }
    return {name: Fact(v, terms.source) for name, v in stated.items() if v is not None}
