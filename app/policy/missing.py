"""Finds the facts to ask for: the facts whose value could change an answer that is unknown.

Example: a member is referred for ECM, and `homeless` and `complex_need` are not known.
- The criterion of adults is `homeless and complex_need`: both facts together would meet it.
- The criterion of families is `homeless`: one fact alone would meet it.
One met criterion is enough, so only `homeless` is asked for: once `homeless` is true the families'
criterion is met, and once it is false no criterion is. `complex_need` changes nothing.

A *way* is a set of unknown leaves that would together make a criterion true. The adults have the
way {homeless, complex_need}, the families the way {homeless}. A way that contains a shorter way is
left out; the facts of the ways that stay are asked for. A fact is not asked for either where its
`and` is false already, or its `or` is true already (facts.md 6.4). This module decides nothing.
"""

from collections.abc import Iterable

from app.policy.criteria import Node
from app.policy.model import Criterion
from app.policy.reading import Reading

Answered = tuple[Node, Criterion]


def missing_facts(
    asked: Iterable[Answered], alternatives: Iterable[Iterable[Answered]], reading: Reading
) -> tuple[str, ...]:
    """List the facts that the unknown criteria of `asked` wait for, in the order of `asked`.

    Each item of `alternatives` is a set of criteria, all of them in `asked`. One met criterion is
    enough to answer a set. A fact is listed if it could answer at least one of the sets. Example:
    the live populations are one set (the rules approve), and the live populations with those that
    a person decides are another (the rules send the referral to a person).
    """
    atoms: dict[str, int] = {}
    leaves: list[tuple[int, Node]] = []
    ways = {id(node): _ways(node, answer, atoms, leaves) for node, answer in asked}
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
    node: Node, answer: Criterion, atoms: dict[str, int], leaves: list[tuple[int, Node]]
) -> list[int]:
    """List the ways of a node, each as the bits of its leaves. `atoms` maps the name of a leaf to
    its bit, so that the same leaf in two criteria has one bit.
    """
    if answer.result is not None:
        return []
    if not node.children:
        bit = atoms.setdefault(node.name, 1 << len(atoms))
        leaves.append((bit, node))
        return [bit]
    parts = [
        _ways(child, part, atoms, leaves)
        for child, part in zip(node.children, answer.children, strict=True)
        if part.result is None
    ]
    if not node.joins:
        return [way for part in parts for way in part]
    ways = parts[0]
    for part in parts[1:]:
        ways = [way | other for way in ways for other in part]
    return ways


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
