"""Leaves out of a resource what a reader may not see, by the member's word. PURE.

`standing` is what the member's Consents say for the reader (`app.store.reading.standing`): words
such as `sensitive:permit`; None for the sender and the plan's staff, who see all. Three things can
be withheld:

- what tells of a substance use disorder (`app.fhir.sensitive`), unless a Consent permits it;
- everything clinical, if a Consent refuses it: then the reader sees what serves the member, and no
  more;
- the member's address and phone, if the referral says that contact is unsafe.

A resource with parts left out is labelled `REDACTED` (FHIR R4, "Security Labels"), and no more by
what was left out: this label would tell.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from app.fhir.payload import ResourceTree
from app.fhir.r4 import codes
from app.fhir.r4.strict_json import dumps, parse
from app.fhir.reference import type_in
from app.fhir.sensitive import (
    IN_PARTS,
    NEEDED,
    answer_tells,
    is_labelled,
    is_labelled_by_sender,
    is_labelled_whole,
    tells,
    without_labels,
)

_REDACTED = {"system": codes.OBSERVATION_VALUE, "code": "REDACTED"}
#: Types that are not clinical, beside those that serve the member.
PLAIN = NEEDED | {"Communication", "CommunicationRequest", "Provenance"}
#: Elements that stay though they tell: without them the resource is no valid one.
_REQUIRED = frozenset({"code", "type", "subject", "for", "focus", "patient", "insurer"})
#: Elements of a ServiceRequest that are shown where everything clinical is refused.
_SERVES = frozenset(
    {"resourceType", "id", "meta", "identifier", "requisition", "basedOn", "replaces", "status"}
    | {"intent", "priority", "category", "code", "orderDetail", "quantityQuantity", "subject"}
    | {"occurrenceDateTime", "occurrencePeriod", "occurrenceTiming", "authoredOn", "requester"}
    | {"performer", "performerType", "locationCode", "locationReference", "insurance", "contained"}
    | {"extension", "modifierExtension", "implicitRules", "language"}
)
#: Elements of a Task in which its sender speaks of the member; in its notes the performer does, if
#: the Task is the performer's.
_TOLD_IN_TASK = ("input", "description", "reasonCode", "reasonReference", "contained")
_REFERRING = ("reasonReference", "supportingInfo", "input")
#: Types of which contact is withheld, and the elements that are.
_PERSONS = frozenset({"Patient", "RelatedPerson"})
_CONTACT = frozenset({"telecom", "contact"})


def refuses(standing: Sequence[str] | None) -> bool:
    """Tells whether everything clinical is refused to a reader of this standing."""
    return standing is not None and "clinical:deny" in standing


def withholds(standing: Sequence[str] | None) -> bool:
    """Tells whether what tells of a substance use disorder is withheld from the reader."""
    return standing is not None and "sensitive:permit" not in standing


def shown(kind: str, body: bytes, standing: Sequence[str] | None) -> bytes | None:
    """Returns the part of a stored resource that the reader may see; None: nothing of it."""
    if standing is None:
        return body
    refused = refuses(standing)
    if refused and kind not in PLAIN:
        return None
    cuts: list[Callable[[ResourceTree], ResourceTree]] = []
    if withholds(standing) and b'"security":' in body:
        cuts.append(_without_sensitive)
    if refused:
        cuts.append(_without_clinical)
    if "contact:deny" in standing and (kind in _PERSONS or b'"contained":' in body):
        cuts.append(_without_contact)
    if not cuts:
        return body
    whole: ResourceTree = parse(body)
    if _without_sensitive in cuts and is_labelled_whole(whole):
        return None
    left = whole
    for cut in cuts:
        left = cut(left)
    if withholds(standing):
        whole, left = without_labels(whole), without_labels(left)
    return dumps(left if left == whole else _redacted(left))


def _redacted(resource: ResourceTree) -> ResourceTree:
    """Labels what is left; the narrative goes, for it may say what was left out."""
    meta = resource.get("meta") or {}
    labelled = {**meta, "security": [*meta.get("security", ()), _REDACTED]}
    return {**{n: v for n, v in resource.items() if n != "text"}, "meta": labelled}


# What tells of a substance use disorder


def _without_sensitive(resource: ResourceTree) -> ResourceTree:
    """Leaves out the parts that tell, and the references that may lead to a resource that does.

    Of a request that its sender labelled, everything clinical.
    """
    if not is_labelled(resource):
        return resource
    if is_labelled_by_sender(resource):
        return _without_clinical(resource)
    left = _without_what_tells(resource)
    kept = {f"#{each.get('id')}" for each in left.get("contained") or ()}
    for name in _REFERRING:
        if isinstance(left.get(name), list):
            items = [each for each in left[name] if _may_name(each, kept)]
            left = _replaced(left, name, items)
    return left


def _without_what_tells(resource: ResourceTree) -> ResourceTree:
    left = dict(resource)
    if "contained" in left:
        held = [
            _without_what_tells(each)
            for each in left["contained"]
            if each.get("resourceType") in IN_PARTS or not tells(each)
        ]
        left = _replaced(left, "contained", held)
    for name, value in list(left.items()):
        if name in ("meta", "contained") or name in _REQUIRED:
            continue
        if name == "item" and resource.get("resourceType") == "QuestionnaireResponse":
            left = _replaced(left, name, _items(value))
        elif isinstance(value, list):
            left = _replaced(left, name, [each for each in value if not tells(each)])
        elif isinstance(value, dict) and tells(value):
            del left[name]
    return left


def _items(items: Sequence[ResourceTree]) -> list[ResourceTree]:
    """Leaves out answers that tell, at any depth, and items of which nothing is left."""
    left = []
    for item in items:
        kept = _with_items(item)
        if "answer" in item:
            fact = str(item.get("linkId"))
            answers = [
                _with_items(each)
                for each in item["answer"]
                if not answer_tells(fact, each) and not tells(each.get("valueCoding"))
            ]
            kept = _replaced(kept, "answer", answers)
        held = {"answer", "item"} & item.keys()
        if not held or held & kept.keys():
            left.append(kept)
    return left


def _with_items(holder: ResourceTree) -> ResourceTree:
    """Leaves out the items that tell, of an item or of an answer."""
    return _replaced(holder, "item", _items(holder["item"])) if "item" in holder else holder


def _may_name(item: Mapping[str, Any], contained: set[str]) -> bool:
    """Tells whether a reference, or an input of a Task, names nothing that may be withheld."""
    is_input = isinstance(item.get("type"), dict)
    reference = item.get("valueReference") if is_input else item
    if reference is None:
        return True
    literal = reference.get("reference")
    if isinstance(literal, str) and literal.startswith("#"):
        return literal in contained
    kind = type_in(literal) if isinstance(literal, str) else reference.get("type")
    return kind in IN_PARTS


def _replaced(resource: ResourceTree, name: str, items: Sequence[Any]) -> ResourceTree:
    """Returns the resource with these items; without the element if there are none."""
    if items:
        return {**resource, name: list(items)}
    return {each: value for each, value in resource.items() if each != name}


# Everything clinical


def _without_clinical(resource: ResourceTree) -> ResourceTree:
    if resource["resourceType"] == "Task":
        told = _TOLD_IN_TASK if "partOf" in resource else (*_TOLD_IN_TASK, "note")
        return {name: value for name, value in resource.items() if name not in told}
    if resource["resourceType"] != "ServiceRequest":
        return resource
    left = {name: value for name, value in resource.items() if name in _SERVES}
    if "contained" in left:
        kept = [each for each in left["contained"] if each.get("resourceType") in NEEDED]
        left = _replaced(left, "contained", kept)
    if "extension" in left:
        ours = [each for each in left["extension"] if each.get("url") in codes.OURS]
        left = _replaced(left, "extension", ours)
    return left


# The member's contact


def _without_contact(resource: ResourceTree) -> ResourceTree:
    """Leaves out how to reach the persons of a resource; of an address the county stays."""
    left = resource
    if resource.get("resourceType") in _PERSONS:
        left = {name: value for name, value in resource.items() if name not in _CONTACT}
        if "address" in left:
            left = _replaced(left, "address", [a for a in map(_county, left["address"]) if a])
    if "contained" in left:
        left = {**left, "contained": [_without_contact(each) for each in left["contained"]]}
    return left


def _county(address: Mapping[str, Any]) -> dict[str, Any]:
    if "district" not in address:
        return {}
    return {name: address[name] for name in ("use", "district", "state") if name in address}
