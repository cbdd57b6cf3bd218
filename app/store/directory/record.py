"""What is written when network and roster change: PURE values, and the faults that refuse them.

Where rows go is `app.store.directory.store`; which line of a file a resource was,
`app.store.directory.load`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.base.errors import Issue

#: Written in this order: what comes later refers to what comes before.
TYPES = ("Organization", "HealthcareService", "Patient", "Coverage", "QuestionnaireResponse")
ROSTER_TYPES = frozenset({"Patient", "Coverage", "QuestionnaireResponse"})

Key = tuple[str, str]


def key(resource: Mapping[str, Any]) -> Key:
    """The type and id of a resource."""
    return str(resource["resourceType"]), str(resource["id"])


@dataclass(slots=True)
class LoadCounts:
    """What a load did, by resource type."""

    created: dict[str, int] = field(default_factory=dict)
    updated: dict[str, int] = field(default_factory=dict)
    unchanged: dict[str, int] = field(default_factory=dict)

    def count(self, kind: str, *, new: bool, changed: bool) -> None:
        counter = self.created if new else self.updated if changed else self.unchanged
        counter[kind] = counter.get(kind, 0) + 1

    def add(self, others: "LoadCounts") -> None:
        for mine, theirs in (
            (self.created, others.created),
            (self.updated, others.updated),
            (self.unchanged, others.unchanged),
        ):
            for kind, number in theirs.items():
                mine[kind] = mine.get(kind, 0) + number

    @property
    def written(self) -> int:
        return sum(self.created.values()) + sum(self.updated.values())


class Overtaken(Exception):
    """Another request wrote the resource after the caller had looked at it."""


@dataclass(eq=False)
class DirectoryRefused(Exception):
    """Resources that cannot be taken: every fault, by the resource it is about."""

    faults: list[tuple[Key, Issue]]

    def __str__(self) -> str:
        return f"{len(self.faults)} faults"
