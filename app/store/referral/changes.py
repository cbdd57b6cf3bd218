"""The rows of one change to a referral, as `app.store.referral.store` writes them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import Table

from app.model.known import Placement
from app.model.record import Details, Referral


class StoredResource(NamedTuple):
    """One version of a resource of the referral, and the words by which a search finds it."""

    type: str
    id: str
    version: int
    body: bytes
    words: str


@dataclass(slots=True)
class Changes:
    """Rows of one move, collected by table and written in one statement."""

    before: Referral | None
    after: Referral
    rows: dict[Table, list[Mapping[str, Any]]] = field(default_factory=dict)
    #: The resources as the change leaves them, in the order in which they are stored.
    resources: list[StoredResource] = field(default_factory=list)
    #: The ServiceRequest as the change leaves it.
    request: Mapping[str, Any] = field(default_factory=dict)
    #: What `after` keeps as text: the content of the last decision.
    details: Details = field(default_factory=Details)
    #: (message id, organization) pairs: which organization gets which message.
    recipients: list[tuple[str, str]] = field(default_factory=list)
    #: The placement that the statement makes good; None where nobody is placed, or under locks.
    proposed: Placement | None = None
    #: Organizations that stop being parties with this change.
    departed: list[str] = field(default_factory=list)

    def body(self, kind: str, id_: str) -> bytes:
        """Returns a resource as the change leaves it. KeyError if it is not in the change."""
        for stored in self.resources:
            if (stored.type, stored.id) == (kind, id_):
                return stored.body
        raise KeyError(id_)

    def add(self, table: Table, **values: Any) -> None:
        self.rows.setdefault(table, []).append(values)
