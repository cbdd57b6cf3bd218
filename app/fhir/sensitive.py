"""Finds what tells of a substance use disorder in a resource, and labels the resource. PURE.

The lists are `app/policy/sensitive.yaml`. Codes tell, and answers to a form; free text is not read:
a sender labels a resource whose text tells. Labels are in `meta.security`: one of ours is a Coding
with `userSelected` false; one without it is the sender's, and speaks of the whole resource.
`app.fhir.withheld` leaves out what others may not see.

Sources: HL7 v3 ActCode (`SUD`), v3 Confidentiality (`R`); FHIR R4, "Security Labels".
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from app.fhir.clinical_codes import is_among
from app.fhir.payload import Resource, ResourceTree
from app.fhir.r4 import codes
from app.policy.sensitive import load_sensitive, sensitive_codes

_OURS = (
    {"system": codes.ACT_CODE, "code": "SUD", "userSelected": False},
    {"system": codes.CONFIDENTIALITY, "code": "R", "userSelected": False},
)
_LABEL_SYSTEMS = (codes.ACT_CODE, codes.CONFIDENTIALITY)
#: Types without which a referral cannot be served: of these, parts are left out at most.
NEEDED = frozenset(
    {"ServiceRequest", "Task", "ClaimResponse", "Patient", "Coverage", "Organization"}
    | {"Practitioner", "PractitionerRole", "RelatedPerson", "Location"}
)
#: Types of which the parts that tell are left out; a resource of another type that tells is
#: withheld whole.
IN_PARTS = NEEDED | {"QuestionnaireResponse", "Communication", "CommunicationRequest"}


def label(resource: ResourceTree, *, beside: bool = False) -> ResourceTree:
    """Returns the resource with our labels, if it tells; `beside`: if what came with it tells."""
    if is_labelled(resource) or not (beside or tells(resource, services=True)):
        return resource
    meta = resource.get("meta") or {}
    return {**resource, "meta": {**meta, "security": [*meta.get("security", ()), *_OURS]}}


def without_labels(resource: ResourceTree) -> ResourceTree:
    """Returns the resource without the labels by which it is sensitive, whosoever put them."""
    if not is_labelled(resource):
        return resource
    meta = {name: value for name, value in resource["meta"].items() if name != "security"}
    others = [each for each in _labels(resource) if not _is_label(each)]
    return {**resource, "meta": {**meta, "security": others} if others else meta}


def is_sensitive_copy(resource: Resource) -> bool:
    """Tells whether a resource that came beside a request is clinical and sensitive."""
    if resource["resourceType"] in NEEDED:
        return False
    return is_labelled(resource) or tells(resource, services=True)


def is_labelled(resource: Resource) -> bool:
    """Tells whether a resource has a label, ours or a sender's, by which it is sensitive."""
    return any(_is_label(each) for each in _labels(resource))


def is_labelled_whole(resource: Resource) -> bool:
    """Tells whether a sensitive resource is withheld whole."""
    kind = str(resource.get("resourceType"))
    if kind not in IN_PARTS:
        return is_labelled(resource)
    return kind not in NEEDED and is_labelled_by_sender(resource)


def is_labelled_by_sender(resource: Resource) -> bool:
    """Tells whether a sender labelled a resource so: the label speaks of the whole resource."""
    return any(_is_label(each) and not _is_ours(each) for each in _labels(resource))


def tells(node: Any, *, services: bool = False) -> bool:
    """Tells whether a code or an answer anywhere in the node tells; with `services` theirs too."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            code = one.get("code")
            if isinstance(code, str) and _tells(one.get("system"), code, services):
                return True
            if "linkId" in one and "answer" in one and _answers_tell(one):
                return True
            waiting.extend(value for value in one.values() if isinstance(value, dict | list))
        elif isinstance(one, list):
            waiting.extend(one)
    return False


def is_confidential(person: Resource) -> bool:
    """Tells whether a sender marks a Patient's contact as unsafe: by a label, or on an address.

    A contained Patient has no label (FHIR R4, dom-5): the request that contains it may have one.
    """
    if person.get("resourceType") == "ServiceRequest":
        contact = load_sensitive().contact_labels - load_sensitive().labels
    else:
        contact = load_sensitive().contact_labels
    if any(each.get("code") in contact and _is_system(each) for each in _labels(person)):
        return True
    return any(
        extension.get("url") == codes.ADDRESS_USE and extension.get("valueCode") == "CONF"
        for address in person.get("address") or ()
        for extension in _extensions_of(address)
    )


def _extensions_of(address: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yields the extensions of an Address and of its `use`."""
    yield from address.get("extension") or ()
    yield from (address.get("_use") or {}).get("extension") or ()


def _labels(resource: Resource) -> list[Mapping[str, Any]]:
    listed: list[Mapping[str, Any]] = (resource.get("meta") or {}).get("security") or []
    return listed


def _is_label(coding: Mapping[str, Any]) -> bool:
    return coding.get("code") in load_sensitive().labels and _is_system(coding)


def _is_system(coding: Mapping[str, Any]) -> bool:
    return coding.get("system") in _LABEL_SYSTEMS


def _is_ours(coding: Mapping[str, Any]) -> bool:
    return coding.get("userSelected") is False


def _answers_tell(item: Mapping[str, Any]) -> bool:
    told = sensitive_codes().get(str(item["linkId"]))
    return told is not None and (
        not told or any(answer_tells(item["linkId"], answer) for answer in item["answer"])
    )


def answer_tells(fact: str, answer: Mapping[str, Any]) -> bool:
    """Tells whether one answer to a fact tells."""
    told = sensitive_codes().get(fact)
    if told is None:
        return False
    return not told or (answer.get("valueCoding") or {}).get("code") in told


def _tells(system: object, code: str, services: bool) -> bool:
    return _listed(system if isinstance(system, str) else None, code[:_LONGEST], services)


#: No listed code is as long: of a longer one that a client sends, no more is remembered.
_LONGEST = 64


@lru_cache(maxsize=8192)
def _listed(system: str | None, code: str, services: bool) -> bool:
    listed = load_sensitive()
    if system is None or system in codes.ICD_SYSTEMS:
        return any(is_among(code, each.codes) for each in listed.diagnoses)
    if system in _LABEL_SYSTEMS:
        return code in listed.labels
    if services and system == codes.CALAIM_SERVICE:
        return any(each.code == code for each in listed.services)
    return False
