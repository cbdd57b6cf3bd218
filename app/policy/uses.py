"""Which facts the policies read for a service, found in the criteria themselves. PURE.

The forms ask for these (`app.views.forms`); a fact that no policy reads is asked for by nobody's
rule.
"""

from collections.abc import Iterable, Iterator

from app.policy.compile import UTILIZATION
from app.policy.criteria import AnyOfCodes, CodesCounted, Node, Numbers, YesNo
from app.policy.dictionary import Dictionary
from app.policy.policy import Policy
from app.policy.reading import DERIVED_FROM


def facts_used(policies: Iterable[Policy], service: str, dictionary: Dictionary) -> frozenset[str]:
    """The names of all facts that some policy reads to decide a service, events in their parts."""
    found: set[str] = set()
    for policy in policies:
        found.update(_used(policy, service))
    if UTILIZATION in found:
        found.update(name for name in dictionary if name.startswith(UTILIZATION))
    return frozenset(found & set(dictionary))


def _used(policy: Policy, service: str) -> Iterator[str]:
    if service not in policy.data.services:
        return
    yield "coverage_active"
    yield "county"
    for node in _nodes(policy, service):
        yield from facts_of(node)
    family = policy.family(service)
    for exclusion in policy.exclusions:
        if exclusion.data.family == family:
            yield from filter(None, (exclusion.data.advice_when, exclusion.data.set_aside_by))
    for limit in policy.limits:
        if service in limit.data.services:
            yield from filter(None, (limit.data.used, limit.data.requested))
    if family == "community-supports":
        yield from policy.data.asks_beside


def _nodes(policy: Policy, service: str) -> Iterator[Node]:
    family = policy.family(service)
    yield from (e.node for e in policy.exclusions if e.data.family == family)
    if family == "ecm":
        yield from (population.everybody for population in policy.populations)
        return
    if policy.gate is not None:
        yield policy.gate
    if service in policy.supports:
        yield policy.supports[service]
    limits = (limit for limit in policy.limits if service in limit.data.services)
    yield from (limit.unless for limit in limits if limit.unless is not None)


def facts_of(node: Node) -> Iterator[str]:
    """The facts of a criterion and of all its parts, with those that can stand in for them."""
    match node:
        case YesNo():
            yield node.fact
            yield from node.asks
            yield from node.reads
            yield from DERIVED_FROM.get(node.fact, ())
        case Numbers():
            yield from node.terms
            yield from node.asks
        case AnyOfCodes() | CodesCounted():
            yield node.fact
        case _:
            pass
    for child in node.children:
        yield from facts_of(child)
