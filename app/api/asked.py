"""How a search is asked, for the contract: its modifiers as parameters, and one example a type.

A typed client can only send what has a name, so each modifier that is served has one.
"""

from typing import Any

from app.fhir.r4 import codes
from app.store.reading.catalog import PARAMETERS
from app.store.reading.parameters import Parameter
from app.store.reading.values import SEARCH_PATTERN, Described

#: Where a page begins.
CURSOR_DESCRIBED: tuple[dict[str, Any], str] = (
    {"type": "string", "pattern": r"^[^\x00-\x1f\x7f]*$"},
    "Where the page begins: taken from a `next` link, never made up.",
)
_TEXT: dict[str, Any] = {"type": "string", "pattern": SEARCH_PATTERN}
_SAID: dict[str, tuple[dict[str, Any], str]] = {
    "missing": ({"type": "boolean"}, "`true`: those without `{name}`; `false`: those with it."),
    "not": (_TEXT, "Those whose `{name}` is none of these."),
    "identifier": (_TEXT, "By the identifier in the reference `{name}`, `system|value`."),
}
_REFERRAL = "01a20ac2-1590-7455-9fce-72f3a0174834"
#: Types that are not asked for by the referral they belong to.
_ASKED: dict[str, dict[str, Any]] = {
    "ServiceRequest": {"patient.identifier": [f"{codes.CIN}|9000000XA"], "status": ["active"]},
    "Task": {"owner": ["Organization/org-tidepool"], "status": ["requested"]},
    "Patient": {"identifier": [f"{codes.CIN}|9000000XA"]},
    "Coverage": {"subscriber-id": ["9000000XA"]},
    "Organization": {"name": ["harbor"]},
    "HealthcareService": {"service": ["RC"], "county": ["San Mateo"]},
    "Provenance": {"target": [f"ServiceRequest/{_REFERRAL}"]},
}


def modified(kind: str, known: Parameter) -> Described:
    """The modifiers of one parameter. `patient:identifier` has a name already: the chain's."""
    return {
        f"{known.name}:{modifier}": (_SAID[modifier][0], _SAID[modifier][1].format(name=known.name))
        for modifier in known.modifiers
        if modifier != "identifier" or f"{known.name}.identifier" not in _chains(kind)
    }


def _chains(kind: str) -> set[str]:
    return {known.name for known in PARAMETERS[kind] if "." in known.name}


def asked_of(kind: str) -> dict[str, Any]:
    """What the form of a search is filled with."""
    return _ASKED.get(kind, {"referral": [f"ServiceRequest/{_REFERRAL}"]})
