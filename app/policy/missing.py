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

    Each of `alternatives` is a set of criteria (all of them in `asked`) of which one is enough: a
    fact counts only where it decides at least one of those sets.
    """
    atoms: dict[str, int] = {}
    leaves: list[tuple[int, Node]] = []
    ways = {id(node): _ways(node, said, atoms, leaves) for node, said in asked}
    matters = 0
    for criteria in alternatives:
        for way in _shortest([way for node, _ in criteria for way in ways[id(node)]]):
            matters |= way
    named: dict[str, None] = {}
    for bit, leaf in leaves:
        if bit & matters:
            named.update(dict.fromkeys(leaf.wanted(reading)))
    return tuple(named)


def _ways(
    node: Node, said: Criterion, atoms: dict[str, int], leaves: list[tuple[int, Node]]
) -> list[int]:
    """The sets of unknown leaves (as bits) that would together make the node true."""
    if said.result is not None:
        return []
    if not node.children:
        bit = atoms.setdefault(node.name, 1 << len(atoms))
        leaves.append((bit, node))
        return [bit]
    parts = [
        _ways(child, part, atoms, leaves)
        for child, part in zip(node.children, said.children, strict=True)
        if part.result is None
    ]
    if not node.joins:
        return [way for part in parts for way in part]
    ways = parts[0]
    for part in parts[1:]:
        ways = [way | other for way in ways for other in part]
    return ways


def _shortest(ways: list[int]) -> list[int]:
    """Those that do not contain another: the rest could change nothing."""
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
