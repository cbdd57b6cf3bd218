"""The question to the policy engine, its answer, and the values of which both are made.

PURE: frozen values only. Stages build an `EligibilityQuestion`; `app.policy.engine.evaluate`
answers with a `Determination`. Both are stored as plain JSON (`app.policy.stored_form`), so that a
stored determination can be replayed for ever. What is written as JSON as it is has no slots: orjson
reads the attributes of such a class five times as fast.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum


class DeterminationOutcome(StrEnum):
    """The answer of the rules; the decision stage decides whether it takes effect by itself."""

    APPROVED = "approved"
    DENIED = "denied"
    PENDING = "pending"


@dataclass(frozen=True, slots=True)
class Span:
    """A date that may be partial: one of the days from `first` to `last`, both included.
    Example: `2024-03` → 2024-03-01 to 2024-03-31.
    """

    first: date
    last: date


#: `frozenset` is a code list (empty: the list is known and empty).
FactValue = bool | int | Decimal | str | Span | frozenset[str]


@dataclass(frozen=True, slots=True)
class Fact:
    """One stated value and the resource that stated it (`QuestionnaireResponse/x`, `roster` …)."""

    value: FactValue
    source: str


@dataclass(frozen=True, slots=True)
class CareEvent:
    """One emergency visit or stay; `None` is unknown, never false."""

    type: str  # ed-visit | inpatient | snf-short
    when: Span | None
    avoidable: bool | None = None
    unplanned: bool | None = None
    led_to_admission: bool | None = None
    reason: str | None = None  # mental-health | substance-use | other
    source: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that is known of the member at a date. A fact without a name here is unknown."""

    values: Mapping[str, Fact] = field(default_factory=dict)
    events: tuple[CareEvent, ...] = ()
    #: `utilization_complete`: the list of events is complete for the last twelve months.
    events_complete: bool | None = None
    birth: Span | None = None
    #: Conflicts between sources and answers that could not be read, as sentences for the
    #: determination.
    notes: tuple[str, ...] = ()
    #: Administrative gender (`male`, `female` …): no rule reads it; it spares needless questions.
    sex: str | None = None


@dataclass(frozen=True, slots=True)
class EligibilityQuestion:
    """One referral put to one plan's rules at one date (facts.md 6)."""

    plan: str | None
    service: str | None
    as_of: date
    county: str | None
    claimed: tuple[str, ...]
    facts: Facts
    #: False: the member could not be identified, so nothing may be decided about them.
    identified: bool = True
    #: An open authorization for the same service exists and this request is not `basedOn` it.
    already_authorized: bool = False
    #: An authorization for the same service has ended before, and this request continues none.
    lapsed: bool = False


@dataclass(frozen=True)
class Reason:
    """A coded reason (`CodeSystem` determination-reason); `text` is advice from plan data."""

    code: str
    text: str | None = None


@dataclass(frozen=True)
class Missing:
    """A fact whose value could still change the outcome, with the question to the referrer."""

    fact: str
    question: str


@dataclass(frozen=True)
class ShortestWay:
    """A smallest set of unknown facts that, answered in the member's favour, would decide: for one
    population, or (None) for the criteria of a support.
    """

    facts: tuple[str, ...]
    population: str | None = None


@dataclass(frozen=True)
class Criterion:
    """One node of the explanation: `result` is True, False or None (unknown)."""

    name: str
    result: bool | None
    citation: str = ""
    detail: str = ""
    facts: tuple[str, ...] = ()  # names of the facts this node read
    children: tuple["Criterion", ...] = ()


@dataclass(frozen=True)
class Determination:
    """The answer of the rules, with everything that an explanation and a replay need."""

    outcome: DeterminationOutcome
    reasons: tuple[Reason, ...]
    populations: tuple[str, ...]
    missing: tuple[Missing, ...]
    criteria: tuple[Criterion, ...]
    policy: str | None  # "HPSM/2024-01-01"; None when no plan is known
    as_of: date
    #: The denial has an administrative reason (facts.md 6.3): `deny_administrative` applies.
    administrative: bool = False
    notes: tuple[str, ...] = ()
    #: What to ask first: the best way first (facts.md 6.4, spec.md 4).
    ways: tuple[ShortestWay, ...] = ()
