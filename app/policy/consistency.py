"""Finds faults in a policy that the schema cannot find, and the facts that the policies read.

- `dangling`: a name that leads nowhere: a service, county, fact, advice, contact or calendar.
- `unreachable`: a rule that can never apply, most often for a misspelt name or a missing date.
- `unused`: a definition, count or advice that no criterion uses.
- `unasked`: a fact that a rule reads and that no form asks for.
- `facts_used`: the facts that policies read for a service. The forms ask for these facts
  (`app.views.forms`).

The schema has checked the shape of the file before; the compiler checks the criteria.
"""

import re
from collections.abc import Iterable, Iterator, Mapping

from app.policy.criteria import All, AnyOf, AnyOfCodes, CodesCounted, Defined, Node, Numbers, YesNo
from app.policy.dictionary import KNOWN_FROM_RESOURCES, Dictionary
from app.policy.policy import ANY_COUNTY, UTILIZATION, Policy
from app.policy.read_files import FilePlace
from app.policy.reading import DERIVED_FROM
from app.policy.schema import PolicyData
from app.policy.vocabulary import words_of

#: Names that the engine itself uses; they need no criterion.
_ALWAYS_USED = frozenset({"adult", "child", "announced", "begins", "partial", "secondary-source"})
_NAME = re.compile(r"[a-z_][a-z0-9_]*")


def unreachable(policy: Policy, dictionary: Dictionary) -> Iterator[tuple[FilePlace, str]]:
    """Find each rule that can never apply: its place in the file, and why."""
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
    """List the facts that the rules read and that no form asks for."""
    used = frozenset[str]().union(
        *(facts_used([policy], service, dictionary) for service in policy.data.services)
    )
    yield from sorted(name for name in used - KNOWN_FROM_RESOURCES if not dictionary[name].forms)


def unused(policies: Iterable[Policy]) -> Iterator[FilePlace]:
    """Find the definitions, counts and advice that no criterion of any of the policies uses."""
    stated: dict[FilePlace, None] = {}
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
    yield from (reading.when for reading in data.readings.values() if reading.when)
    if data.gate is not None:
        yield data.gate.when


def _dates(policy: Policy, code: str) -> Iterator[tuple[FilePlace, str]]:
    """Check that a population is live in some county, and in no county before ECM itself."""
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


def _ways(place: FilePlace, node: Node, dictionary: Dictionary) -> Iterator[tuple[FilePlace, str]]:
    for index, way in enumerate(node.children):
        if _never(way, dictionary):
            yield (
                (*place, "any_of", index, "when"),
                "can never be met: its parts exclude each other",
            )


def _never(node: Node, dictionary: Dictionary) -> bool:
    """Tell whether no facts at all can meet a criterion, by its ages and numbers of codes: `age >=
    21 and age < 18`, or more codes than the list can have.
    """
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
    """Return the highest and the lowest age that meet all parts of an `and`."""
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


def facts_used(policies: Iterable[Policy], service: str, dictionary: Dictionary) -> frozenset[str]:
    """Name all facts that a policy reads to decide a service; events are named by their parts."""
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
    """Name the facts of a criterion and its parts, and the facts that these are derived from."""
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


_NUMBERS = ("integer", "money")


def dangling(
    data: PolicyData, dictionary: Dictionary, calendars: frozenset[str]
) -> Iterator[tuple[FilePlace, str]]:
    """Find each name that leads nowhere: its place in the file, and what was expected."""
    yield from _services(data)
    yield from _counties(data)
    yield from _facts(data, dictionary)
    yield from _readings(data)
    for name, exclusion in data.exclusions.items():
        for key in ("advice", "advice_if_true"):
            advice = getattr(exclusion, key)
            if advice is not None and advice not in data.advice:
                yield ("exclusions", name, key), f"{advice!r} is not among advice"
    for section in ("contact_only", "channels"):
        for name, entry in getattr(data.catalog, section).items():
            if entry.contact is not None and entry.contact not in data.contacts:
                place = ("catalog", section, name, "contact")
                yield place, f"{entry.contact!r} is not among contacts"
    for code in data.catalog.descriptions:
        if code not in data.services:
            yield ("catalog", "descriptions", code), f"{code!r} is not among services"
    if data.clocks.calendar not in calendars:
        yield ("clocks", "calendar"), f"expected one of {', '.join(sorted(calendars))}"


def _services(data: PolicyData) -> Iterator[tuple[FilePlace, str]]:
    sections: Mapping[str, Iterable[str]] = {
        "availability": data.availability,
        "supports": data.supports,
        "terms": data.terms,
    }
    for section, names in sections.items():
        for name in names:
            if name not in data.services:
                yield (section, name), f"{name!r} is not among services"
    for name, limit in data.limits.items():
        for index, service in enumerate(limit.services):
            if service not in data.services:
                yield ("limits", name, "services", index), f"{service!r} is not among services"
    for name in data.availability:
        known = data.services.get(name)
        if known and known.family == "community-supports" and name not in data.supports:
            yield ("availability", name), "is offered, but supports states no criteria"


def _counties(data: PolicyData) -> Iterator[tuple[FilePlace, str]]:
    known = set(data.counties) or {ANY_COUNTY}
    for service, cells in data.availability.items():
        for county in cells:
            if county not in known:
                yield ("availability", service, county), f"expected one of {sorted(known)}"
            yield from _undated(data, service, county)
    for code, population in data.populations.items():
        for key in ("live", "live_adults", "live_children"):
            for county in getattr(population, key):
                if county not in known:
                    yield ("populations", code, key, county), f"expected one of {sorted(known)}"
        period = population.for_a_person
        if period and period.last and period.last < period.first:
            yield ("populations", code, "for_a_person"), "ends before it begins"


def _undated(data: PolicyData, service: str, county: str) -> Iterator[tuple[FilePlace, str]]:
    """Check that an offer without a date on the page begins on the day that its county gives."""
    cell, start = data.availability[service][county], data.county_starts.get(county)
    if cell.dated:
        return
    place = ("availability", service, county, "dated")
    if start is None:
        yield place, f"rests on nothing; expected {county} among county_starts"
    elif start.first not in (None, cell.start):
        yield place, f"rests on {start.first}, but start is {cell.start}"


def _readings(data: PolicyData) -> Iterator[tuple[FilePlace, str]]:
    known: Mapping[str, Iterable[str]] = {
        "services": data.services,
        "populations": data.populations,
        "counties": data.counties,
        "reasons": words_of("reasons"),
    }
    for name, reading in data.readings.items():
        for key, names in known.items():
            for index, named in enumerate(getattr(reading, key)):
                if named not in names:
                    yield ("readings", name, key, index), f"{named!r} is not among {key}"
        section, _, entry = reading.stands.partition(".")
        place = getattr(data, section, None)
        if place is None or (entry and entry not in place):
            yield ("readings", name, "stands"), f"this policy has no {reading.stands}"


def _facts(data: PolicyData, dictionary: Dictionary) -> Iterator[tuple[FilePlace, str]]:
    for index, fact in enumerate(data.asks_beside):
        if fact not in dictionary:
            yield ("asks_beside", index), f"{fact!r} is no fact of the dictionary"
    for name, limit in data.limits.items():
        for key in ("used", "requested"):
            fact = getattr(limit, key)
            if fact is not None and (
                fact not in dictionary or dictionary[fact].type not in _NUMBERS
            ):
                yield ("limits", name, key), f"{fact!r} is no number of the dictionary"
    for name, exclusion in data.exclusions.items():
        for key in ("advice_when", "set_aside_by"):
            fact = getattr(exclusion, key)
            if fact is not None and (fact not in dictionary or dictionary[fact].type != "boolean"):
                yield ("exclusions", name, key), f"{fact!r} is no yes/no fact of the dictionary"
