"""The registry of sources: what each key of a citation stands for, with title, plan and dates.

`sources.yaml` has every source once. A citation names sources by key and place, separated by `; `:
`S003:L36; G26 p.19`. Between the lines of the plan's own page and the other sources stands at most
one of the words `RELATIONS`, which says why the other sources are there.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Literal

from app.policy.catalog_schema import PolicyText, Shape, TranslatedWords
from app.policy.read_files import read_shape

SILENT = "silent"
#: After lines of the plan's own page: the page names the service without criteria; it says a part
#: of the rule; it points to another document. `silent` stands first: the page does not say it.
RELATIONS = ("named", "in-part", "points-to", SILENT)
#: The kinds of source that are a plan's own page, and count as such where a rule must cite one.
OWN_PAGES = ("plan-page-members", "plan-page-providers", "page")
_FILE = Path(__file__).with_name("sources.yaml")
_KEY = re.compile(r"(S\d{3}|G26|CO-\d+|facts)(?:[: ](.+))?")


class RegisteredSource(Shape):
    """One source: its title in words, whose it is, its dates as far as the source gives them."""

    title: TranslatedWords
    kind: Literal[
        "plan-page-members",
        "plan-page-providers",
        "page",
        "plan-memo",
        "guide",
        "other-plan",
        "web",
        "law",
        "ours",
        "unverified",
    ]
    plan: str | None = None
    publisher: str | None = None
    posted: date | None = None
    modified: date | None = None
    dated_by: str | None = None  # the line that gives the dates
    length: int | None = None  # lines of a page, pages of the guide
    address: str | None = None
    note: PolicyText | None = None


class _RegistryFile(Shape):
    sources: Mapping[str, RegisteredSource]
    words: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class CitedPlace:
    """One part of a citation: the key of its source, and the place in the source (`L36`)."""

    key: str
    place: str


@cache
def _read() -> _RegistryFile:
    return read_shape(_FILE, _RegistryFile)


def registry() -> Mapping[str, RegisteredSource]:
    """Return every source by its key. Raises `ValueError` that names the entry at fault."""
    return _read().sources


def registry_words(language: str) -> Mapping[str, Any]:
    """Return the words that join sources in a language; in English where there are none."""
    known = _read().words
    return known.get(language, known["en"])


@cache
def own_pages(plan: str) -> frozenset[str]:
    """Name the sources that are pages of a plan; none for a plan without a page."""
    return frozenset(
        key
        for key, source in registry().items()
        if source.plan == plan and source.kind in OWN_PAGES
    )


def source_id(key: str) -> str:
    """Write the key of a source for an address: `W:lacare/76591` → `w-lacare-76591`."""
    return re.sub(r"[^a-z0-9]+", "-", key.lower()).strip("-")


@lru_cache(maxsize=4096)
def place_of(source: str) -> CitedPlace:
    """Split one source of a citation: `S003:L36` → key `S003`, place `L36`."""
    if source not in registry() and (known := _KEY.fullmatch(source)):
        return CitedPlace(known[1], known[2] or "")
    return CitedPlace(source, "")


def places(citation: str) -> Iterator[CitedPlace]:
    """List the sources of a citation, without the words of `RELATIONS`."""
    yield from map(place_of, cited_parts(citation))


def cited_parts(citation: str) -> list[str]:
    """Split a citation into its sources as they are written, without the words of `RELATIONS`."""
    return [part for part in citation.split("; ") if part and part not in RELATIONS]


def faults_of(citation: str) -> Iterator[str]:
    """Find the sources of a citation that have no title, and the places beyond a source's end."""
    for place in places(citation):
        source = registry().get(place.key)
        if source is None:
            yield f"{place.key} has no title; expected an entry in {_FILE.name}"
        elif source.length is not None:
            numbers = [int(n) for n in re.findall(r"\d+", place.place.partition(" fn ")[0])]
            if numbers and max(numbers) > source.length:
                yield f"{place.key} ends at {source.length}; found {max(numbers)}"
