"""Which facts still matter: those whose value could change an answer that is unknown.

A fact under an `and` that is false already, beside an `or` that is true already, or made idle by a
shorter way to the same answer is not named (facts.md 6.4). Nothing is decided here.
"""

from collections.abc import Iterable

from app.policy.criteria import Node
from app.policy.model import Criterion
from app.policy.reading import Reading

Answered = tuple[Node, Criterion]


def missing_facts(
    asked: Iterable[Answered], alternatives: Iterable[Iterable[Answered]], reading: Reading
) -> tuple[str, ...]:
    """The facts that the unknown nodes of `asked` wait for, in that order, once each.

    Each of `alternatives` is a set of criteria of which one is enough: a fact counts only where it
    decides at least one of those sets.
    """
    atoms: dict[str, int] = {}
    matters = 0
    for criteria in alternatives:
        ways = [way for node, said in criteria for way in _ways(node, said, atoms)]
        for way in _shortest(ways):
            matters |= way
    named: dict[str, None] = {}
    for node, said in asked:
        _collect(node, said, matters, atoms, reading, named)
    return tuple(named)


def _ways(node: Node, said: Criterion, atoms: dict[str, int]) -> list[int]:
    """The sets of unknown leaves (as bits) that would together make the node true."""
    if said.result is not None:
        return []
    if not node.children:
        return [atoms.setdefault(node.name, 1 << len(atoms))]
    parts = [
        _ways(child, part, atoms)
        for child, part in zip(node.children, said.children, strict=True)
        if part.result is None
    ]
    if not node.joins:
        return [way for part in parts for way in part]
    ways = [0]
    for part in parts:
        ways = _shortest([way | other for way in ways for other in part])
    return ways


def _shortest(ways: list[int]) -> list[int]:
    """Those that do not contain another: the rest could change nothing."""
    kept: list[int] = []
    for way in sorted(set(ways), key=int.bit_count):
        if not any(way & shorter == shorter for shorter in kept):
            kept.append(way)
    return kept


def _collect(
    node: Node,
    said: Criterion,
    matters: int,
    atoms: dict[str, int],
    reading: Reading,
    named: dict[str, None],
) -> None:
    if said.result is not None:
        return
    if not node.children:
        if atoms.get(node.name, 0) & matters:
            named.update(dict.fromkeys(node.wanted(reading)))
        return
    for child, part in zip(node.children, said.children, strict=True):
        _collect(child, part, matters, atoms, reading, named)
