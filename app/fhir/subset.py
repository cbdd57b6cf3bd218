"""Leaves out elements of a resource: `_summary` and `_elements`, and the least view of a referral.

PURE. `_summary` and `_elements` (FHIR R4, "Search", 3.1.1.5.8-9) choose top-level elements only,
not what these hold. Always shown: `resourceType`, `id`, `meta`, required elements, and elements
that change the meaning of the rest.

The least view (`least`) is for plan staff of the deployment who look for the plan of a member. They
are no party to the referral: they may say which plan's member it is, so they see whose referral it
is, from whom and since when, but not why help is asked for.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from app.fhir.r4 import codes
from app.fhir.r4.strict_json import dumps, parse
from app.fhir.r4.tables import Table, resource_table

SUMMARIES = ("true", "text", "data", "count", "false")
#: Tag of a resource with elements left out: clients must not send it back as the whole resource.
SUBSETTED = {
    "system": codes.OBSERVATION_VALUE,
    "code": "SUBSETTED",
}
_ALWAYS = frozenset({"resourceType", "id", "meta", "implicitRules", "modifierExtension"})


@dataclass(frozen=True, slots=True)
class Subset:
    """The elements asked for; with `elements` None those that `summary` shows."""

    summary: str = "false"
    elements: frozenset[str] | None = None

    @property
    def counts(self) -> bool:
        """Whether the client asks for the number of matches only."""
        return self.summary == "count"

    @property
    def whole(self) -> bool:
        """Whether the whole resource is shown."""
        return self.summary == "false" and self.elements is None

    def of(self, kind: str, body: bytes) -> bytes:
        """The shown part of a stored resource, tagged `SUBSETTED`; the whole one is not tagged."""
        if self.whole:
            return body
        shown = _shown(kind, self)
        resource = {name: value for name, value in parse(body).items() if name in shown}
        return dumps(as_part(resource))


def is_subset(resource: dict[str, Any]) -> bool:
    """Whether a resource has the tag `SUBSETTED`."""
    tags = resource.get("meta", {}).get("tag", ())
    return any(tag.get("code") == SUBSETTED["code"] for tag in tags)


def as_part(resource: dict[str, Any]) -> dict[str, Any]:
    """The resource with the tag `SUBSETTED`."""
    meta = resource.get("meta", {})
    return {**resource, "meta": {**meta, "tag": [*meta.get("tag", ()), SUBSETTED]}}


@lru_cache(maxsize=256)
def _shown(kind: str, subset: Subset) -> frozenset[str]:
    """The JSON names of the elements that are shown."""
    table = resource_table(kind)
    return (
        frozenset(name for name in table.elements if _shows(table, subset, name))
        if table
        else _ALWAYS
    )


def _shows(table: Table, subset: Subset, name: str) -> bool:
    element = table.elements[name]
    needed = (*table.required, *(choice for choice, _ in table.choices))
    if element.base in _ALWAYS or {element.base, element.choice} & {*needed}:
        return True
    if subset.elements is not None and not {element.base, element.choice} & subset.elements:
        return False
    match subset.summary:
        case "true":
            return table.elements[element.base].in_summary
        case "text":
            return element.base == "text"
        case "data":
            return element.base != "text"
        case _:
            return True


# The least view
#: Type → the elements shown; other types are not shown at all. Every element that is not listed is
#: left out, also siblings (`_status`), extensions and narrative.
SHOWN: dict[str, frozenset[str]] = {
    "ServiceRequest": frozenset(
        {"identifier", "status", "intent", "priority", "subject", "authoredOn", "requester"}
        | {"insurance", "contained"}
    ),
    "Task": frozenset(
        {"identifier", "status", "businessStatus", "intent", "priority", "code", "focus", "for"}
        | {"authoredOn", "lastModified", "requester", "owner"}
    ),
    "Patient": frozenset(
        {"identifier", "active", "name", "telecom", "gender", "birthDate", "address"}
        | {"managingOrganization"}
    ),
    "Coverage": frozenset(
        {"identifier", "status", "type", "subscriberId", "beneficiary", "period", "payor"}
    ),
}
#: Type → the search parameters about shown elements: other parameters would reveal hidden ones.
ASKED: dict[str, frozenset[str]] = {
    "ServiceRequest": frozenset(
        {"patient", "subject", "patient.identifier", "subject.identifier", "identifier", "status"}
        | {"priority", "intent", "authored", "requester"}
    ),
    "Task": frozenset(
        {"patient", "subject", "patient.identifier", "subject.identifier", "referral", "focus"}
        | {"identifier", "status", "business-status", "owner", "requester", "code", "priority"}
        | {"modified", "authored-on"}
    ),
    "Patient": frozenset({"referral", "identifier", "name", "birthdate", "gender"}),
    "Coverage": frozenset(
        {"referral", "patient", "beneficiary", "subscriber-id", "identifier", "payor", "status"}
    ),
}


def least(kind: str, body: bytes) -> bytes:
    """The least view of a stored resource of a type in `SHOWN`, tagged `SUBSETTED`."""
    resource: dict[str, Any] = parse(body)
    part = _part(kind, resource)
    meta = resource.get("meta") or {}
    stored = {name: meta[name] for name in ("versionId", "lastUpdated") if name in meta}
    return dumps(as_part({**part, "meta": stored}))


def _part(kind: str, resource: dict[str, Any]) -> dict[str, Any]:
    shown = {name: value for name, value in resource.items() if name in SHOWN[kind]}
    if "contained" in shown:
        kept = [each for each in shown["contained"] if each.get("resourceType") in _CONTAINED]
        shown["contained"] = [_part(each["resourceType"], each) for each in kept]
        if not kept:
            del shown["contained"]
    named = {name: resource[name] for name in ("resourceType", "id") if name in resource}
    return named | shown


#: Types of contained resources that are shown.
_CONTAINED = ("Patient", "Coverage")
