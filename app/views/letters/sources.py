"""Where a rule comes from, in words: `S003:L36; G26 p.19` as a person can look it up. PURE."""

import re

from app.policy.letter_words import Words

_PAGE = re.compile(r"(S00\d):L(.+)")
_GUIDE = re.compile(r"G26 p\.(.+)")
_DOCUMENT = re.compile(r"(S00\d:L|G26 p\.).")
_OTHERS = {"lacare": "L.A. Care"}


def in_words(citation: str, said: Words) -> str:
    """The sources of a citation, each once; an empty citation is this service's own rule."""
    named = [_one(source, said) for source in _together(citation.split("; ")) if source]
    return "; ".join(dict.fromkeys(named)) or said["sources"]["own"]


def _together(sources: list[str]) -> list[str]:
    """Lines of one page, and pages of the guide, named at one place: `S003:L50, 51`."""
    places: dict[str, list[str]] = {}
    for source in sources:
        found = _DOCUMENT.match(source)
        begins = found[1] if found else source
        places.setdefault(begins, []).append(source.removeprefix(begins))
    return [begins + ", ".join(dict.fromkeys(ends)) for begins, ends in places.items()]


def _one(source: str, said: Words) -> str:
    sources = said["sources"]
    if found := _PAGE.fullmatch(source):
        document = said["documents"].get(found[1], found[1])
        lines = found[2].replace("L", "")
        return str(
            sources["page_lines" if _many(lines) else "page"].format(document=document, line=lines)
        )
    if found := _GUIDE.fullmatch(source):
        return str(sources["guide_pages" if _many(found[1]) else "guide"].format(page=found[1]))
    if source.startswith("CO-"):
        return str(sources["other_plan"].format(document=f"CalOptima Health, {source[3:]}"))
    kind, _, address = source.partition(":")
    if kind == "W" and "." not in address:
        document = _OTHERS.get(address, address)
        return str(sources["other_plan"].format(document=document))
    if kind in ("W", "GH") and address:
        return str(sources["web"].format(address=address))
    return str(sources["own"])


def _many(places: str) -> bool:
    """Whether `19-21` or `50, 51` is more than one line or page."""
    return "-" in places or "," in places
