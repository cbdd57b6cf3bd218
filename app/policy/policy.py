"""One plan's policy at one date: the data of its file, and its criteria compiled into nodes.

`library.py` builds the policies when it loads the files; `engine.py` asks them, in order. The
compiler gives each name of a parsed criterion its meaning. A name that is no fact of the
dictionary, no count and no definition, or a fact that is used against its type, is a fault of the
policy file: such a fault stops the start.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from app.policy.catalog_schema import CountyStart
from app.policy.criteria import (
    All,
    AnyOf,
    AnyOfCodes,
    CodesCounted,
    Defined,
    EcmEligible,
    Harmless,
    Node,
    Numbers,
    Opposite,
    every,
    renamed,
    yes_no,
)
from app.policy.dictionary import Dictionary
from app.policy.expression import (
    Among,
    Compare,
    Expression,
    ExpressionFault,
    Joined,
    Name,
    Not,
    Size,
    Unless,
    parse,
)
from app.policy.reading import COMPUTED
from app.policy.schema import Cell, CriteriaWay, Exclusion, Limit, PageReading, PolicyData
from app.policy.schema import Population as PopulationData

ECM_ELIGIBLE = "ecm_eligible"
UTILIZATION = "utilization"


# The compiler


class Compiler:
    """Compiles the criteria of one policy file."""

    def __init__(
        self,
        dictionary: Dictionary,
        counts: frozenset[str],
        definitions: Mapping[str, tuple[str, str]],
    ) -> None:
        self._dictionary = dictionary
        self._counts = counts
        self._definitions = definitions
        self._defined: dict[str, Node] = {}
        self._open: list[str] = []

    def compile(self, text: str, citation: str) -> Node:
        """Compile a criterion. Raises `ExpressionFault` for wrong notation and for a wrong name."""
        return self._node(parse(text), citation)

    def _node(self, part: Expression, citation: str) -> Node:
        match part:
            case Name(name):
                return self._named(name, citation)
            case Among(name, codes):
                return self._among(name, codes, citation)
            case Size(name, compare, number):
                return self._size(name, compare, number, citation)
            case Compare(terms, compare, number):
                return self._numbers(terms, compare, number, citation)
            case Not(inner):
                return Opposite(
                    name="not", citation=citation, children=(self._node(inner, citation),)
                )
            case Unless(inner, value):
                return Harmless(
                    name=f"is not {str(value).lower()}",
                    citation=citation,
                    children=(self._node(inner, citation),),
                    value=value,
                )
            case Joined(word, parts):
                children = tuple(self._node(p, citation) for p in parts)
                if word == "and":
                    return every("all of", citation, children)
                return AnyOf(name="any of", citation=citation, children=children)

    def _named(self, name: str, citation: str) -> Node:
        if name == ECM_ELIGIBLE:
            return EcmEligible(name=name, citation=citation)
        if name in self._definitions:
            return self._definition(name)
        if name not in COMPUTED and self._type(name) != "boolean":
            raise ExpressionFault(f"{name} is no yes/no fact; compare it")
        return yes_no(name, citation)

    def _definition(self, name: str) -> Node:
        if name in self._open:
            raise ExpressionFault(f"{name} is defined by itself")
        if name not in self._defined:
            text, citation = self._definitions[name]
            self._open.append(name)
            child = self.compile(text, citation)
            self._open.pop()
            self._defined[name] = Defined(name=name, citation=citation, children=(child,))
        return self._defined[name]

    def _among(self, name: str, codes: tuple[str, ...], citation: str) -> Node:
        if self._type(name) not in ("code", "code-list"):
            raise ExpressionFault(f"{name} has no codes")
        if unknown := [c for c in codes if c not in self._dictionary[name].codes]:
            raise ExpressionFault(f"{name} has no code {', '.join(unknown)}")
        one = f'{name} == "{codes[0]}"'
        text = one if len(codes) == 1 else f"{name} in [{', '.join(codes)}]"
        return AnyOfCodes(
            name=text, citation=citation, asks=(name,), fact=name, codes=frozenset(codes)
        )

    def _size(self, name: str, compare: str, number: Decimal, citation: str) -> Node:
        if self._type(name) != "code-list":
            raise ExpressionFault(f"{name} is no list")
        return CodesCounted(
            name=f"n({name}) {compare} {number}",
            citation=citation,
            asks=(name,),
            fact=name,
            compare=compare,
            number=int(number),
        )

    def _numbers(
        self, terms: tuple[str, ...], compare: str, number: Decimal, citation: str
    ) -> Node:
        for term in terms:
            if term not in self._counts and self._type(term) not in ("integer", "money"):
                raise ExpressionFault(f"{term} is no number and no count")
        asks = dict.fromkeys(UTILIZATION if t in self._counts else t for t in terms)
        return Numbers(
            name=f"{' + '.join(terms)} {compare} {number}",
            citation=citation,
            asks=tuple(asks),
            terms=terms,
            compare=compare,
            number=number,
        )

    def _type(self, name: str) -> str:
        if name not in self._dictionary:
            raise ExpressionFault(f"{name} is no fact of the dictionary, no count, no definition")
        return self._dictionary[name].type


# The policy

#: The key of a plan without counties, where other plans have the code of a county.
ANY_COUNTY = "any"


@dataclass(frozen=True, slots=True)
class PolicyPopulation:
    """A population with its criteria: for everybody, for its adults, for its children."""

    code: str
    data: PopulationData
    everybody: Node
    adults: Node
    children: Node

    def split(self, county: str, on: date) -> tuple[Node | None, Node | None]:
        """Return two criteria: for the ages for which the population is live in the county, and for
        the ages for which the population is not live (yet); None where there are no such ages.
        """
        if _since(self.data.live, county, on):
            return self.everybody, None
        adults = _since(self.data.live_adults, county, on)
        children = _since(self.data.live_children, county, on)
        if adults and children:
            return self.everybody, None
        if adults:
            return self.adults, self.children
        return (self.children, self.adults) if children else (None, self.everybody)

    def begins(self, county: str, on: date) -> str:
        """Say when the population begins in a county after a date: `2023-07-01`; empty where the
        policy gives no date.
        """
        maps = (self.data.live, self.data.live_adults, self.data.live_children)
        starts = [live.get(county, live.get(ANY_COUNTY)) for live in maps]
        everybody, adults, children = [s if s and s > on else None for s in starts]
        if adults and children and adults != children:
            return f"{adults} for adults and on {children} for children and youth"
        start = everybody or adults or children
        return str(start or "")

    def is_for_a_person(self, on: date) -> bool:
        return self.data.for_a_person is not None and self.data.for_a_person.covers(on)


@dataclass(frozen=True, slots=True)
class PolicyExclusion:
    """An exclusion of one service family, by its name in the file."""

    name: str
    data: Exclusion
    node: Node


@dataclass(frozen=True, slots=True)
class PolicyLimit:
    """A limit of Community Supports, with the exception that lifts the limit."""

    name: str
    data: Limit
    unless: Node | None


@dataclass(frozen=True, slots=True)
class PolicyReading:
    """How a statement of a page is read, with the criterion that says on whom it bears."""

    name: str
    data: PageReading
    when: Node | None


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules of one plan from one date on; `version` names the file (`HPSM/2024-01-01`)."""

    plan: str
    version: str
    start: date
    data: PolicyData
    populations: tuple[PolicyPopulation, ...]
    supports: Mapping[str, Node]
    limits: tuple[PolicyLimit, ...]
    exclusions: tuple[PolicyExclusion, ...]
    gate: Node | None
    readings: tuple[PolicyReading, ...]
    coverage: Node

    def family(self, service: str) -> str:
        """Return `ecm` or `community-supports`; an unknown service counts as a support."""
        known = self.data.services.get(service)
        return known.family if known else "community-supports"

    def cell(self, service: str, county: str | None) -> Cell | None:
        """Return the plan's entry for a service in a county; None: the plan lists none."""
        cells = self.data.availability.get(service, {})
        if not self.data.counties:
            return cells.get(ANY_COUNTY)
        return cells.get(county) if county else None

    def county_start(self, county: str | None) -> CountyStart | None:
        """Return what the undated offers of a county rest on; None: nothing is stated."""
        place = county if self.data.counties else ANY_COUNTY
        return self.data.county_starts.get(place) if place else None

    def advice(self, key: str | None) -> str | None:
        """Return the plan's advice for a reason, in English; None: the plan has no advice."""
        words = self.data.advice.get(key) if key else None
        return words.en if words else None

    def has_secondary_criteria(self, service: str) -> bool:
        """Tell whether criteria of a support come from another plan's documents."""
        support = self.data.supports.get(service)
        return support is not None and any(way.secondary for way in support.any_of)


def build(version: str, start: date, data: PolicyData, dictionary: Dictionary) -> Policy:
    """Compile a policy. Raises `PolicyFault` with the place in the file that cannot be compiled."""
    definitions = {name: (d.when, d.citation) for name, d in data.definitions.items()}
    compiler = _PolicyCompiler(Compiler(dictionary, frozenset(data.counts), definitions))
    return Policy(
        plan=data.plan,
        version=version,
        start=start,
        data=data,
        populations=tuple(_population(compiler, c, p) for c, p in data.populations.items()),
        supports={
            code: compiler.ways(("supports", code), code, support.any_of)
            for code, support in data.supports.items()
        },
        limits=tuple(_limit(compiler, name, limit) for name, limit in data.limits.items()),
        exclusions=tuple(
            PolicyExclusion(n, e, _exclusion(compiler, n, e)) for n, e in data.exclusions.items()
        ),
        gate=None
        if data.gate is None
        else compiler.one(("gate", "when"), data.gate.when, data.gate.citation),
        readings=tuple(_reading(compiler, name, r) for name, r in data.readings.items()),
        coverage=yes_no("coverage_active", data.coverage.citation),
    )


class PolicyFault(ValueError):
    """Says that a policy cannot be compiled; `place` is the path of keys to the fault."""

    def __init__(self, place: tuple[str | int, ...], fault: str) -> None:
        super().__init__(fault)
        self.place = place


class _PolicyCompiler:
    """Compiles the criteria of a file, and adds the place in the file to each fault."""

    def __init__(self, compiler: Compiler) -> None:
        self._compiler = compiler

    def one(self, place: tuple[str | int, ...], text: str, citation: str) -> Node:
        try:
            return self._compiler.compile(text, citation)
        except ExpressionFault as fault:
            raise PolicyFault(place, str(fault)) from None

    def ways(self, place: tuple[str | int, ...], code: str, ways: tuple[CriteriaWay, ...]) -> Node:
        """Compile all ways to qualify into one node named `code`; one met way is enough."""
        children = []
        for index, way in enumerate(ways):
            node = self.one((*place, "any_of", index, "when"), way.when, way.citation)
            name = way.name or "criteria"
            parts = node.children if isinstance(node, All) else (node,)
            children.append(every(name, way.citation, parts))
        citation = "; ".join(dict.fromkeys(way.citation for way in ways))
        return AnyOf(name=code, citation=citation, children=tuple(children))


def _population(compiler: _PolicyCompiler, code: str, data: PopulationData) -> PolicyPopulation:
    everybody = compiler.ways(("populations", code), code, data.any_of)
    once = Defined(name=f"{code} criteria", citation=everybody.citation, children=(everybody,))
    aged = {}
    for age in ("adult", "child"):
        test = compiler.one(("populations", code, "live_adults"), age, data.live_citation)
        aged[age] = every(code, data.live_citation, (test, once))
    return PolicyPopulation(code, data, everybody, aged["adult"], aged["child"])


def _exclusion(compiler: _PolicyCompiler, name: str, exclusion: Exclusion) -> Node:
    node = compiler.one(("exclusions", name, "when"), exclusion.when, exclusion.citation)
    return renamed(node, f"excluded: {name}")


def _limit(compiler: _PolicyCompiler, name: str, limit: Limit) -> PolicyLimit:
    if limit.unless is None:
        return PolicyLimit(name, limit, None)
    place = ("limits", name, "unless")
    return PolicyLimit(name, limit, compiler.one(place, limit.unless, limit.citation))


def _reading(compiler: _PolicyCompiler, name: str, reading: PageReading) -> PolicyReading:
    if reading.when is None:
        return PolicyReading(name, reading, None)
    place = ("readings", name, "when")
    return PolicyReading(name, reading, compiler.one(place, reading.when, reading.citation))


def _since(live: Mapping[str, date], county: str, on: date) -> bool:
    start = live.get(county, live.get(ANY_COUNTY))
    return start is not None and start <= on
