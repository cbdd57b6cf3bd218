"""What a literal reference names: one place that reads `Type/id`, in every form that R4 allows.

Relative or absolute to this server, with or without the version (`…/_history/2`): a resource of
ours is the same whichever way it is written. Another server's is never taken for ours.
"""

import re
from typing import NamedTuple

#: What R4 takes for an id.
ID = r"[A-Za-z0-9\-.]{1,64}"
is_id = re.compile(ID).fullmatch
_NAMED = re.compile(rf"([A-Z][A-Za-z]+)/({ID})(?:/_history/{ID})?").fullmatch
_VERSION = re.compile(rf"/_history/{ID}\Z").search


class Place(NamedTuple):
    """A resource of this server."""

    type: str
    id: str


def place_of(literal: object, base: str = "") -> Place | None:
    """The resource of this server (whose FHIR base is `base`) that a reference names."""
    if not isinstance(literal, str):
        return None
    found = _NAMED(literal.removeprefix(f"{base}/") if base else literal)
    return Place(found[1], found[2]) if found else None


def id_of(literal: object, kind: str, base: str = "") -> str | None:
    """The id of a resource of this type; None where the reference names anything else."""
    place = place_of(literal, base)
    return place.id if place and place.type == kind else None


def unversioned(literal: str) -> str:
    """The same without the version that it may name."""
    found = _VERSION(literal)
    return literal[: found.start()] if found else literal


def type_in(literal: str | None) -> str | None:
    """The type that a reference itself tells: of whichever server, and of a search put for one."""
    if not literal or literal.startswith("#") or literal[:4].lower() == "urn:":
        return None
    place, searched, _ = unversioned(literal).partition("?")
    parts = place.split("/")
    if searched:  # `Organization?identifier=…`
        return parts[-1]
    return parts[-2] if len(parts) > 1 else None
