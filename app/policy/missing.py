"""Finds what to ask for: the facts whose value could change an answer that is unknown, and the
shortest ways to an answer.

Example: a member is referred for ECM, and `homeless` and `complex_need` are not known.
- The criterion of adults is `homeless and complex_need`: both facts together would meet it.
- The criterion of families is `homeless`: one fact alone would meet it.
One met criterion is enough, so only `homeless` is asked for: once `homeless` is true the families'
criterion is met, and once it is false no criterion is. `complex_need` changes nothing.

A *way* is a set of unknown leaves that would together make a criterion true. The adults have the
way {homeless, complex_need}, the families the way {homeless}. A way that contains a shorter way is
left out; the facts of the ways that stay are asked for. A fact is not asked for either where its
`and` is false already, or its `or` is true already (facts.md 6.4), nor where the question cannot
concern the member (`Reading.needless`). This module decides nothing.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TypeGuard

from app.policy.criteria import OPERATORS, Node, Numbers
from app.policy.model import Criterion, ShortestWay
from app.policy.reading import Reading


@dataclass(frozen=True, slots=True)
class AskedCriterion:
    """One criterion put to the facts: its node, its answer, and the population that it decides."""

    node: Node
    answer: Criterion
    population: str | None = None


@dataclass(frozen=True, slots=True)
class StillOpen:
    """What is asked for: all facts that could change the answer, and the ways, best first."""

    facts: tuple[str, ...] = ()
    ways: tuple[ShortestWay, ...] = ()


def find_open(
    asked: Sequence[AskedCriterion],
    alternatives: Iterable[Iterable[AskedCriterion]],
    reading: Reading,
    claimed: Collection[str] = (),
) -> StillOpen:
    """Find the facts that the unknown criteria of `asked` wait for, in the order of `asked`.

    Each item of `alternatives` is a set of criteria, all of them in `asked`. One met criterion is
    enough to answer a set. A fact is listed if it could answer at least one of the sets. Example:
    the live populations are one set (the rules approve), and the live populations with those that
    a person decides are another (the rules send the referral to a person).

    Ways are ranked: those of claimed populations, then the fewest facts, then the plan's order.
    Those with a fact that few have to tell (`Reading.seldom`) stand behind the others.
    """
    leaves = _Leaves(reading)
    ways = {id(each): leaves.possible(each) for each in asked}
    matters = 0
    ranked: dict[ShortestWay, None] = {}
    for criteria in alternatives:
        listed = [(bits, each.population) for each in criteria for bits in ways[id(each)]]
        for bits in _shortest([bits for bits, _ in listed]):
            matters |= bits
        ranked.update(dict.fromkeys(_ranked(listed, leaves, _rank(claimed, reading))))
    return StillOpen(leaves.wanted(matters), tuple(sorted(ranked, key=_rank(claimed, reading))))


def joined(parts: Sequence[AskedCriterion], reading: Reading) -> StillOpen:
    """Find the same where all parts must be met together, as the gate and the criteria of a
    support. A way through another service's answer stands behind the others.
    """
    facts: dict[str, None] = {}
    each_part: list[list[ShortestWay]] = []
    for part in parts:
        leaves = _Leaves(reading)
        bits = leaves.possible(part)
        for way in _shortest(bits):
            facts.update(dict.fromkeys(leaves.wanted(way)))
        each_part.append(_fewest(way for one in bits for way in leaves.enough(one)))
    ways = _fewest(_together(chosen) for chosen in product(*each_part)) if each_part else ()
    return StillOpen(tuple(facts), tuple(ways))


def _together(ways: Iterable[ShortestWay]) -> ShortestWay:
    """Join ways that must be gone together; the population is that of the way through ECM."""
    listed = tuple(ways)
    facts = dict.fromkeys(fact for way in listed for fact in way.facts)
    return ShortestWay(
        tuple(facts), next((way.population for way in listed if way.population), None)
    )


_OLDEST = 120
_Rank = Callable[[ShortestWay], tuple[bool, bool, int]]


class _Leaves:
    """The unknown leaves of criteria. Each has one bit, also where two criteria have the leaf."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._bits: dict[str, int] = {}
        self._known: list[tuple[int, Node]] = []

    def possible(self, asked: AskedCriterion) -> list[int]:
        """List the ways of a criterion, each as the bits of its leaves, without those that would
        need two ages at once.
        """
        ways = self._ways(asked.node, asked.answer)
        aged = [(bit, leaf) for bit, leaf in self._known if _is_age(leaf)]
        if len(aged) < 2:
            return ways
        return [way for way in ways if _one_age(leaf for bit, leaf in aged if bit & way)]

    def _ways(self, node: Node, answer: Criterion) -> list[int]:
        if answer.result is not None:
            return []
        if not node.children:
            if not self._reading.needless.isdisjoint(node.wanted(self._reading)):
                return []
            bit = self._bits.setdefault(node.name, 1 << len(self._bits))
            self._known.append((bit, node))
            return [bit]
        parts = [
            self._ways(child, part)
            for child, part in zip(node.children, answer.children, strict=True)
            if part.result is None
        ]
        if not node.joins:
            return [way for part in parts for way in part]
        ways = parts[0]
        for part in parts[1:]:
            ways = [way | other for way in ways for other in part]
        return ways

    def wanted(self, bits: int) -> tuple[str, ...]:
        """Name all facts that the leaves wait for."""
        named: dict[str, None] = {}
        for bit, leaf in self._known:
            if bit & bits:
                named.update(dict.fromkeys(leaf.wanted(self._reading)))
        return tuple(named)

    def enough(self, bits: int) -> list[ShortestWay]:
        """List the sets of facts that would make all these leaves true."""
        leaves = {bit: leaf for bit, leaf in self._known if bit & bits}.values()
        return [
            _together(each) for each in product(*(leaf.enough(self._reading) for leaf in leaves))
        ]


def _is_age(leaf: Node) -> TypeGuard[Numbers]:
    return isinstance(leaf, Numbers) and leaf.terms == ("age",)


def _one_age(leaves: Iterable[Numbers]) -> bool:
    """Tell whether one age in years can meet all these comparisons."""
    tests = [(OPERATORS[leaf.compare], leaf.number) for leaf in leaves]
    return any(all(test(age, number) for test, number in tests) for age in range(_OLDEST))


def _ranked(
    listed: Sequence[tuple[int, str | None]], leaves: _Leaves, rank: _Rank
) -> list[ShortestWay]:
    """Rank the ways of one set of criteria; those that contain another are left out."""
    ways = [
        ShortestWay(way.facts, population)
        for bits, population in listed
        for way in leaves.enough(bits)
    ]
    ways.sort(key=rank)
    by_size = sorted(range(len(ways)), key=lambda at: (len(ways[at].facts), at))
    kept = _without_longer([ways[at].facts for at in by_size])
    return [ways[by_size[at]] for at in sorted(kept, key=lambda at: by_size[at])]


def _rank(claimed: Collection[str], reading: Reading) -> _Rank:
    return lambda way: (
        way.population not in claimed,
        not reading.seldom.isdisjoint(way.facts),
        len(way.facts),
    )


def _fewest(ways: Iterable[ShortestWay]) -> list[ShortestWay]:
    """Sort ways by their number of facts, those through ECM last; those that contain another go."""
    listed = sorted(ways, key=lambda way: (way.population is not None, len(way.facts)))
    return [listed[at] for at in _without_longer([way.facts for way in listed])]


def _without_longer(ways: Sequence[tuple[str, ...]]) -> list[int]:
    """Find the places of the sets of facts that contain no set before them."""
    names: dict[str, int] = {}
    kept: list[tuple[int, int]] = []
    for at, facts in enumerate(ways):
        way = 0
        for fact in facts:
            way |= names.setdefault(fact, 1 << len(names))
        for _, shorter in kept:
            if way & shorter == shorter:
                break
        else:
            kept.append((at, way))
    return [at for at, _ in kept]


def _shortest(ways: list[int]) -> list[int]:
    """Keep the ways that contain no other way: the leaves of the others could change nothing."""
    if len(ways) < 2:
        return ways
    kept: list[int] = []
    for way in sorted(set(ways), key=int.bit_count):
        for shorter in kept:
            if way & shorter == shorter:
                break
        else:
            kept.append(way)
    return kept
