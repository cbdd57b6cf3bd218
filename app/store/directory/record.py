"""Values for changes of network and roster, and the faults that refuse a change. PURE.

`app.store.directory.store` writes the rows; `app.store.directory.load` knows the line of a file
that each resource comes from.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.base.errors import Issue

#: The types in the order of writing: a later type refers to an earlier one.
TYPES = ("Organization", "HealthcareService", "Patient", "Coverage", "QuestionnaireResponse")
ROSTER_TYPES = frozenset({"Patient", "Coverage", "QuestionnaireResponse"})

Key = tuple[str, str]


def key(resource: Mapping[str, Any]) -> Key:
    """Returns the type and the id of a resource."""
    return str(resource["resourceType"]), str(resource["id"])


@dataclass(slots=True)
class LoadCounts:
    """The number of resources that a load created, updated or left unchanged, by type."""

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
    """Another request wrote the resource after the caller had read it."""


@dataclass(eq=False)
class DirectoryRefused(Exception):
    """The refusal of resources: every fault, each with the key of its resource."""

    faults: list[tuple[Key, Issue]]

    def __str__(self) -> str:
        return f"{len(self.faults)} faults"
