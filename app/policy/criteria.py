"""The nodes of a compiled criterion: each reads the facts and explains its answer.

Three values: `and` is false if any part is false, true if all are true, else unknown; `or` is the
mirror image. Which facts an unknown node still needs is `missing.py`.

What a criterion says of the facts it read: numbers between bounds, values and their sources.
"""

import operator
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from app.policy.model import Criterion, DeterminationOutcome, FactValue, Span
from app.policy.reading import COMPUTED, DERIVED_FROM, Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One part of a criterion. `asks`: the facts that would settle it (leaves only)."""

    name: str
    citation: str = ""
    children: tuple["Node", ...] = ()
    asks: tuple[str, ...] = ()

    @property
    def joins(self) -> bool:
        """Whether all children together are needed."""
        return False

    def read(self, reading: Reading) -> Criterion:
        """What the facts say, with the facts used."""
        raise NotImplementedError

    def wanted(self, reading: Reading) -> tuple[str, ...]:
        """The facts to ask for while the answer is unknown."""
        del reading
        return self.asks


@dataclass(frozen=True, slots=True, kw_only=True)
class YesNo(Node):
    """A boolean fact, stated or computed."""

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
    """A code, or some code of a list, among those given."""

    fact: str
    codes: frozenset[str]

    def read(self, reading: Reading) -> Criterion:
        found = reading.codes(self.fact)
        result = None if found is None else bool(found & self.codes)
        detail = list_sources(reading, self.fact)
        return Criterion(self.name, result, self.citation, detail, self.asks)


@dataclass(frozen=True, slots=True, kw_only=True)
class CodesCounted(Node):
    """How many codes a list has."""

    fact: str
    compare: str
    number: int

    def read(self, reading: Reading) -> Criterion:
        found = reading.codes(self.fact)
        result = None if found is None else OPERATORS[self.compare](len(found), self.number)
        detail = list_sources(reading, self.fact)
        return Criterion(self.name, result, self.citation, detail, self.asks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers(Node):
    """A sum of numbers or counts, each known between two bounds, against a number."""

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
        return Criterion(self.name, result, self.citation, in_words(low, high), self.asks)

    def wanted(self, reading: Reading) -> tuple[str, ...]:
        """Only what is not known yet: one term of a sum may be."""
        open_terms = [t for t in self.terms if is_open(reading.bounds(t))]
        known = {t for t in self.terms if t not in open_terms}
        return tuple(fact for fact in self.asks if fact not in known)


@dataclass(frozen=True, slots=True, kw_only=True)
class All(Node):
    """Every part must hold. Where the first is a test of age and fails, the rest is not read:
    what is asked of children says nothing of an adult.
    """

    by_age: bool = False

    @property
    def joins(self) -> bool:
        """All children together are needed."""
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
    """One part is enough."""

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
    """`not`: unknown stays unknown."""

    def read(self, reading: Reading) -> Criterion:
        part = self.children[0].read(reading)
        result = None if part.result is None else not part.result
        return Criterion(self.name, result, self.citation, "", (), (part,))


@dataclass(frozen=True, slots=True, kw_only=True)
class Harmless(Node):
    """`is not true`, `is not false`: only that very value excludes; unknown is never asked for."""

    value: bool

    def read(self, reading: Reading) -> Criterion:
        part = self.children[0].read(reading)
        return Criterion(self.name, part.result is not self.value, self.citation, "", (), (part,))


@dataclass(frozen=True, slots=True, kw_only=True)
class Defined(Node):
    """A name that the policy file defines; read once for all criteria that use it."""

    def read(self, reading: Reading) -> Criterion:
        known = reading.memo.get(self.name)
        if known is None:
            part = self.children[0].read(reading)
            known = Criterion(self.name, part.result, self.citation, "", (), (part,))
            reading.memo[self.name] = known
        return known


@dataclass(frozen=True, slots=True, kw_only=True)
class EcmEligible(Node):
    """`ecm_eligible`: what the ECM determination of the same facts would be."""

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
        """What ECM itself still needs."""
        return () if reading.ecm is None else reading.ecm().missing


def renamed(node: Node, name: str) -> Node:
    """The same criterion under a name that says what it is for."""
    if isinstance(node, YesNo):
        return replace(node, name=name, unknown=replace(node.unknown, name=name))
    return replace(node, name=name)


def every(name: str, citation: str, children: tuple[Node, ...]) -> All:
    """`and`, which knows whether its first part tests the age."""
    first = children[0]
    test = first.children[0] if isinstance(first, Defined) else first
    by_age = len(children) > 1 and isinstance(test, Numbers) and test.terms == ("age",)
    return All(name=name, citation=citation, children=children, by_age=by_age)


def yes_no(fact: str, citation: str) -> YesNo:
    """The leaf of a boolean fact, its unknown answer prepared once."""
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
NOT_STATED = "not stated"
NOT_LIVE = "not live here at this date"


def compared(
    low: Decimal | int, high: Decimal | int | None, compare: str, number: Decimal
) -> bool | None:
    """A number between two bounds against another: True or False only where every value agrees."""
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
    """Whether a number is not settled yet."""
    return bounds[0] != bounds[1]


def in_words(low: Decimal | int, high: Decimal | int | None) -> str:
    """A number between two bounds, as a reader is told it."""
    if high is None:
        return f"{low} or more" if low else NOT_STATED
    return str(low) if low == high else f"between {low} and {high}"


def sources(reading: Reading, names: tuple[str, ...]) -> str:
    """The first of the facts that is stated, with its value and the resource it came from."""
    for name in names:
        fact = reading.values.get(name)
        if fact is not None:
            return f"{name}: {_shown(fact.value)} ({fact.source})"
    return NOT_STATED


def list_sources(reading: Reading, name: str) -> str:
    """The same for a list, which pregnancy may have added to (facts.md 3.8)."""
    if not reading.value(name) and reading.codes(name):
        told = [fact for fact in ("pregnant", "postpartum_12m") if reading.boolean(fact)]
        if "postpartum_12m" in told:
            told.append("pregnancy_end_date")
        return sources(reading, tuple(told))
    return sources(reading, (name,))


def _shown(value: FactValue) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, frozenset):
        return ", ".join(sorted(value)) or "none"
    if isinstance(value, Span):
        return f"{value.first} to {value.last}" if value.first != value.last else f"{value.first}"
    return str(value)
