"""Writes letters and requests for information as FHIR.

Communication: one letter about an outcome, with its recipient and how it was sent.
CommunicationRequest: a request for information, with the questions that the plan asks and until
when the answer is due. `payload` has one question each; a question that a form asks too has the
form's `linkId` in an extension, so that a system can answer it with a QuestionnaireResponse.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from app.fhir.dates import instant
from app.fhir.r4 import codes
from app.model.record import InformationRequest, Referral
from app.policy.asking import Asking, arranged
from app.policy.model import Missing
from app.policy.vocabulary import words_of

_STATUS = {"sent": "completed", "to-send": "preparation", "skipped": "not-done"}
_OUTCOMES = words_of("letters")
#: How a letter was sent → v3-ParticipationMode; a letter handed over is written, too.
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
    """The first version of a Communication.

    `recipient` is a Reference; None if no recipient is known, and then `reason` says so.
    """
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
    """The next version of a Communication whose letter was sent: by mail, fax, phone or hand.

    Notes of the staff about a letter stay in their outbox, because other parties read the
    Communication.
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


def communication_request(
    referral: Referral,
    asked: InformationRequest,
    patient: Mapping[str, Any],
    plan_organization: str | None,
) -> dict[str, Any]:
    """The CommunicationRequest of a request for information; `request_status` is its status.

    The first note says which answers may be enough.
    """
    plan: dict[str, Any] = (
        {"reference": f"Organization/{plan_organization}"}
        if plan_organization
        else {"identifier": {"system": codes.PLAN_ID, "value": referral.plan}}
    )
    body: dict[str, Any] = {
        "resourceType": "CommunicationRequest",
        "id": asked.id,
        "meta": {"versionId": str(referral.version), "lastUpdated": instant(referral.updated_at)},
        "basedOn": [{"reference": f"ServiceRequest/{referral.id}"}],
        "status": request_status(asked),
        "category": [
            {
                "coding": [{"system": codes.COMMUNICATION_CATEGORY, "code": "instruction"}],
                "text": "Request for information",
            }
        ],
        "priority": referral.priority,
        "subject": dict(patient),
        "about": [{"reference": f"ServiceRequest/{referral.id}"}],
        "payload": [_question(missing) for missing in asked.missing],
        "occurrencePeriod": {"start": instant(asked.asked_at), "end": instant(asked.void_due)},
        "authoredOn": instant(asked.asked_at),
        "requester": plan,
        "recipient": [{"reference": f"Organization/{referral.organization_id}"}],
        "sender": plan,
    }
    notes: list[dict[str, Any]] = []
    if (enough := _enough(asked.missing, asked.asking)) is not None:
        notes.append({"text": enough})
    if asked.reminded_at is not None:
        notes.append({"time": instant(asked.reminded_at), "text": "Asked a second time."})
    return body | ({"note": notes} if notes else {})


def _enough(missing: Sequence[Missing], asking: Asking | None) -> str | None:
    """Say which answers would be enough, by the numbers of the questions: `1; or 2 and 3`."""
    numbers = {each: str(number) for number, each in enumerate(missing, 1)}
    choices = [
        _together(
            [numbers[each] for each in choice.all_of], [numbers[each] for each in choice.one_of]
        )
        for choice in arranged(missing, asking).first
    ]
    listed = [choice for choice in choices if choice]
    if not listed or len(missing) < 2:
        return None
    return f"Answers to these questions may be enough: {'; or '.join(listed)}."


def _together(all_of: list[str], one_of: list[str]) -> str:
    return " and ".join([*all_of, *([f"one of {', '.join(one_of)}"] if one_of else [])])


def request_status(asked: InformationRequest) -> str:
    """The status: `active` until the answer, then `completed`; `revoked` when no longer asked."""
    if asked.answered_at is not None:
        return "completed"
    return "active" if asked.ended_at is None else "revoked"


def _question(missing: Missing) -> dict[str, Any]:
    question: dict[str, Any] = {"contentString": missing.question}
    if missing.fact:
        question["extension"] = [{"url": codes.REQUESTED_FACT, "valueString": missing.fact}]
    return question


def naming_request(task: dict[str, Any], asked: InformationRequest | None) -> dict[str, Any]:
    """The referral's Task with `asked` as an input, in place of requests that have ended."""
    named = {"coding": [{"system": codes.TASK_INPUT, "code": "information-request"}]}
    inputs = [item for item in task.get("input", ()) if item.get("type") != named]
    if asked is not None:
        reference = {"reference": f"CommunicationRequest/{asked.id}"}
        inputs.append({"type": named, "valueReference": reference})
    if inputs:
        return {**task, "input": inputs}
    return {name: value for name, value in task.items() if name != "input"}
