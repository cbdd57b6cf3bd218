"""Puts the plan's own lines first in every citation, and finds the rules that have none.

A plan takes much from the criteria that plans share, whose citations name a guide or other plans'
documents. Its file says under `own_lines`, by section and name (`"*"`: all others), which lines of
the plan's own page say the same. A value that ends in `named`, `in-part`, `points-to` or `silent`
is followed by the sources of the shared citation; another value stands instead of it. Beside the
lines a quote may stand: `{citation: "S000:L133; named", quote: tailored}`.

Names, notes and core services, which all plans share and no rule reads, cite the lines of several
plans: of these the plan's own stay.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from app.policy.catalog_schema import Shape
from app.policy.read_files import FilePlace, Layer
from app.policy.schema import PolicyData
from app.policy.sources import (
    RELATIONS,
    SILENT,
    cited_parts,
    faults_of,
    own_pages,
    place_of,
    registry,
)

OWN_LINES = "own_lines"
_ANY = "*"
#: Sections without names below them: the section itself is cited.
_ONE = ("clocks", "default_term", "furthest_start", "coverage", "listing", "gate")
_NAMED = ("definitions", "counts", "exclusions", "limits", "terms", "correspondence", "automation")
#: Sections whose entries have ways to qualify, each with a citation of its own.
_WAYS = ("populations", "supports")
_LIVE = "live"
#: Where people read, and no rule does: the lines of the plan stay, those of other plans go.
_SHOWN = (("services",), ("catalog", "notes"), ("catalog", "core_services"))


def with_own_lines(layer: Layer) -> Layer:
    """Put the plan's own lines into the citations of a settled file. What cannot be read is left
    for the schema to refuse.
    """
    plan = layer.values.get("plan")
    if not isinstance(plan, str):
        return layer
    values = dict(layer.values)
    pages = own_pages(plan)
    stated = values.get(OWN_LINES)
    own = _Own(stated if isinstance(stated, dict) else {}, pages)
    for section in _ONE:
        if isinstance(values.get(section), dict):
            values[section] = own.cited(section, None, values[section])
    for section in _NAMED:
        _each(values, section, own.cited)
    for section in _WAYS:
        _each(values, section, own.ways)
    _each(values, "populations", own.live)
    for *above, section in _SHOWN if pages else ():
        _each(_inside(values, above), section, own.shown)
    return Layer(values, layer.origins)


class _Own:
    """The plan's own lines by section and name."""

    def __init__(self, stated: Mapping[str, Any], pages: frozenset[str]) -> None:
        self._stated = stated
        self._pages = pages

    def cited(
        self, section: str, name: str | None, entry: dict[str, Any], key: str = "citation"
    ) -> dict[str, Any]:
        """Return an entry with the plan's own lines in its citation and, if stated, its quote."""
        shared, own = entry.get(key), self._of(section, name)
        lines = own.get("citation") if own else None
        if not isinstance(shared, str) or not isinstance(lines, str) or self._begins(shared):
            return entry
        quote = {"quote": own["quote"]} if own and "quote" in own else {}
        kept = {k: v for k, v in entry.items() if k != "quote"}
        return {**kept, key: self._joined(lines, shared), **quote}

    def _begins(self, citation: str) -> bool:
        return place_of(citation.split("; ", 1)[0]).key in self._pages

    def _joined(self, lines: str, shared: str) -> str:
        *own, relation = lines.split("; ")
        if relation not in RELATIONS:
            return lines
        others = [part for part in cited_parts(shared) if place_of(part).key not in self._pages]
        return "; ".join([*own, relation, *others] if others or relation == SILENT else own)

    def ways(self, section: str, name: str, entry: dict[str, Any]) -> dict[str, Any]:
        ways = entry.get("any_of")
        if not isinstance(ways, list):
            return entry
        cited = [self.cited(section, name, w) if isinstance(w, dict) else w for w in ways]
        return {**entry, "any_of": cited}

    def live(self, _: str, name: str, entry: dict[str, Any]) -> dict[str, Any]:
        return self.cited(_LIVE, name, entry, "live_citation")

    def shown(self, section: str, name: str, entry: dict[str, Any]) -> dict[str, Any]:
        """Keep of an entry the lines of the plan; without any, say so. The quote is the wording of
        the first source, and stays with it.
        """
        entry = self.cited(section, name, entry)
        citation = entry.get("citation")
        if not isinstance(citation, str) or citation.startswith(SILENT):
            return entry
        parts = citation.split("; ")
        own = [part for part in parts if place_of(part).key in self._pages]
        cited = {**entry, "citation": "; ".join(own or [SILENT, *parts])}
        return {k: v for k, v in cited.items() if k != "quote" or not own or own[0] == parts[0]}

    def _of(self, section: str, name: str | None) -> dict[str, Any] | None:
        found = self._stated.get(section)
        if name is not None and isinstance(found, dict):
            found = found.get(name, found.get(_ANY))
        if isinstance(found, str):
            return {"citation": found}
        return found if isinstance(found, dict) else None


def _each(
    values: dict[str, Any],
    section: str,
    change: Callable[[str, str, dict[str, Any]], dict[str, Any]],
) -> None:
    entries = values.get(section)
    if isinstance(entries, dict):
        values[section] = {
            name: change(section, name, entry) if isinstance(entry, dict) else entry
            for name, entry in entries.items()
        }


def _inside(values: dict[str, Any], above: list[str]) -> dict[str, Any]:
    """Return the group below the keys `above`, copied on the way; an empty one if there is none."""
    for key in above:
        if not isinstance(values.get(key), dict):
            return {}
        values[key] = dict(values[key])
        values = values[key]
    return values


def is_own(citation: str, pages: frozenset[str]) -> bool:
    """Tell whether a citation begins with a line of one of the pages or says there is none."""
    first = citation.split("; ", 1)[0]
    return first == SILENT or place_of(first).key in pages


def uncited(data: PolicyData) -> Iterator[tuple[FilePlace, str]]:
    """Find each rule of a plan that has a page and is not cited to it: its place, what to do; and
    each source without a title.
    """
    pages = own_pages(data.plan)
    source = registry().get(data.source)
    if source is not None and source.plan not in (None, data.plan):
        yield ("source",), f"{data.source} is the page of another plan"
    for place, citation, _ in all_citations(data):
        yield from ((place, fault) for fault in faults_of(citation))
        if pages and place[0] in _RULES and not is_own(citation, pages):
            expected = f"expected one first, or {SILENT} and what it is taken from ({OWN_LINES})"
            yield (
                place,
                f"{citation!r} begins with no line of {', '.join(sorted(pages))}; {expected}",
            )


_RULES = frozenset({*_ONE, *_NAMED, *_WAYS, "availability"})


def all_citations(data: PolicyData) -> Iterator[tuple[FilePlace, str, str | None]]:
    """List every citation of a plan's data: its place in the file, the citation, the quote."""
    for section, value in data:
        if section not in (OWN_LINES, "switches"):
            yield from _citations(value, (section,))


def _citations(value: Any, place: FilePlace) -> Iterator[tuple[FilePlace, str, str | None]]:
    if isinstance(value, Shape):
        value = dict(value)
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key in ("citation", "live_citation") and isinstance(inner, str):
                yield (*place, key), inner, value.get(key.replace("citation", "quote"))
            else:
                yield from _citations(inner, (*place, key))
    elif isinstance(value, tuple | list):
        for index, inner in enumerate(value):
            yield from _citations(inner, (*place, index))
