"""The ServiceRequest as it is given back: what was sent, with our id, version and status.

Every element and extension stays as sent; only `id`, `meta`, `status` and the reason of a refusal
are ours (spec.md 7, "Referral on the wire").
"""

from collections.abc import Mapping
from typing import Any

from app.base.text import is_cut
from app.fhir import codes
from app.fhir.dates import instant
from app.fhir.render_task import status_reason
from app.model.lifecycle import BusinessStatus, State
from app.model.record import Details, Referral

_CLOSED = (BusinessStatus.COMPLETED, BusinessStatus.UNFULFILLED)


def request_status(state: State, status: BusinessStatus | None) -> str:
    """The FHIR status of the ServiceRequest: `active` until the loop is closed or refused."""
    if state in (State.DENIED, State.VOID, State.CANCELLED):
        return "revoked"
    return "completed" if status in _CLOSED else "active"


def service_request(
    referral: Referral, details: Details, sent: Mapping[str, Any]
) -> dict[str, Any]:
    """The stored form of the request; `sent` is the payload, or the version before this one."""
    body = {"resourceType": "ServiceRequest", "id": referral.id, **sent}
    body["id"] = referral.id
    body["meta"] = stamped(sent.get("meta"), referral)
    body["status"] = request_status(referral.state, referral.business_status)
    if referral.state is State.CANCELLED and details.mistaken:
        body["status"] = "entered-in-error"
    extension = [item for item in sent.get("extension", ()) if item.get("url") not in codes.OURS]
    reason = status_reason(details)
    if body["status"] in ("revoked", "entered-in-error") and reason:
        extension.append({"url": codes.REQUEST_STATUS_REASON, "valueCodeableConcept": reason})
    if extension:
        body["extension"] = extension
    else:
        body.pop("extension", None)
    return body


def stamped(meta: Mapping[str, Any] | None, referral: Referral) -> dict[str, Any]:
    """`meta` with our version and time; profiles, tags and labels stay as sent."""
    return {
        **(meta or {}),
        "versionId": str(referral.version),
        "lastUpdated": instant(referral.updated_at),
    }


def copy(resource: Mapping[str, Any], resource_id: str, referral: Referral) -> dict[str, Any]:
    """A resource that came beside the referral and now belongs to it."""
    body = {"resourceType": resource["resourceType"], "id": resource_id, **resource}
    body["id"] = resource_id
    body["meta"] = stamped(resource.get("meta"), referral)
    return body


def patient_reference(sent: Mapping[str, Any], cin: str | None) -> dict[str, Any]:
    """The member, as other resources than the request may name them (contained ids do not
    travel).
    """
    subject = sent.get("subject", {})
    reference: dict[str, Any] = {"type": "Patient"}
    if cin and not is_cut(cin):
        reference["identifier"] = {"system": codes.CIN, "value": cin}
    sent_reference = subject.get("reference", "")
    if sent_reference and not sent_reference.startswith("#"):
        reference["reference"] = sent_reference
    if len(reference) == 1:
        reference["display"] = "The member named in the referral"
    return reference
