"""Reads the name-value pairs of FHIR searches, for all sources of resources alike. PURE.

FHIR R4, "Search": repeated parameters must all hold, commas separate alternatives. A parameter that
is unknown, not served or empty is ignored with a warning, unless the caller asked for strict
handling (`app.store.reading.subset`). Sources are the database (`app.store.reading.query`), the
forms in memory (`app.views.forms.search`) and an organization's Subscriptions
(`app.api.subscriptions`); each source reads its own parameters.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar
from urllib.parse import urlencode

from app.base.errors import Issue, Refusal
from app.fhir.subset import Subset
from app.store.reading.subset import SUBSET, empty, is_empty, is_fault, narrowed, too_often
from app.store.reading.values import ABOUT_THE_FORM, UnreadableValue

COUNT, CURSOR = "_count", "_cursor"
MAX_COUNT = 100
_LONGEST_COUNT = 9


@dataclass(slots=True)
class Search:
    """A search of one source: how much to show, the parameters used, and the warnings."""

    #: The resource type.
    kind: str
    count: int = MAX_COUNT
    #: The position where the page begins; None for the first page.
    cursor: str | None = None
    #: How much of each match is shown.
    subset: Subset = field(default_factory=Subset)
    warnings: list[Issue] = field(default_factory=list)
    #: The pairs that were used, for the links; without the cursor.
    used: list[tuple[str, str]] = field(default_factory=list)

    #: Parameters that are ignored, since they do not change the matches.
    PASSED_OVER: ClassVar[frozenset[str]] = ABOUT_THE_FORM
    #: Parameters that may occur once only.
    ONCE: ClassVar[frozenset[str]] = frozenset()
    #: Whether matches come in pages, so that `_cursor` is known.
    PAGED: ClassVar[bool] = True

    def take(self, name: str, value: str, *, strict: bool) -> Issue | None:
        """Reads a parameter of this source's own, and notes it in `used`.

        Returns the fault of the parameter, or a warning if it is ignored. Raises `UnreadableValue`.
        """
        raise NotImplementedError

    def show(self, count: str) -> None:
        """Reads `_count`. Raises `UnreadableValue`."""
        self.count = min(whole_number(count, f"takes a number from 0 to {MAX_COUNT}."), MAX_COUNT)

    def narrow(self, name: str, value: str) -> None:
        """Reads `_summary` or `_elements`. Raises `UnreadableValue`."""
        self.subset = narrowed(self.subset, name, value)

    def named(self, name: str) -> tuple[str, str]:
        """Splits a parameter into its own name and its modifier."""
        plain, _, modifier = name.partition(":")
        return plain, modifier

    def excess(self) -> list[Issue]:
        """Lists the faults of the search as a whole: it asks for more than one search may."""
        return []

    def link(self, base: str, cursor: str | None = None) -> str:
        """Returns the address that repeats this search, from `cursor` on."""
        pairs = [*self.used, *([(CURSOR, cursor)] if cursor else [])]
        encoded = urlencode(pairs, safe=":/|,")
        return f"{base}/{self.kind}" + (f"?{encoded}" if encoded else "")


def read_into(search: Search, asked: Sequence[tuple[str, str]], *, strict: bool) -> None:
    """Reads pairs into a search. Raises `Refusal` (400) with every fault at once."""
    faults = too_often(asked)
    seen: set[str] = set()
    for name, value in asked:
        issue = _read(search, name, value, seen, strict)
        if issue is not None:
            (faults if is_fault(issue) else search.warnings).append(issue)
    faults += search.excess()
    if faults:
        raise Refusal(400, faults)


def _read(search: Search, name: str, value: str, seen: set[str], strict: bool) -> Issue | None:
    """Reads one pair into the search; returns its fault, or a warning if it is ignored."""
    if name in search.PASSED_OVER:
        return None
    if name in search.ONCE and name in seen:
        return Issue("value", f"{name} may be given once only.")
    if is_empty(name, value):
        return empty(name, strict=strict)
    seen.add(name)
    try:
        return _take(search, name, value, strict)
    except UnreadableValue as unreadable:
        return Issue("value", f"{search.named(name)[0]} {unreadable}")


def _take(search: Search, name: str, value: str, strict: bool) -> Issue | None:
    if name == CURSOR and search.PAGED:
        search.cursor = value
        return None
    if name == COUNT:
        search.show(value)
    elif name in SUBSET:
        search.narrow(name, value)
    else:
        return search.take(name, value, strict=strict)
    search.used.append((name, value))
    return None


def whole_number(value: str, text: str) -> int:
    """Reads a number as `_count` takes it. Raises `UnreadableValue` with `text`."""
    if not (value.isascii() and value.isdigit() and len(value) <= _LONGEST_COUNT):
        raise UnreadableValue(text)
    return int(value)
