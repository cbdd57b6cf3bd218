"""What is added to a referral later: which resources are taken, and what they say of who and what.

PURE. The rules read the facts among them as those of the payload itself (`app.fhir.facts`); here is
only what identifies the member or names the service where the referral did not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.base.errors import Issue, refuse
from app.base.ids import new_id
from app.fhir import codes
from app.fhir.bundle import CARRIED, MAX_ENTRIES
from app.fhir.documents import MEDIA_TYPES, document_faults
from app.fhir.facts_member import read_patient
from app.fhir.links import names_within, rewrite_references
from app.fhir.parameters import RESOURCES, at, given
from app.fhir.payload import WHOM, codings, own_identifier
from app.fhir.placeholders import is_placeholder, said
from app.journey.intake.submission import Copy, refuse_faults
from app.model.request import ReferralRequest
from app.policy.stated import SourcedFacts

Resource = dict[str, Any]
Listed = Sequence[tuple[str, Resource]]

#: What may be added; anything else is no information about the member.
KINDS = (
    "QuestionnaireResponse",
    "Condition",
    "Encounter",
    "Observation",
    "DocumentReference",
    "Consent",
    "Patient",
    "Coverage",
    "Organization",
    "Communication",
    *CARRIED,
)
_BUNDLES = ("transaction", "batch", "collection")


def read_added(tree: Resource, documents: Sequence[str] = MEDIA_TYPES) -> list[Copy]:
    """The resources of Parameters or of a Bundle, each with an id of its own; 422 with all faults.

    References between the entries of a Bundle are put right.
    """
    bundle = tree["resourceType"] == "Bundle"
    if bundle and tree.get("type") not in _BUNDLES:
        text = f"Send a Bundle of type {', '.join(_BUNDLES)}, or Parameters."
        raise refuse_faults([Issue("not-supported", text, "Bundle.type")], 422)
    if bundle:
        entries = [
            (f"Bundle.entry[{index}].resource", entry.get("fullUrl"), entry["resource"])
            for index, entry in enumerate(tree.get("entry", ()))
            if "resource" in entry
        ]
    else:
        found = given(tree, {"resource": RESOURCES}).resources("resource")
        entries = [(f"Parameters.parameter[{i}].resource", None, r) for i, r in enumerate(found)]
    _require(entries, "Bundle.entry" if bundle else at("resource"), documents)
    copies = [Copy(item["resourceType"], new_id(), item) for _, _, item in entries]
    names = {
        url: f"{copy.type}/{copy.id}"
        for (_, url, _), copy in zip(entries, copies, strict=True)
        if url
    }
    return [
        replace(copy, resource=rewrite_references(copy.resource, names_within(names, url)))
        for copy, (_, url, _) in zip(copies, entries, strict=True)
    ]


def _require(
    entries: Sequence[tuple[str, str | None, Resource]], where: str, documents: Sequence[str]
) -> None:
    if not entries:
        raise refuse(422, "required", "Send at least one `resource`, or a Bundle.", where)
    if len(entries) > MAX_ENTRIES:
        raise refuse(413, "too-long", f"Send at most {MAX_ENTRIES} resources at once.", where)
    faults: list[Issue] = []
    for path, _, resource in entries:
        if resource.get("resourceType") not in KINDS:
            text = f"Information is added as {', '.join(KINDS)}."
            faults.append(Issue("not-supported", text, path))
        faults += document_faults(resource, path, documents)
        if any(is_placeholder(one.get("value")) for one in _identifiers(resource)):
            faults.append(Issue("value", said("identifier"), f"{path}.identifier"))
    if faults:
        raise refuse_faults(faults, 422)


def _identifiers(resource: Resource) -> list[Resource]:
    found = resource.get("identifier") or []
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else [found]


@dataclass(frozen=True, slots=True)
class Identified:
    """The one Patient among what was added that says who the member is."""

    reference: str
    patient: Resource

    def stated(self) -> SourcedFacts:
        """Birth date and county, as any Patient states them."""
        return read_patient(self.patient, self.reference)


def who(listed: Listed) -> Identified | None:
    """The Patient with a CIN that was added last; nobody where two of them differ.

    What came with the referral itself does not count: there its `subject` says who is meant.
    """
    later = [
        Identified(reference, resource)
        for reference, resource in listed
        if resource["resourceType"] == "Patient"
        and (resource.get("meta") or {}).get("versionId") != "1"
        and own_identifier(resource, codes.CIN)
    ]
    numbers = {own_identifier(found.patient, codes.CIN) for found in later}
    return later[-1] if len(numbers) == 1 else None


def about_the_member(listed: Listed, found: Identified, subject: Mapping[str, Any]) -> Listed:
    """The same resources; those about the Patient added are about the referral's own subject."""
    return [(reference, _about(resource, found, subject)) for reference, resource in listed]


def _about(resource: Resource, found: Identified, subject: Mapping[str, Any]) -> Resource:
    name = WHOM.get(resource["resourceType"])
    if name is None or (resource.get(name) or {}).get("reference") != found.reference:
        return resource
    return {**resource, name: subject}


def named_by(request: ReferralRequest, found: Identified) -> ReferralRequest:
    """The request, with the CIN and birth date that the Patient added states."""
    birth = found.patient.get("birthDate")
    return replace(
        request,
        cin=own_identifier(found.patient, codes.CIN),
        birth_date=birth if isinstance(birth, str) and birth else request.birth_date,
    )


def service_stated(listed: Listed) -> str | None:
    """The service that an answer to the question for `service` names, the last one said."""
    answers = [
        coding.get("code")
        for _, resource in listed
        if resource["resourceType"] == "QuestionnaireResponse"
        for item in resource.get("item", ())
        if item.get("linkId") == "service"
        for answer in item.get("answer", ())
        for coding in codings({"coding": [answer.get("valueCoding") or {}]})
        if coding.get("system") in (codes.CALAIM_SERVICE, None)
    ]
    known = [str(code) for code in answers if code in codes.SERVICES]
    return known[-1] if known else None
