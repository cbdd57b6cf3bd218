"""Facts about a member as one source states them, before the sources are merged. PURE.

- Values: `app.fhir` makes them from resources; `app.journey.eligibility.merge` merges them
  (facts.md 4.4), also where roster and payload differ; `app.policy.stored_form` stores those of the
  roster.
- Limits: only so many diagnoses and events of a sender are read as facts. The rest is stored as
  sent, and a note says so. A list that was cut proves that its items exist, and never proves that
  there are no others.
- Coverage: selects the Coverage that counts on a date, and reads its facts (facts.md 1.3).
"""

from collections.abc import Container, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import IntEnum

from app.policy.model import CareEvent, Fact, FactValue, Span

#: The source of facts that the plan's roster states, and of those of our own authorizations.
ROSTER, OURS = "roster", "authorizations"


class SourceKind(IntEnum):
    """The way in which a source knows a fact. A higher kind wins over a lower (facts.md 4.4)."""

    DERIVED = 0  # read off a diagnosis, an encounter, a quantity
    OBSERVED = 1
    FORM = 2
    ELEMENT = 3  # the Patient and Coverage themselves, for the facts of facts.md 3.1


@dataclass(frozen=True, slots=True)
class SourcedFacts:
    """The facts of one resource. In a list, a later resource of the same kind was stated later."""

    kind: SourceKind
    source: str
    values: Mapping[str, Fact] = field(default_factory=dict)
    events: tuple[CareEvent, ...] = ()
    events_complete: bool | None = None
    birth: Span | None = None
    #: Facts with an answer that could not be read: the fact is then unknown, also if an earlier
    #: answer was readable.
    unreadable: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()
    sex: str | None = None


@dataclass(frozen=True, slots=True)
class CoverageTerms:
    """One Coverage as stated. None as an end of the period: the period is open."""

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
    #: False: an end of the period is a partial date. `first` and `last` are then the outermost days
    #: that the period may have, so that a date between them proves nothing.
    period_known: bool = True

    def covers(self, on: date) -> bool | None:
        """Tell whether the Coverage is in force on a day, both ends included; None: unknown."""
        begun = self.first is None or self.first <= on
        ended = self.last is not None and self.last < on
        if not self.active or not begun or ended:
            return False
        return True if self.period_known else None


@dataclass(frozen=True, slots=True)
class RosterMember:
    """One member in the plan's roster, read once when the roster is loaded."""

    cin: str | None
    plan: str | None
    birth_date: str | None
    stated: SourcedFacts
    coverages: tuple[CoverageTerms, ...] = ()


# Limits

#: No member has so many events or diagnoses in the time that a rule looks back.
MOST_EVENTS = 500
MOST_CONDITIONS = 500
#: Most codings of one concept; many resources may refer to one concept.
MOST_CODINGS = 50
#: Most references of one element: performers asked for, referrals that a request is based on.
MOST_REFERENCES = 50
#: Most notes of one determination; no reader reads more.
MOST_NOTES = 100


def bounded(stated: Sequence[SourcedFacts]) -> list[SourcedFacts]:
    """Keep the first diagnoses, up to the limit, and of the further ones those with a new fact."""
    kept: list[SourcedFacts] = []
    known: set[Hashable] = set()
    cut = 0
    for source in stated:
        facts = {(name, fact.value) for name, fact in source.values.items()}
        if len(kept) >= MOST_CONDITIONS and facts <= known:
            cut += 1
        else:
            known |= facts
            kept.append(source)
    if cut:
        note = f"Condition: {cut} of more than {MOST_CONDITIONS} repeat others and were not read"
        kept.append(SourcedFacts(kept[0].kind, "ServiceRequest", notes=(note,)))
    return kept


def latest(events: Sequence[CareEvent], on: date) -> tuple[Sequence[CareEvent], str | None]:
    """Keep the latest events until a day, up to the limit, and make a note of the cut.

    The cut lies between two days: every event that is left out ended before every kept event ends.
    So no stay is separated from the emergency visit of the same day that led to it.
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
    """Return the last day that the date of an event may mean."""
    return event.when.last if event.when is not None else date.max


def noted(notes: Sequence[str]) -> tuple[str, ...]:
    """Keep each note once, and at most `MOST_NOTES` of them."""
    unique = tuple(dict.fromkeys(notes))
    if len(unique) <= MOST_NOTES:
        return unique
    return (*unique[:MOST_NOTES], f"{len(unique) - MOST_NOTES} more of such notes")


# Coverage

#: The value of `delegated_to` for a Coverage without a `delegate` class.
NOT_DELEGATED = "none"

_RANK = {True: 2, None: 1, False: 0}


def choose_coverage(
    terms: Sequence[CoverageTerms], as_of: date, plans: Container[str] | None = None
) -> CoverageTerms | None:
    """Choose the Coverage that counts on a date: a Coverage in force, else one that may be in
    force, else one that is not.

    A Coverage without a plan code, or of a plan that is not among `plans`, does not count
    (spec.md 4). Of equal ones, the Coverage that ends last counts, then the first in the list.
    """
    known = [t for t in terms if t.plan and (plans is None or t.plan in plans)]
    if len(known) < 2:
        return known[0] if known else None
    return max(known, key=lambda t: (_RANK[t.covers(as_of)], t.last or date.max))


def coverage_facts(terms: CoverageTerms, as_of: date) -> dict[str, Fact]:
    """Read the facts `coverage_active`, `line_of_business` and `delegated_to` as far as known."""
    stated: dict[str, FactValue | None] = {
        "coverage_active": terms.covers(as_of),
        "line_of_business": terms.line_of_business,
        "delegated_to": terms.delegate or NOT_DELEGATED,
    }
    return {name: Fact(v, terms.source) for name, v in stated.items() if v is not None}
