"""One piece of correspondence as a Communication: who is told what of an outcome, and how."""

from collections.abc import Mapping
from typing import Any

from app.fhir import codes
from app.fhir.dates import instant
from app.referral.record import Referral

_STATUS = {"sent": "completed", "to-send": "preparation", "skipped": "not-done"}


def communication(
    referral: Referral,
    *,
    communication_id: str,
    outcome: str,
    status: str,
    recipient: Mapping[str, Any] | None,
    plan_organization: str | None,
    text: str,
    reason: str | None,
) -> dict[str, Any]:
    """`recipient` is a Reference; None when nobody is known, and then `reason` says so."""
    body: dict[str, Any] = {
        "resourceType": "Communication",
        "id": communication_id,
        "meta": {"versionId": "1", "lastUpdated": instant(referral.updated_at)},
        "basedOn": [{"reference": f"ServiceRequest/{referral.id}"}],
        "status": _STATUS[status],
        "category": [
            {
                "coding": [{"system": codes.COMMUNICATION_CATEGORY, "code": "notification"}],
                "text": outcome,
            }
        ],
        "about": [{"reference": f"ServiceRequest/{referral.id}"}],
        "payload": [{"contentString": text}],
    }
    if recipient:
        body["recipient"] = [dict(recipient)]
    if plan_organization:
        body["sender"] = {"reference": f"Organization/{plan_organization}"}
    if status == "sent":
        body["sent"] = instant(referral.updated_at)
    if reason:
        body["statusReason"] = {"text": reason}
    return body
