"""Which forms a search finds. PURE: the forms are few, and stand in memory.

FHIR R4, "Search": repeated parameters must all hold, commas separate alternatives; one that is
unknown or empty is ignored with a warning, or refused under `Prefer: handling=strict`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.errors import Issue, Refusal
from app.fhir.subset import Subset
from app.letters import plain
from app.reading.ignored import empty, is_empty, is_fault, too_often, unknown
from app.reading.subset import SUBSET, narrowed
from app.reading.values import ABOUT_THE_FORM, Token, Unreadable, canonical, split, token, words

Json = Mapping[str, Any]

#: Parameter → its kind, and what it selects.
PARAMETERS: Mapping[str, tuple[str, str]] = {
    "_id": ("token", "The form's id: `ecm`, `cs-housing` …"),
    "context": ("token", "A service that the form is for: `EAA`, or `system|EAA`"),
    "name": ("string", "How its computer-friendly name begins; case does not matter"),
    "status": ("token", "Published forms are `active`"),
    "title": ("string", "How its English title begins; case does not matter"),
    "url": ("uri", "Its canonical address, exactly; `address|version` for one version alone"),
    "version": ("token", "Its version, which follows from what it asks"),
}
COUNT, CURSOR = "_count", "_cursor"
_IGNORED = ABOUT_THE_FORM | {"_total"}
#: Of strings: what each does.
MODIFIERS: Mapping[str, str] = {
    "exact": "exactly as it is written",
    "contains": "anywhere in the text",
}
#: Larger than the number of forms will ever be.
_MOST = 100


@dataclass(slots=True)
class FormSearch:
    """What to look for, how many to show, and after which form the page begins."""

    tests: list[Callable[[Json], bool]] = field(default_factory=list)
    count: int = _MOST
    after: str = ""
    subset: Subset = field(default_factory=Subset)
    used: list[tuple[str, str]] = field(default_factory=list)
    warnings: list[Issue] = field(default_factory=list)

    def find(self, forms: Iterable[Json]) -> tuple[list[Json], int, str | None]:
        """The page, the number of all matches, and where the next page begins."""
        found = [form for form in forms if all(test(form) for test in self.tests)]
        found.sort(key=lambda form: str(form["id"]))
        rest = [form for form in found if form["id"] > self.after]
        page = [] if self.subset.counts else rest[: self.count]
        more = 0 < len(page) < len(rest)
        return page, len(found), page[-1]["id"] if more else None


def read_search(asked: Sequence[tuple[str, str]], *, strict: bool) -> FormSearch:
    """The search that pairs ask for. Raises `Refusal` (400) with every fault at once."""
    search = FormSearch()
    faults = too_often(asked)
    for name, value in asked:
        try:
            issue = _take(search, name, value, strict)
        except Unreadable as unreadable:
            issue = Issue("value", f"{name.partition(':')[0]} {unreadable}")
        if issue is not None:
            (faults if is_fault(issue) else search.warnings).append(issue)
    if faults:
        raise Refusal(400, faults)
    return search


def _take(search: FormSearch, name: str, value: str, strict: bool) -> Issue | None:
    plain, _, modifier = name.partition(":")
    if name in _IGNORED:
        return None
    if name == CURSOR:
        search.after = value
        return None
    if is_empty(name, value):
        return empty(name, strict=strict)
    if name == COUNT:
        search.count = _count(value)
    elif name in SUBSET:
        search.subset = narrowed(search.subset, name, value)
    elif plain in PARAMETERS:
        search.tests.append(_test(plain, modifier, value))
    else:
        return unknown("Questionnaire", name, strict=strict)
    search.used.append((name, value))
    return None


def _count(value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) <= 9):
        raise Unreadable(f"takes a number from 0 to {_MOST}.")
    return min(int(value), _MOST)


def _test(name: str, modifier: str, value: str) -> Callable[[Json], bool]:
    wanted = words(value)
    if not wanted:
        raise Unreadable("needs a value.")
    kind = PARAMETERS[name][0]
    if modifier and (kind != "string" or modifier not in MODIFIERS):
        raise Unreadable("does not take this modifier.")
    if kind == "token":
        tokens = [token(word) for word in split(value) if word.strip()]
        return lambda form: any(_has(form, name, one) for one in tokens)
    if kind == "uri":
        named = [canonical(word) for word in split(value) if word.strip()]
        return lambda form: any(_is(form, one) for one in named)
    return lambda form: any(_reads(str(form[name]), word, modifier) for word in wanted)


def _reads(text: str, word: str, modifier: str) -> bool:
    if modifier == "exact":
        return text == word
    text, word = plain(text), plain(word)
    return word in text if modifier == "contains" else text.startswith(word)


def _is(form: Json, named: Token) -> bool:
    """Whether it is the form of this address, and of this version where one is asked for."""
    if named.system is None:
        return bool(form["url"] == named.code)
    return (form["url"], form["version"]) == (named.system, named.code)


def _has(form: Json, name: str, wanted: Token) -> bool:
    if name == "context":
        codings = [
            coding
            for use in form.get("useContext", ())
            for coding in use["valueCodeableConcept"]["coding"]
        ]
        return any(
            wanted.system in (None, coding["system"]) and wanted.code in (None, coding["code"])
            for coding in codings
        )
    return not wanted.system and wanted.code == form["id" if name == "_id" else name]
