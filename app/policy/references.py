"""Names in a policy file that lead nowhere: services, counties, facts, advice, calendars.

The schema has checked the shape before; criteria are checked when they are compiled.
"""

from collections.abc import Iterable, Iterator, Mapping

from app.policy.dictionary import Dictionary
from app.policy.policy import ANY_COUNTY
from app.policy.read_files import Place
from app.policy.schema import PolicyData

_NUMBERS = ("integer", "money")


def dangling(
    data: PolicyData, dictionary: Dictionary, calendars: frozenset[str]
) -> Iterator[tuple[Place, str]]:
    """Each name that nothing stands behind: where it is written, and what was expected."""
    yield from _services(data)
    yield from _counties(data)
    yield from _facts(data, dictionary)
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
    if data.clocks.calendar not in calendars:
        yield ("clocks", "calendar"), f"expected one of {', '.join(sorted(calendars))}"


def _services(data: PolicyData) -> Iterator[tuple[Place, str]]:
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


def _counties(data: PolicyData) -> Iterator[tuple[Place, str]]:
    known = set(data.counties) or {ANY_COUNTY}
    for service, cells in data.availability.items():
        for county in cells:
            if county not in known:
                yield ("availability", service, county), f"expected one of {sorted(known)}"
    for code, population in data.populations.items():
        for key in ("live", "live_adults", "live_children"):
            for county in getattr(population, key):
                if county not in known:
                    yield ("populations", code, key, county), f"expected one of {sorted(known)}"
        period = population.for_a_person
        if period and period.last and period.last < period.first:
            yield ("populations", code, "for_a_person"), "ends before it begins"


def _facts(data: PolicyData, dictionary: Dictionary) -> Iterator[tuple[Place, str]]:
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
