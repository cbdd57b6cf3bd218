"""Checks references within a payload: `#id` must exist, and a Reference accepts certain types only.

The journey checks whether the resource behind a reference exists, and to whom the resource belongs.
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
    """A reference to `#id`: its path and the types that it may point to."""

    id: str
    path: Path
    targets: frozenset[str] | None


def target_faults(
    reference: dict[str, Any], literal: Any, targets: frozenset[str]
) -> Iterator[tuple[str, str, str]]:
    """Find a wrong target type, named in `reference` or in `type`."""
    text = _wrong_target(targets)
    if type(literal) is str:
        match = _LITERAL(literal)
        # An address with another word in the place of the type (…/Files/1) names no type.
        if match and match[1] not in targets and resource_table(match[1]):
            yield "structure", "reference", text
    named = reference.get("type")
    if type(named) is str and named not in targets and resource_table(named):
        yield "structure", "type", text


def contained_faults(
    resource: dict[str, Any], local: list[Local], path: Path
) -> Iterator[tuple[str, Path, str]]:
    """Find faults against dom-2, dom-4, dom-5 and ref-1: contained resources and their references.

    dom-3 is not checked: a contained resource is read whether or not the request points to it
    (facts.md 4), and no referral is refused for a missing reference.
    """
    listed = resource.get("contained")
    contained = listed if isinstance(listed, list) else []
    types: dict[str, str] = {}
    for index, inner in enumerate(contained):
        if not isinstance(inner, dict):
            continue
        at = (path, "contained", index)
        yield from _nested_faults(inner, at)
        own = inner.get("id")
        if isinstance(own, str):
            if own in types:
                yield "invariant", (at, "id", None), "is the id of another contained resource too."
            types.setdefault(own, str(inner.get("resourceType")))
    yield from _local_faults(local, types)


def _nested_faults(inner: dict[str, Any], at: Path) -> Iterator[tuple[str, Path, str]]:
    if "contained" in inner:
        text = "may not hold contained resources itself (dom-2)."
        yield "invariant", (at, "contained", None), text
    meta = inner.get("meta")
    if isinstance(meta, dict):
        for name in ("versionId", "lastUpdated", "security"):
            if name in meta:
                text = "may not stand in a contained resource (dom-4, dom-5)."
                yield "invariant", ((at, "meta", None), name, None), text


def _local_faults(local: list[Local], types: dict[str, str]) -> Iterator[tuple[str, Path, str]]:
    for reference in local:
        at = (reference.path, "reference", None)
        if not reference.id:
            continue  # "#" without an id names the container
        target = types.get(reference.id)
        if target is None:
            yield "invariant", at, "has no contained resource of this id (ref-1)."
        elif reference.targets is not None and target not in reference.targets:
            yield "structure", at, _wrong_target(reference.targets)


@cache
def _wrong_target(targets: frozenset[str]) -> str:
    return f"points to a type that may not stand here; it takes {', '.join(sorted(targets))}."
