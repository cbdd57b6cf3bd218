"""One piece of correspondence as a Communication: who is told what of an outcome, and how."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from app.fhir import codes
from app.fhir.dates import instant
from app.model.record import Referral
from app.policy.vocabulary import words_of

_STATUS = {"sent": "completed", "to-send": "preparation", "skipped": "not-done"}
_OUTCOMES = words_of("letters")
#: How it was told → v3-ParticipationMode. What is handed over is written, too.
_MEDIA = {
    "endpoint": ("ELECTRONIC", "electronic data"),
    "mail": ("MAILWRIT", "mail"),
    "fax": ("FAXWRIT", "telefax"),
    "phone": ("PHONE", "telephone"),
    "hand": ("WRITTEN", "written"),
}


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
        "topic": {"coding": [codes.coding(codes.CORRESPONDENCE_OUTCOME, outcome, _OUTCOMES)]},
        "about": [{"reference": f"ServiceRequest/{referral.id}"}],
        "payload": [{"contentString": text}],
    }
    if recipient:
        body["recipient"] = [dict(recipient)]
    if plan_organization:
        body["sender"] = {"reference": f"Organization/{plan_organization}"}
    if status == "sent":
        body["medium"] = [_medium("endpoint")]
        body["sent"] = instant(referral.updated_at)
    if reason:
        body["statusReason"] = {"text": reason}
    return body


def letter_sent(stored: Mapping[str, Any], *, at: datetime, how: str) -> dict[str, Any]:
    """The next version of a Communication whose letter was sent: mail, fax, phone or hand.

    What staff note about it stays in their outbox: other parties read the Communication, too.
    """
    body = {name: value for name, value in stored.items() if name != "statusReason"}
    version = int(stored["meta"]["versionId"]) + 1
    body["meta"] = {**stored["meta"], "versionId": str(version), "lastUpdated": instant(at)}
    body.update(status="completed", medium=[_medium(how)], sent=instant(at))
    return body


def _medium(how: str) -> dict[str, Any]:
    code, display = _MEDIA[how]
    coding = {"system": codes.PARTICIPATION_MODE, "code": code, "display": display}
    return {"coding": [coding]}
