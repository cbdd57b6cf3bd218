"""Fetches the stored resources that a referral references: the member in the roster, earlier facts.

The rules read them as if the sender had sent them along, if the sender may see them. A resource
that the sender may not see counts as one that does not exist; the referral is taken all the same.
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
from app.store.database import Source
from app.store.reading.access import Visibility, visibility
from app.store.reading.include import visible

#: Pairs of a reference and the resource that it names.
ReferencedResources = list[tuple[str, dict[str, Any]]]

_KINDS = WHOM.keys() | {"Patient", "Organization"}


async def referenced_resources(
    source: Source, tree: Resource, caller: Caller, context: RequestContext
) -> ReferencedResources:
    """Fetches the resources that a payload references and that its sender may see and read."""
    kinds = frozenset(kind for kind in _KINDS if caller.may(kind, "r"))
    named = await to_thread_if_heavy(_places, tree, context.fhir_base, kinds)
    return await _fetch(source, named, visibility(caller))


async def referenced_before(
    source: Source,
    request: Resource,
    known: ReferencedResources,
    requester: str,
    context: RequestContext,
) -> ReferencedResources:
    """Returns `known`, plus the further resources that a stored referral references.

    `known` are the resources stored with the referral. The others are fetched as its requester may
    see them, whoever asks the rules again.
    """
    came = {name for name, _ in known}
    named = await to_thread_if_heavy(_places, request, context.fhir_base, _KINDS, came)
    return [*known, *await _fetch(source, named, Visibility(requester, (), (), context.now))]


async def _fetch(
    source: Source, named: Mapping[str, tuple[str, str]], seen: Visibility
) -> ReferencedResources:
    if not named:
        return []
    places = list(dict.fromkeys(named.values()))
    bodies = {(each.type, each.id): each.body for each in await visible(source, places, seen)}
    mark_if_heavy(sum(map(len, bodies.values())))
    trees = {place: await to_thread_if_heavy(parse, body) for place, body in bodies.items()}
    return [(name, trees[place]) for name, place in named.items() if place in trees]


def _places(
    tree: Resource, base: str, kinds: Set[str], but: Set[str] = frozenset()
) -> dict[str, tuple[str, str]]:
    """Maps new names to (type, id), for references to these kinds; at most `MAX_ENTRIES`.

    `but`: the names that are known already.
    """
    places: dict[str, tuple[str, str]] = {}
    for name, place in _references_to_us(tree, base):
        if place[0] in kinds and name not in but:
            places[name] = place
        if len(places) == MAX_ENTRIES:
            break
    return places


def _references_to_us(tree: Resource, base: str) -> Iterator[tuple[str, tuple[str, str]]]:
    """Finds every reference to a resource of this server that a rule may read, with (type, id)."""
    for full_url, resource in _sent(tree):
        # A relative reference names a resource on the server of its own entry (FHIR R4, Bundle).
        ours = not full_url.startswith("http") or full_url.startswith(f"{base}/")
        for literal in _references(resource):
            place = place_of(literal, base)
            absolute = (literal or "").startswith(f"{base}/")
            if place and place.type in _KINDS and (ours or absolute):
                yield unversioned(str(literal)), place


def _sent(tree: Resource) -> Iterator[tuple[str, Resource]]:
    """Yields each entry of the Bundle with its `fullUrl`; the ServiceRequest with an empty text."""
    if tree["resourceType"] == "ServiceRequest":
        yield "", tree
    for entry in tree.get("entry") or ():
        yield str(entry.get("fullUrl") or ""), entry.get("resource") or {}


def _references(resource: Resource) -> Iterator[str | None]:
    """Yields the references of a referral to subject and reasons, of a Coverage to its payor."""
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
