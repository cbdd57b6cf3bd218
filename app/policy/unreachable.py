"""Rules of a policy that can never apply, and facts that nobody could answer: refused as faults.

A rule that nothing reaches is most often a slip of the pen: a misspelt name, a forgotten date.
"""

import re
from collections.abc import Iterable, Iterator, Mapping

from app.policy.criteria import All, AnyOf, CodesCounted, Defined, Node, Numbers
from app.policy.dictionary import KNOWN_FROM_RESOURCES, Dictionary
from app.policy.policy import Policy
from app.policy.read_files import Place
from app.policy.uses import facts_used

#: Names that the engine itself uses.
_ALWAYS_USED = frozenset({"adult", "child", "announced", "partial", "secondary-source"})
_NAME = re.compile(r"[a-z_][a-z0-9_]*")


def unreachable(policy: Policy, dictionary: Dictionary) -> Iterator[tuple[Place, str]]:
    """Each rule that can never apply: where it is written, and why."""
    for population in policy.populations:
        place = ("populations", population.code)
        yield from _dates(policy, population.code)
        yield from _ways(place, population.everybody, dictionary)
    for code, support in policy.supports.items():
        yield from _ways(("supports", code), support, dictionary)
    for name, limit in policy.data.limits.items():
        if not any(service in policy.supports for service in limit.services):
            yield ("limits", name, "services"), "limits no service that has criteria in supports"


def unasked(policy: Policy, dictionary: Dictionary) -> Iterator[str]:
    """The facts that the rules read and that no form asks for."""
    used = frozenset[str]().union(
        *(facts_used([policy], service, dictionary) for service in policy.data.services)
    )
    yield from sorted(name for name in used - KNOWN_FROM_RESOURCES if not dictionary[name].forms)


def unused(policies: Iterable[Policy]) -> Iterator[Place]:
    """Definitions, counts and advice that no criterion of any of the policies leads to."""
    stated: dict[Place, None] = {}
    used: set[str] = set(_ALWAYS_USED)
    for policy in policies:
        data = policy.data
        for section in ("definitions", "counts", "advice"):
            stated.update(dict.fromkeys((section, name) for name in getattr(data, section)))
        for text in _criteria(policy):
            used.update(_NAME.findall(text))
        for exclusion in data.exclusions.values():
            used.update(filter(None, (exclusion.advice, exclusion.advice_if_true)))
    yield from (place for place in stated if place[1] not in used)


def _criteria(policy: Policy) -> Iterator[str]:
    data = policy.data
    yield from (way.when for group in data.populations.values() for way in group.any_of)
    yield from (way.when for group in data.supports.values() for way in group.any_of)
    yield from (definition.when for definition in data.definitions.values())
    yield from (exclusion.when for exclusion in data.exclusions.values())
    yield from (limit.unless for limit in data.limits.values() if limit.unless)
    if data.gate is not None:
        yield data.gate.when


def _dates(policy: Policy, code: str) -> Iterator[tuple[Place, str]]:
    """A population is live somewhere, and nowhere before the service itself."""
    population = policy.data.populations[code]
    kinds = ("live", "live_adults", "live_children")
    dates = [start for kind in kinds for start in getattr(population, kind).values()]
    if not dates:
        expected = "expected live, or live_adults and live_children, with a date for each county"
        yield ("populations", code), f"is live in no county; {expected}"
        return
    period = population.for_a_person
    if period and period.last and period.last < min(dates):
        yield ("populations", code, "for_a_person"), f"ends before it is live ({min(dates)})"
    offered: Mapping[str, object] = policy.data.availability.get("ECM", {})
    for kind in kinds:
        for county, start in getattr(population, kind).items():
            cell = offered.get(county)
            first = getattr(cell, "start", None)
            if first is None or start < first:
                when = f"from {first}" if first else "never"
                fault = f"is live from {start}, but ECM is offered there {when}"
                yield ("populations", code, kind, county), fault


def _ways(place: Place, node: Node, dictionary: Dictionary) -> Iterator[tuple[Place, str]]:
    for index, way in enumerate(node.children):
        if _never(way, dictionary):
            yield (
                (*place, "any_of", index, "when"),
                "can never be met: its parts exclude each other",
            )


def _never(node: Node, dictionary: Dictionary) -> bool:
    """Whether no facts whatever meet a criterion, by ages and numbers of codes."""
    if isinstance(node, CodesCounted):
        most = len(dictionary[node.fact].codes)
        return node.compare in (">", ">=", "==") and node.number + (node.compare == ">") > most
    if isinstance(node, AnyOf):
        return all(_never(child, dictionary) for child in node.children)
    if isinstance(node, All | Defined):
        oldest, youngest = _ages(node)
        return youngest > oldest or any(_never(child, dictionary) for child in node.children)
    return False


def _ages(node: Node) -> tuple[int, int]:
    """The highest and the lowest age that meet what must hold together."""
    oldest, youngest = 200, 0
    if isinstance(node, Numbers) and node.terms == ("age",):
        number = int(node.number)
        if node.compare in ("<", "<=", "=="):
            oldest = number - (node.compare == "<")
        if node.compare in (">", ">=", "=="):
            youngest = number + (node.compare == ">")
    elif isinstance(node, All | Defined):
        for child in node.children:
            old, young = _ages(child)
            oldest, youngest = min(oldest, old), max(youngest, young)
    return oldest, youngest
