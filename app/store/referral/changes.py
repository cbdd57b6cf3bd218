"""The rows of one change to a referral, as `app.store.referral.store` writes them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Table

from app.model.known import Placement
from app.model.record import Referral


@dataclass(slots=True)
class Changes:
    """Rows of one move, collected by table and written in one statement."""

    before: Referral | None
    after: Referral
    rows: dict[Table, list[Mapping[str, Any]]] = field(default_factory=dict)
    #: The ServiceRequest as the change leaves it.
    request: Mapping[str, Any] = field(default_factory=dict)
    #: (message id, organization) pairs: which organization gets which message.
    recipients: list[tuple[str, str]] = field(default_factory=list)
    #: The placement that the statement makes good; None where nobody is placed, or under locks.
    proposed: Placement | None = None
    #: Organizations that stop being parties with this change.
    departed: list[str] = field(default_factory=list)

    def add(self, table: Table, **values: Any) -> None:
        self.rows.setdefault(table, []).append(values)
