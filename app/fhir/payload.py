"""Selects the resources sent with a ServiceRequest that are about its member.

A resource counts when it is contained in the request, referenced by the request, or stands in the
request's Bundle about the same patient (facts.md 4). The `facts*` modules read the resources.
"""

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any
from urllib.parse import parse_qsl

from app.fhir.r4 import codes
from app.fhir.reference import unversioned

Resource = Mapping[str, Any]
#: A resource that is changed on its way in or out.
ResourceTree = dict[str, Any]

_REFERENCING = ("supportingInfo", "reasonReference", "insurance")


class Payload:
    """A ServiceRequest and the resources sent with it, each under its reference (`Patient/x`)."""

    __slots__ = (
        "_by_kind", "_by_reference", "_own", "cin", "patient", "request", "strangers", "subject",
    )  # fmt: skip

    def __init__(self, request: Resource, resources: Sequence[tuple[str, Resource]] = ()) -> None:
        self.request = request
        listed: list[tuple[str, Resource]] = [
            (f"#{resource.get('id')}", resource) for resource in request.get("contained") or ()
        ]
        named = {reference for reference, _ in listed}
        listed += resources
        self._by_reference = dict(listed)
        self._own: dict[tuple[int, str], str | None] = {}
        self.subject: Resource = request.get("subject") or {}
        stated = identified_as(self.subject, codes.CIN)
        self.patient: Resource = self._patient(stated, listed)
        self.cin: str | None = own_identifier(self.patient, codes.CIN) or stated
        #: References of resources about other people; these resources are not read.
        self.strangers: list[str] = []
        self._by_kind: dict[str, list[tuple[str, Resource]]] = {}
        if listed:
            self._select(listed, named.union(referenced(request)))

    def resolve(self, reference: Resource | None) -> Resource | None:
        """Look up the resource that a Reference names; None if it did not come with the request."""
        literal = reference.get("reference") if reference else None
        if not isinstance(literal, str):
            return None
        return self._by_reference.get(unversioned(literal))

    def own(self, resource: Resource, system: str) -> str | None:
        """`own_identifier`, cached because many references may name one resource of the payload."""
        key = (id(resource), system)
        if key not in self._own:
            self._own[key] = own_identifier(resource, system)
        return self._own[key]

    def all(self, kind: str) -> Sequence[tuple[str, Resource]]:
        """The resources of a type that count, with what names each of them as a source of facts, in
        the order received.
        """
        return self._by_kind.get(kind, ())

    def coverages(self) -> list[tuple[str, Resource]]:
        """The Coverages that count; those that the request names as its insurance come first."""
        coverages = list(self.all("Coverage"))
        if len(coverages) > 1:
            named = [_literal(r) for r in self.request.get("insurance") or ()]
            order = {_source("Coverage", r): i for i, r in enumerate(named) if r}
            coverages.sort(key=lambda pair: order.get(pair[0], len(order)))
        return coverages

    def _select(self, listed: Sequence[tuple[str, Resource]], named: Set[str | None]) -> None:
        """Keep the resources that may be about this member, by type; the others are `strangers`."""
        for reference, resource in listed:
            kind = str(resource.get("resourceType"))
            if kind not in WHOM:
                continue
            person = resource.get(WHOM[kind])
            same = self._same_member(person) if person else True
            if reference in named if same is None else same:
                self._by_kind.setdefault(kind, []).append((_source(kind, reference), resource))
            else:
                self.strangers.append(reference)

    def _patient(self, cin: str | None, listed: Sequence[tuple[str, Resource]]) -> Resource:
        target = self.resolve(self.subject)
        if target is not None and target.get("resourceType") == "Patient":
            return target
        for _, resource in listed if cin else ():
            is_patient = resource.get("resourceType") == "Patient"
            if is_patient and own_identifier(resource, codes.CIN) == cin:
                return resource
        return {}

    def _same_member(self, person: Resource) -> bool | None:
        """Whether a Reference names the member; None if that cannot be known."""
        literal = _literal(person)
        if literal and literal == _literal(self.subject):
            return True
        target = self.resolve(person)
        if target is not None:
            cin = self.own(target, codes.CIN)
            return target is self.patient or (cin is not None and cin == self.cin)
        cin = identified_as(person, codes.CIN)
        if cin is None or self.cin is None:
            return None
        return cin == self.cin


def referenced(request: Resource) -> Iterator[str | None]:
    """List the references of the request: their resources count even without a known patient."""
    for element in _REFERENCING:
        for reference in request.get(element) or ():
            yield _literal(reference)
    yield _literal(request.get("encounter"))


def _source(kind: str, reference: str) -> str:
    """Name a resource as the source of facts; a contained one with its type: `Coverage/#c`."""
    return f"{kind}/{reference}" if reference.startswith("#") else reference


def _literal(reference: Resource | None) -> str | None:
    """The literal of a Reference, without its version."""
    literal = reference.get("reference") if reference else None
    return unversioned(literal) if isinstance(literal, str) else None


#: Type whose answers, codes or dates become facts → the element that names the person. Listed by
#: type, since elements of one name differ between types (an Account has several subjects).
WHOM = {
    "QuestionnaireResponse": "subject",
    "Condition": "subject",
    "Encounter": "subject",
    "Observation": "subject",
    "Coverage": "beneficiary",
    "Consent": "patient",
}


def identifier_value(identifier: Any, system: str) -> str | None:
    """Read the value of one Identifier; None for another system or an empty value."""
    if not identifier or identifier.get("system") != system:
        return None
    value = identifier.get("value")
    return (value.strip() or None) if isinstance(value, str) else None


def identifiers_of(reference: Resource) -> list[Resource]:
    """List the identifiers by which a Reference names its target.

    These are `identifier`, and the identifier of a conditional reference, which a transaction may
    have (`Patient?identifier=system|value`; FHIR R4, "Conditional references").
    """
    listed = [reference["identifier"]] if reference.get("identifier") else []
    literal = reference.get("reference")
    if isinstance(literal, str) and "?" in literal:
        for name, sought in parse_qsl(literal.partition("?")[2]):
            system, bar, value = sought.partition("|")
            if name == "identifier" and bar and value:
                listed.append({"system": system, "value": value})
    return listed


def identified_as(reference: Resource, system: str) -> str | None:
    """Read the first identifier value of `system` by which a Reference names its target."""
    values = (identifier_value(one, system) for one in identifiers_of(reference))
    return next((value for value in values if value), None)


def own_identifier(resource: Resource, system: str) -> str | None:
    """Read a resource's identifier of `system`; an `old` identifier only if there is no other."""
    spare = None
    for identifier in resource.get("identifier") or ():
        value = identifier_value(identifier, system)
        if value is not None and identifier.get("use") != "old":
            return value
        spare = spare or value
    return spare


def identifiers(resource: Resource, system: str) -> list[str]:
    """List the values of every identifier of `system`, in use or not."""
    values = (identifier_value(one, system) for one in resource.get("identifier") or ())
    return [value for value in values if value]


def codings(concept: Any) -> Sequence[Resource]:
    """The codings of a CodeableConcept that may be absent."""
    return (concept.get("coding") or ()) if concept else ()


def code_of(concept: Any, system: str) -> str | None:
    """Read the first code of `system`; a coding without a system counts as one of `system`."""
    for coding in codings(concept):
        if coding.get("system") in (system, None) and coding.get("code"):
            return str(coding["code"])
    return None
