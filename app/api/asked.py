"""Searches in the contract: modifiers as parameters of their own, and one example for each type.

A typed client can send named parameters only, so each modifier that is served (`owner:missing`)
has a name of its own.
"""

from typing import Any

from app.fhir.r4 import codes
from app.store.reading.catalog import PARAMETERS
from app.store.reading.parameters import Parameter
from app.store.reading.values import SEARCH_PATTERN, Described

#: The parameter that tells where a page begins.
CURSOR_DESCRIBED: tuple[dict[str, Any], str] = (
    {"type": "string", "pattern": r"^[^\x00-\x1f\x7f]*$"},
    "Where the page begins: taken from a `next` link, never made up.",
)
_TEXT: dict[str, Any] = {"type": "string", "pattern": SEARCH_PATTERN}
_MODIFIERS: dict[str, tuple[dict[str, Any], str]] = {
    "missing": ({"type": "boolean"}, "`true`: those without `{name}`; `false`: those with it."),
    "not": (_TEXT, "Those whose `{name}` is none of these."),
    "identifier": (_TEXT, "By the identifier in the reference `{name}`, `system|value`."),
}
_REFERRAL = "01a20ac2-1590-7455-9fce-72f3a0174834"
#: Examples for the types that are not searched by their referral.
_EXAMPLES: dict[str, dict[str, Any]] = {
    "ServiceRequest": {"patient.identifier": [f"{codes.CIN}|9000000XA"], "status": ["active"]},
    "Task": {"owner": ["Organization/org-tidepool"], "status": ["requested"]},
    "Patient": {"identifier": [f"{codes.CIN}|9000000XA"]},
    "Coverage": {"subscriber-id": ["9000000XA"]},
    "Organization": {"name": ["harbor"]},
    "HealthcareService": {"service": ["RC"], "county": ["San Mateo"]},
    "Provenance": {"target": [f"ServiceRequest/{_REFERRAL}"]},
}


def modified(kind: str, known: Parameter) -> Described:
    """The modifiers of one parameter.

    `patient:identifier` is left out where the chain `patient.identifier` is listed: the chain gives
    the search its name already.
    """
    return {
        f"{known.name}:{modifier}": (
            _MODIFIERS[modifier][0],
            _MODIFIERS[modifier][1].format(name=known.name),
        )
        for modifier in known.modifiers
        if modifier != "identifier" or f"{known.name}.identifier" not in _chains(kind)
    }


def _chains(kind: str) -> set[str]:
    return {known.name for known in PARAMETERS[kind] if "." in known.name}


def asked_of(kind: str) -> dict[str, Any]:
    """The example of the form of a search: parameter → values."""
    return _EXAMPLES.get(kind, {"referral": [f"ServiceRequest/{_REFERRAL}"]})
