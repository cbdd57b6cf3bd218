"""A body as a submission: read strictly, checked as R4, told apart from what this service cannot take.

All faults of a payload are reported at once. What breaks base R4 is 400; what is valid R4 but against a
rule of this service is 422. Being ineligible or incomplete is neither (spec.md 1: no wrong door).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from app.errors import Issue, Refusal
from app.fhir.bundle import Entry, read_bundle, rewrite_references
from app.fhir.fault import Fault
from app.fhir.r4 import check_resource, find_unsupported
from app.fhir.service_request import to_domain
from app.fhir.strict_json import Unreadable, parse
from app.ids import new_id
from app.intake.fingerprint import fingerprint
from app.referral.models import ReferralRequest

Resource = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Copy:
    """A resource of the Bundle that becomes the referral's own."""

    type: str
    id: str
    resource: Resource


@dataclass(slots=True)
class Submission:
    """One referral as it came in, ready for the journey."""

    referral_id: str
    service_request: Resource
    request: ReferralRequest
    beside: Sequence[tuple[str, Resource]]
    fingerprint: str
    copies: list[Copy] = field(default_factory=list)
    adopted: Resource | None = None
    #: `Type/id` of every entry in order; None for a single ServiceRequest.
    locations: list[str] | None = None


def refuse_faults(faults: Sequence[Fault], status: int) -> Refusal:
    """All faults as one answer."""
    issues = [
        Issue(fault.code, fault.diagnostics, fault.expression or None, fault.detail_code)
        for fault in faults
    ]
    return Refusal(status, issues)


def read_tree(body: bytes, kinds: Sequence[str]) -> Resource:
    """The parsed and R4-checked resource; 400 with every fault otherwise."""
    try:
        tree = parse(body).tree
    except Unreadable as unreadable:
        raise refuse_faults(unreadable.faults, 400) from None
    kind = tree.get("resourceType")
    if kind not in kinds:
        text = f"Send a {' or a '.join(kinds)} here."
        raise refuse_faults([Fault("structure", "resourceType", text)], 400)
    faults = check_resource(tree)
    if faults:
        raise refuse_faults(faults, 400)
    unsupported = find_unsupported(tree)
    if unsupported:
        raise refuse_faults(unsupported, 422)
    return tree


def read_submission(tree: Resource, on: date) -> Submission:
    """A submission from a checked ServiceRequest or transaction Bundle; 422 with every fault."""
    if tree["resourceType"] == "Bundle":
        return _from_bundle(tree, on)
    request, faults = to_domain(tree, (), on)
    if request is None or faults:
        raise refuse_faults(faults, 422)
    return Submission(new_id(), tree, request, (), fingerprint(tree))


def _from_bundle(tree: Resource, on: date) -> Submission:
    found, faults = read_bundle(tree)
    if found is None:
        raise refuse_faults(faults, 400)
    referral_id = new_id()
    adopted = next((entry for entry in found.entries if _adoptable(entry)), None)
    ids = {
        entry.index: _id_of(entry, found.service_request, adopted, referral_id)
        for entry in found.entries
    }
    names = {entry.index: f"{entry.type}/{ids[entry.index]}" for entry in found.entries}
    rewritten = {
        entry.index: rewrite_references(entry.resource, found.mapping(entry, names))
        for entry in found.entries
    }
    main = rewritten[found.service_request.index]
    copies = [
        Copy(entry.type, ids[entry.index], rewritten[entry.index])
        for entry in found.entries
        if ids[entry.index] != referral_id
    ]
    beside = [(f"{copy.type}/{copy.id}", copy.resource) for copy in copies]
    request, faults = to_domain(main, beside, on)
    if request is None or faults:
        raise refuse_faults(_under(faults, found.service_request.index), 422)
    return Submission(
        referral_id,
        main,
        request,
        beside,
        fingerprint(tree, [entry.full_url for entry in found.entries]),
        copies,
        rewritten[adopted.index] if adopted else None,
        [names[entry.index] for entry in found.entries],
    )


def _adoptable(entry: Entry) -> bool:
    """A Task in a referral's Bundle is the referral's own: there is never a second one."""
    return entry.type == "Task"


def _id_of(entry: Entry, request: Entry, adopted: Entry | None, referral_id: str) -> str:
    return referral_id if entry is request or entry is adopted else new_id()


def _under(faults: Sequence[Fault], index: int) -> list[Fault]:
    """The same faults, named from the Bundle."""
    at = f"Bundle.entry[{index}].resource"
    return [
        Fault(
            fault.code,
            fault.expression.replace("ServiceRequest", at, 1),
            fault.diagnostics,
            fault.severity,
            fault.detail_code,
        )
        for fault in faults
    ]
