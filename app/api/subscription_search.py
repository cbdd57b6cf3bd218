"""Which of an organization's Subscriptions a search finds. They are few, and read together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from sqlalchemy import RowMapping

from app.base.errors import Issue
from app.fhir.subscription import fhir_status
from app.store.reading.reader import Search, read_into, whole_number
from app.store.reading.subset import narrowed, unknown
from app.store.reading.values import ABOUT_THE_FORM, UnreadableValue, words

#: Parameter → its kind, and what it selects.
PARAMETERS: Mapping[str, tuple[str, str]] = {
    "_id": ("token", "The Subscription's id"),
    "criteria": ("string", "The topic's canonical URL"),
    "payload": ("token", "The Content-Type of its notifications"),
    "status": ("token", "`requested`, `active`, `error` or `off`"),
    "type": ("token", "The channel: `rest-hook` is the only one"),
    "url": ("uri", "The endpoint's URL, exactly"),
}


@dataclass(slots=True)
class SubscriptionSearch(Search):
    """What must hold of a Subscription, or the total `alone`. All that there is fits one page."""

    kind: str = "Subscription"
    tests: list[tuple[str, frozenset[str]]] = field(default_factory=list)
    #: Whether the total is asked for without the Subscriptions.
    alone: bool = False

    PASSED_OVER: ClassVar[frozenset[str]] = ABOUT_THE_FORM | {"_total"}
    PAGED: ClassVar[bool] = False

    def take(self, name: str, value: str, *, strict: bool) -> Issue | None:
        """What must hold."""
        if name not in PARAMETERS:
            return unknown(self.kind, name, strict=strict)
        wanted = frozenset(words(value))
        if not wanted:
            raise UnreadableValue("needs a value.")
        self.tests.append((name, wanted))
        self.used.append((name, value))
        return None

    def show(self, count: str) -> None:
        """Of a count, whether it is 0."""
        self.alone = whole_number(count, "takes a whole number.") == 0 or self.alone

    def narrow(self, name: str, value: str) -> None:
        """As of any resource; `_summary=count` asks for the total alone."""
        self.subset = narrowed(self.subset, name, value)
        self.alone = self.alone or self.subset.counts

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


def read_search(asked: Sequence[tuple[str, str]], *, strict: bool) -> SubscriptionSearch:
    """The search that pairs ask for. Raises `Refusal` (400) with every fault at once."""
    search = SubscriptionSearch()
    read_into(search, asked, strict=strict)
    return search
