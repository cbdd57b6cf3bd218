"""What one source states about a member, before the sources are put together.

PURE: frozen values only. `app.fhir` makes them from resources, `app.journey.eligibility.merge` puts
them together (facts.md 4.4), `app.policy.facts_json` keeps those of the roster.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import IntEnum

from app.policy.model import Event, Fact, Span


class Kind(IntEnum):
    """How a source knows. A higher one holds over a lower one (facts.md 4.4)."""

    DERIVED = 0  # read off a diagnosis, an encounter, a quantity
    OBSERVED = 1
    FORM = 2
    ELEMENT = 3  # the Patient and Coverage themselves, for the facts of facts.md 3.1


@dataclass(frozen=True, slots=True)
class SourcedFacts:
    """The facts of one resource. Of two of one kind, the one later in a list is the later said."""

    kind: Kind
    source: str
    values: Mapping[str, Fact] = field(default_factory=dict)
    events: tuple[Event, ...] = ()
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
