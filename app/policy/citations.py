"""Words citations, so that a person can look a source up: never a code, always a title.

PURE. `S003:L35-37` becomes "Health Plan of San Mateo, page for providers, lines 35-37". Letters,
explanations, forms and the catalog take the words from here; the titles come from the registry.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from app.policy.catalog_schema import TranslatedWords
from app.policy.sources import RELATIONS, SILENT, CitedPlace, place_of, registry, registry_words

#: What a criterion rests on that cites nothing: this service's own rule.
_OURS = "E"


@dataclass(frozen=True, slots=True)
class CitedDocument:
    """One source of a citation in words, with all places in it; `key` is its key in the registry,
    None where the registry does not have it.
    """

    key: str | None
    words: str


@lru_cache(maxsize=4096)
def citation_in_words(citation: str, language: str = "en") -> str:
    """Word a citation in one sentence without a full stop; an empty citation is our own rule."""
    relation, own, others = _split(citation or _OURS)
    wording = registry_words(language)
    if relation is None:
        return _listed(own, language)
    beside = _listed(others, language)
    if relation == SILENT:
        return str(wording[SILENT].format(others=beside) if beside else wording["silent_alone"])
    said = _listed(own, language)
    return str(wording[relation].format(own=said, others=beside)) if beside else said


@lru_cache(maxsize=4096)
def cited_documents(citation: str, language: str = "en") -> tuple[CitedDocument, ...]:
    """List the sources of a citation in words, each once, those of the plan's own page first."""
    _, own, others = _split(citation)
    return tuple(_documents([*own, *others], language))


def _split(citation: str) -> tuple[str | None, list[CitedPlace], list[CitedPlace]]:
    """Split a citation at its relation: the relation, the sources before it, those after it."""
    parts = [part for part in citation.split("; ") if part]
    relation = next((part for part in parts if part in RELATIONS), None)
    at = parts.index(relation) if relation else len(parts)
    before = [place_of(part) for part in parts[:at]]
    after = [place_of(part) for part in parts[at:] if part not in RELATIONS]
    if relation not in (None, SILENT) and not before:
        relation = SILENT
    return relation, before, after


def _listed(cited: Iterable[CitedPlace], language: str) -> str:
    """Join documents; of two that one after the other have the same publisher, name it once."""
    texts: dict[str, None] = {}
    before = None
    for each in _documents(cited, language):
        source = registry().get(each.key or "")
        publisher = source.publisher if source else None
        same = publisher is not None and publisher == before
        texts[each.words.removeprefix(f"{publisher}, ") if same else each.words] = None
        before = publisher
    return "; ".join(texts)


def _documents(cited: Iterable[CitedPlace], language: str) -> list[CitedDocument]:
    """Word each document once, with all the places that are cited in it."""
    wording = registry_words(language)
    grouped: dict[str, list[str]] = {}
    for each in cited:
        grouped.setdefault(each.key, []).append(each.place)
    return [_document(key, places, wording, language) for key, places in grouped.items()]


def _document(
    key: str, places: list[str], wording: Mapping[str, Any], language: str
) -> CitedDocument:
    source = registry().get(key)
    if source is None:
        address = key.removeprefix("W:") if key.startswith("W:") and "." in key else ""
        return CitedDocument(None, address or str(wording["unknown"]))
    where = _places(key, [place for place in places if place], wording)
    return CitedDocument(key, ", ".join([_title(source.title, language), *where]))


def _title(title: TranslatedWords, language: str) -> str:
    return str(getattr(title, language, None) or title.en)


def _places(key: str, places: list[str], wording: Mapping[str, Any]) -> list[str]:
    """Word the places of one document: lines of a page, pages and footnotes of the guide."""
    if not places or key == "facts":
        return []
    if key.startswith("CO-"):
        return [str(wording["section"].format(places=", ".join(dict.fromkeys(places))))]
    pages, notes = zip(*(place.partition(" fn ")[::2] for place in places), strict=True)
    unit = "page" if key == "G26" else "line"
    return [_numbered(wording[unit], pages), *filter(None, [_numbered(wording["footnote"], notes)])]


def _numbered(forms: list[str], places: Iterable[str]) -> str:
    """Word numbers and ranges in order, each once: `24-25`, `25`, `31` → `lines 24-25, 31`."""
    found = re.findall(r"(\d+)(?:-(\d+))?", " ".join(places))
    spans: list[tuple[int, int]] = []
    for first, last in sorted((int(a), int(b or a)) for a, b in found):
        if spans and first <= spans[-1][1] + 1:
            spans[-1] = (spans[-1][0], max(last, spans[-1][1]))
        else:
            spans.append((first, last))
    if not spans:
        return ""
    texts = [str(a) if a == b else f"{a}-{b}" for a, b in spans]
    many = len(spans) > 1 or spans[0][0] != spans[0][1]
    return forms[many].format(places=", ".join(texts))
