"""The nodes of a compiled criterion: each node reads the facts and explains its answer.

An answer has three values. `and` is false if any part is false, true if all parts are true, else
unknown (None). `or` is true if any part is true, false if all parts are false, else unknown. An
answer shows the facts that were read: numbers between bounds, values and their sources.
`missing.py` finds the facts that an unknown node still needs.
"""

import operator
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from app.policy.model import Criterion, DeterminationOutcome, FactValue, ShortestWay, Span
from app.policy.reading import COMPUTED, DERIVED_FROM, Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One part of a criterion. `asks`: the facts that would settle the part (leaves only)."""

    name: str
    citation: str = ""
    children: tuple["Node", ...] = ()
    asks: tuple[str, ...] = ()

    @property
    def joins(self) -> bool:
        """Tell whether all children must be true together."""
        return False

    def read(self, reading: Reading) -> Criterion:
        """Answer the criterion from the facts, and name the facts that were read."""
        raise NotImplementedError

    def wanted(self, reading: Reading) -> tuple[str, ...]:
        """Name the facts to ask for while the answer is unknown."""
        del reading
        return self.asks

    def enough(self, reading: Reading) -> tuple[ShortestWay, ...]:
        """List the smallest sets of these facts that can make the answer true."""
        return (ShortestWay(self.wanted(reading)),)


@dataclass(frozen=True, slots=True, kw_only=True)
class YesNo(Node):
    """Is true if a yes/no fact is true, stated or computed."""

    fact: str
    reads: tuple[str, ...] = ()
    underived: bool = False
    unknown: Criterion = field(default_factory=lambda: Criterion("", None))

    def read(self, reading: Reading) -> Criterion:
        fact = reading.values.get(self.fact)
        if fact is None and self.underived:
            return self.unknown
        if fact is not None and isinstance(fact.value, bool) and self.underived:
            return Criterion(self.name, fact.value, self.citation, fact.source, self.reads)
        result = reading.boolean(self.fact)
        if result is None:
            return self.unknown
        return Criterion(self.name, result, self.citation, sources(reading, self.reads), self.reads)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyOfCodes(Node):
    """Is true if a code, or at least one code of a list, is among `codes`."""

    fact: str
    codes: frozenset[str]

    def read(self, reading: Reading) -> Criterion:
        stated = reading.codes(self.fact)
        result = None if stated is None else bool(stated & self.codes)
        detail = list_sources(reading, self.fact)
        return Criterion(self.name, result, self.citation, detail, self.asks)


@dataclass(frozen=True, slots=True, kw_only=True)
class CodesCounted(Node):
    """Compares the number of codes in a list with a number."""

    fact: str
    compare: str
    number: int

    def read(self, reading: Reading) -> Criterion:
        stated = reading.codes(self.fact)
        result = None if stated is None else OPERATORS[self.compare](len(stated), self.number)
        detail = list_sources(reading, self.fact)
        return Criterion(self.name, result, self.citation, detail, self.asks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers(Node):
    """Compares a sum of numbers or counts, each known between two bounds, with a number."""

    terms: tuple[str, ...]
    compare: str
    number: Decimal

    def read(self, reading: Reading) -> Criterion:
        low: Decimal | int = 0
        high: Decimal | int | None = 0
        for term in self.terms:
            lower, upper = reading.bounds(term)
            low += lower
            high = None if high is None or upper is None else high + upper
        result = compared(low, high, self.compare, self.number)
        detail = range_in_words(low, high)
        if low and len(self.terms) == 1 and (window := reading.window(self.terms[0])):
            detail = f"{detail}, from {window.first} to {window.last}"
        return Criterion(self.name, result, self.citation, detail, self.asks)

    def wanted(self, reading: Reading) -> tuple[str, ...]:
        """Leave out the terms of the sum that are known already."""
        open_terms = [t for t in self.terms if is_open(reading.bounds(t))]
        known = {t for t in self.terms if t not in open_terms}
        return tuple(fact for fact in self.asks if fact not in known)

    def enough(self, reading: Reading) -> tuple[ShortestWay, ...]:
        """Return each open term alone where more is better: one long stay makes a sum of stays."""
        wanted = self.wanted(reading)
        more_is_better = self.compare in (">", ">=")
        return (
            tuple(ShortestWay((fact,)) for fact in wanted)
            if more_is_better
            else (ShortestWay(wanted),)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class All(Node):
    """Is true if every part is true. If the first part tests the age and is false, the other parts
    are not read: a criterion of children says nothing about an adult.
    """

    by_age: bool = False

    @property
    def joins(self) -> bool:
        """Return True: all children must be true together."""
        return True

    def read(self, reading: Reading) -> Criterion:
        children = self.children
        if self.by_age:
            first = children[0].read(reading)
            if first.result is False:
                return Criterion(self.name, False, self.citation, "", (), (first,))
        parts = tuple([child.read(reading) for child in children])
        result: bool | None = True
        for part in parts:
            if part.result is False:
                result = False
                break
            if part.result is None:
                result = None
        return Criterion(self.name, result, self.citation, "", (), parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyOf(Node):
    """Is true if at least one part is true."""

    def read(self, reading: Reading) -> Criterion:
        parts = tuple([child.read(reading) for child in self.children])
        result: bool | None = False
        for part in parts:
            if part.result is True:
                result = True
                break
            if part.result is None:
                result = None
        return Criterion(self.name, result, self.citation, "", (), parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opposite(Node):
    """Turns yes into no and no into yes (`not`); unknown stays unknown."""

    def read(self, reading: Reading) -> Criterion:
        part = self.children[0].read(reading)
        result = None if part.result is None else not part.result
        return Criterion(self.name, result, self.citation, "", (), (part,))


@dataclass(frozen=True, slots=True, kw_only=True)
class Harmless(Node):
    """Is false only if its part has exactly `value` (`is not true`, `is not false`). With unknown
    as part the answer is true, so that no fact is asked for.
    """

    value: bool

    def read(self, reading: Reading) -> Criterion:
        part = self.children[0].read(reading)
        return Criterion(self.name, part.result is not self.value, self.citation, "", (), (part,))


@dataclass(frozen=True, slots=True, kw_only=True)
class Defined(Node):
    """A name that the policy file defines; its criterion is read once for all that use the name."""

    def read(self, reading: Reading) -> Criterion:
        known = reading.memo.get(self.name)
        if known is None:
            part = self.children[0].read(reading)
            known = Criterion(self.name, part.result, self.citation, "", (), (part,))
            reading.memo[self.name] = known
        return known


@dataclass(frozen=True, slots=True, kw_only=True)
class EcmEligible(Node):
    """Is true if ECM would be approved on the same facts, false if denied (`ecm_eligible`)."""

    def read(self, reading: Reading) -> Criterion:
        if reading.ecm is None:
            return Criterion(self.name, None, self.citation, "ECM is not decided here")
        answer = reading.ecm()
        result = {DeterminationOutcome.APPROVED: True, DeterminationOutcome.DENIED: False}.get(
            answer.outcome
        )
        reasons = ", ".join(reason.code for reason in answer.reasons)
        detail = f"ECM: {answer.outcome}, {reasons}"
        parts = tuple(
            Criterion(c.name, c.result, c.citation, c.detail, c.facts) for c in answer.criteria
        )
        return Criterion(self.name, result, self.citation, detail, (), parts)

    def wanted(self, reading: Reading) -> tuple[str, ...]:
        """Name the facts that ECM itself still needs."""
        return () if reading.ecm is None else reading.ecm().missing

    def enough(self, reading: Reading) -> tuple[ShortestWay, ...]:
        """Return the best ways to ECM, each by its population; nobody chooses among more."""
        return () if reading.ecm is None else reading.ecm().ways[:_MOST_WAYS]


def renamed(node: Node, name: str) -> Node:
    """Copy a criterion under another name, such as `excluded: CareAdvantage`."""
    if isinstance(node, YesNo):
        return replace(node, name=name, unknown=replace(node.unknown, name=name))
    return replace(node, name=name)


def every(name: str, citation: str, children: tuple[Node, ...]) -> All:
    """Join parts by `and`, and note whether the first part tests the age."""
    first = children[0]
    test = first.children[0] if isinstance(first, Defined) else first
    by_age = len(children) > 1 and isinstance(test, Numbers) and test.terms == ("age",)
    return All(name=name, citation=citation, children=children, by_age=by_age)


def yes_no(fact: str, citation: str) -> YesNo:
    """Make the leaf of a yes/no fact; the answer for an unknown fact is made once, here."""
    reads = (*(() if fact in COMPUTED else (fact,)), *DERIVED_FROM.get(fact, ()))
    if fact in COMPUTED:
        reads = (COMPUTED[fact],)
    if fact == "released_within_12m":
        reads = ("release_date", "months_since_release")
    return YesNo(
        name=fact,
        citation=citation,
        asks=(COMPUTED.get(fact, fact),),
        fact=fact,
        reads=reads,
        underived=fact not in COMPUTED and fact not in DERIVED_FROM,
        unknown=Criterion(fact, None, citation, NOT_STATED, reads),
    )


OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
_MOST_WAYS = 8
NOT_STATED = "not stated"
#: The detail for readers who may not learn what the facts said (`discreet.py`).
OF_THE_PLAN = "known to the plan"
#: How the note about an exclusion ends that is true and does not count.
SET_ASIDE = "set aside: in ECM before 2022, a person decides"
NOT_LIVE = "not live here at this date"
BY_A_PERSON = "decided by a person, not by rules"
#: A service is announced without a date (facts.md 6.3); readers are told so in whole sentences.
ANNOUNCED = "announced, no date"


def is_too_early(answer: Criterion) -> bool:
    """Tell whether a population is met, but not live on the date."""
    return answer.result is True and answer.detail.startswith(NOT_LIVE)


def compared(
    low: Decimal | int, high: Decimal | int | None, compare: str, number: Decimal
) -> bool | None:
    """Compare a number that lies between two bounds with another number.

    The result is None where some values between the bounds give True and others False: a number
    between 2 and 5 is `>= 2` (True), is not `> 5` (False), and may be `>= 3` (None).
    """
    test = OPERATORS[compare]
    if low == high:
        return test(low, number)
    if compare in ("==", "!="):
        outside = number < low or (high is not None and number > high)
        return (compare == "!=") if outside else None
    at_low = test(low, number)
    at_high = compare in (">", ">=") if high is None else test(high, number)
    return at_low if at_low == at_high else None


def is_open(bounds: tuple[Decimal | int, Decimal | int | None]) -> bool:
    """Tell whether a number is not known yet: its bounds differ."""
    return bounds[0] != bounds[1]


def range_in_words(low: Decimal | int, high: Decimal | int | None) -> str:
    """Put a number between two bounds into words: `3`, `3 or more`, `between 3 and 5`."""
    if high is None:
        return f"{low} or more" if low else NOT_STATED
    return str(low) if low == high else f"between {low} and {high}"


def sources(reading: Reading, names: tuple[str, ...]) -> str:
    """Show the first stated fact of `names`: its value and the resource that stated the value."""
    for name in names:
        fact = reading.values.get(name)
        if fact is not None:
            return f"{name}: {_shown(fact.value)} ({fact.source})"
    return NOT_STATED


def list_sources(reading: Reading, name: str) -> str:
    """Show a list of codes and its source. A list that is not stated, and has a code because of a
    pregnancy (facts.md 3.8), shows the fact about the pregnancy and its source instead.
    """
    if not reading.value(name) and reading.codes(name):
        added_by = [fact for fact in ("pregnant", "postpartum_12m") if reading.boolean(fact)]
        if "postpartum_12m" in added_by:
            added_by.append("pregnancy_end_date")
        return sources(reading, tuple(added_by))
    return sources(reading, (name,))


def _shown(value: FactValue) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, frozenset):
        return ", ".join(sorted(value)) or "none"
    if isinstance(value, Span):
        return f"{value.first} to {value.last}" if value.first != value.last else f"{value.first}"
    return str(value)
