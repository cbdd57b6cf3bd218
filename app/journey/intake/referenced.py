"""What a referral names and this server has already: a member of the roster, facts that came with
an earlier referral.

Read as if it had been sent along, where whoever refers may see it; what they may not see is like
what does not exist, and the referral is taken all the same.
"""

from collections.abc import Iterator, Mapping, Set
from typing import Any

from app.base.heavy_work import mark_if_heavy, to_thread_if_heavy
from app.fhir.bundle import MAX_ENTRIES
from app.fhir.payload import WHOM, Resource, referenced
from app.fhir.r4.strict_json import parse
from app.fhir.reference import place_of, unversioned
from app.journey.intake.context import RequestContext
from app.model.caller import Caller
from app.store.database import ReadSource
from app.store.reading.access import Visibility, visibility
from app.store.reading.include import visible

#: Resources by the reference that names them.
ReferencedResources = list[tuple[str, dict[str, Any]]]

_KINDS = WHOM.keys() | {"Patient", "Organization"}


async def referenced_resources(
    source: ReadSource, tree: Resource, caller: Caller, context: RequestContext
) -> ReferencedResources:
    """What a payload (ServiceRequest or Bundle) names, of what its sender may see and read."""
    kinds = frozenset(kind for kind in _KINDS if caller.may(kind, "r"))
    named = await to_thread_if_heavy(_places, tree, context.fhir_base, kinds)
    return await _fetched(source, named, visibility(caller))


async def referenced_before(
    source: ReadSource, request: Resource, known: ReferencedResources, requester: str, base: str
) -> ReferencedResources:
    """`known`, what came with a stored referral, and what it names besides: whoever asks the rules
    again, it was its requester who could see that.
    """
    came = {name for name, _ in known}
    named = await to_thread_if_heavy(_places, request, base, _KINDS, came)
    return [*known, *await _fetched(source, named, Visibility(requester, (), ()))]


async def _fetched(
    source: ReadSource, named: Mapping[str, tuple[str, str]], seen: Visibility
) -> ReferencedResources:
    if not named:
        return []
    places = list(dict.fromkeys(named.values()))
    found = {(one.type, one.id): one.body for one in await visible(source, places, seen)}
    mark_if_heavy(sum(map(len, found.values())))
    trees = {place: await to_thread_if_heavy(parse, body) for place, body in found.items()}
    return [(name, trees[place]) for name, place in named.items() if place in trees]


def _places(
    tree: Resource, base: str, kinds: Set[str], but: Set[str] = frozenset()
) -> dict[str, tuple[str, str]]:
    """The first places that are named, of these kinds, under names that are not known already."""
    found: dict[str, tuple[str, str]] = {}
    for name, place in _named(tree, base):
        if place[0] in kinds and name not in but:
            found[name] = place
        if len(found) == MAX_ENTRIES:
            break
    return found


def _named(tree: Resource, base: str) -> Iterator[tuple[str, tuple[str, str]]]:
    """Every reference to a resource of ours that a rule may read, with its (type, id)."""
    for full_url, resource in _sent(tree):
        # A relative reference is to the server that its entry is from (FHIR R4, Bundle).
        ours = not full_url.startswith("http") or full_url.startswith(f"{base}/")
        for literal in _references(resource):
            place = place_of(literal, base)
            absolute = (literal or "").startswith(f"{base}/")
            if place and place.type in _KINDS and (ours or absolute):
                yield unversioned(str(literal)), place


def _sent(tree: Resource) -> Iterator[tuple[str, Resource]]:
    """The ServiceRequest, or each entry of the Bundle, with the address it was sent under."""
    if tree["resourceType"] == "ServiceRequest":
        yield "", tree
    for entry in tree.get("entry") or ():
        yield str(entry.get("fullUrl") or ""), entry.get("resource") or {}


def _references(resource: Resource) -> Iterator[str | None]:
    """What a referral says of whom and why; and whose a Coverage is: the plan's Organization."""
    if resource.get("resourceType") == "ServiceRequest":
        yield (resource.get("subject") or {}).get("reference")
        yield from referenced(resource)
        for contained in resource.get("contained") or ():
            yield from _payors(contained)
    yield from _payors(resource)


def _payors(resource: Resource) -> Iterator[str | None]:
    if resource.get("resourceType") == "Coverage":
        for payor in resource.get("payor") or ():
            yield payor.get("reference")
