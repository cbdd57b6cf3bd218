"""References within a payload: `#id` must be there, and a Reference takes certain types only.

Whether the resource behind a reference exists, and whose it is, is left to intake.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from app.fhir.r4.path import Path
from app.fhir.r4.tables import resource_table

_LITERAL = re.compile(
    r"(?:https?://.+/)?([A-Z][A-Za-z]+)/[A-Za-z0-9\-.]{1,64}(?:/_history/[A-Za-z0-9\-.]{1,64})?"
).fullmatch


class Local(NamedTuple):
    """A reference to `#id`: where it stands and what it may point to."""

    id: str
    path: Path
    targets: frozenset[str] | None


def target_faults(
    reference: dict[str, Any], literal: Any, targets: frozenset[str]
) -> Iterator[tuple[str, str, str]]:
    """Whether the type that a reference names, in its text or its `type`, may stand there."""
    text = _wrong_target(targets)
    if type(literal) is str:
        match = _LITERAL(literal)
        # A path that only looks like a type (…/Files/1) says nothing about the target.
        if match and match[1] not in targets and resource_table(match[1]):
            yield "structure", "reference", text
    named = reference.get("type")
    if type(named) is str and named not in targets and resource_table(named):
        yield "structure", "type", text


def contained_faults(
    resource: dict[str, Any], local: list[Local], path: Path
) -> Iterator[tuple[str, Path, str]]:
    """dom-2, dom-4, dom-5 and ref-1: contained resources and the references to them.

    dom-3 is not held against a payload: what is contained is read whether or not the request points
    to it (facts.md 4), and nobody is turned away for a missing pointer.
    """
    listed = resource.get("contained")
    contained = listed if isinstance(listed, list) else []
    types: dict[str, str] = {}
    for index, inner in enumerate(contained):
        if not isinstance(inner, dict):
            continue
        at = (path, "contained", index)
        yield from _inner(inner, at)
        own = inner.get("id")
        if isinstance(own, str):
            if own in types:
                yield "invariant", (at, "id", None), "is the id of another contained resource too."
            types.setdefault(own, str(inner.get("resourceType")))
    yield from _unresolved(local, types)


def _inner(inner: dict[str, Any], at: Path) -> Iterator[tuple[str, Path, str]]:
    if "contained" in inner:
        text = "may not hold contained resources itself (dom-2)."
        yield "invariant", (at, "contained", None), text
    meta = inner.get("meta")
    if isinstance(meta, dict):
        for name in ("versionId", "lastUpdated", "security"):
            if name in meta:
                text = "may not stand in a contained resource (dom-4, dom-5)."
                yield "invariant", ((at, "meta", None), name, None), text


def _unresolved(local: list[Local], types: dict[str, str]) -> Iterator[tuple[str, Path, str]]:
    for reference in local:
        at = (reference.path, "reference", None)
        if not reference.id:
            continue  # "#" alone is the container
        found = types.get(reference.id)
        if found is None:
            yield "invariant", at, "has no contained resource of this id (ref-1)."
        elif reference.targets is not None and found not in reference.targets:
            yield "structure", at, _wrong_target(reference.targets)


@cache
def _wrong_target(targets: frozenset[str]) -> str:
    return f"points to a type that may not stand here; it takes {', '.join(sorted(targets))}."
