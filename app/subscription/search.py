"""Which of an organization's Subscriptions a search finds. They are few, and read together.

FHIR R4, "Search": repeated parameters must all hold, commas separate alternatives; one that is
unknown or empty is ignored with a warning, or refused under `Prefer: handling=strict`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import RowMapping

from app.errors import Issue, Refusal
from app.fhir.capability import Searched
from app.fhir.subscription import fhir_status
from app.fhir.subset import Subset
from app.reading.ignored import empty, is_empty, is_fault, too_often, unknown
from app.reading.subset import SUBSET, narrowed
from app.reading.values import ABOUT_THE_FORM, Unreadable, words

#: Parameter → its kind, and what it selects.
PARAMETERS: Mapping[str, tuple[str, str]] = {
    "_id": ("token", "The Subscription's id"),
    "criteria": ("string", "The topic's canonical URL"),
    "payload": ("token", "The Content-Type of its notifications"),
    "status": ("token", "`requested`, `active`, `error` or `off`"),
    "type": ("token", "The channel: `rest-hook` is the only one"),
    "url": ("uri", "The endpoint's URL, exactly"),
}
SEARCHED = Searched({name: kind for name, (kind, _) in PARAMETERS.items()})
#: About the form of the answer; all that there is fits one page.
_IGNORED = ABOUT_THE_FORM | {"_total"}


@dataclass(slots=True)
class Search:
    """What must hold, what was used, and what was not understood; or the total `alone`."""

    tests: list[tuple[str, frozenset[str]]] = field(default_factory=list)
    used: list[tuple[str, str]] = field(default_factory=list)
    warnings: list[Issue] = field(default_factory=list)
    alone: bool = False
    subset: Subset = field(default_factory=Subset)

    def finds(self, row: RowMapping) -> bool:
        """Whether a Subscription is among what is looked for."""
        has = {
            "_id": row["id"],
            "criteria": row["topic"],
            "payload": row["mime"],
            "status": fhir_status(row["status"]),
            "type": "rest-hook",
            "url": row["url"],
        }
        return all(has[name] in wanted for name, wanted in self.tests)


def read_search(asked: Sequence[tuple[str, str]], *, strict: bool) -> Search:
    """The search that pairs ask for. Raises `Refusal` (400) with every fault at once."""
    search = Search()
    faults = too_often(asked)
    for name, value in asked:
        if name in _IGNORED:
            continue
        try:
            if not is_empty(name, value) and _take(search, name, value):
                search.used.append((name, value))
                continue
        except Unreadable as unreadable:
            faults.append(Issue("value", f"{name} {unreadable}"))
            continue
        issue = (
            empty(name, strict=strict)
            if is_empty(name, value)
            else unknown("Subscription", name, strict=strict)
        )
        (faults if is_fault(issue) else search.warnings).append(issue)
    if faults:
        raise Refusal(400, faults)
    return search


def _take(search: Search, name: str, value: str) -> bool:
    """Reads one pair into the search; False where it is not known. Raises `Unreadable`."""
    if name == "_count":
        if not (value.isascii() and value.isdigit() and len(value) <= 9):
            raise Unreadable("takes a whole number.")
        search.alone = search.alone or value.strip("0") == ""
    elif name in SUBSET:
        search.subset = narrowed(search.subset, name, value)
        search.alone = search.alone or search.subset.counts
    elif name in PARAMETERS:
        wanted = frozenset(words(value))
        if not wanted:
            raise Unreadable("needs a value.")
        search.tests.append((name, wanted))
    else:
        return False
    return True
