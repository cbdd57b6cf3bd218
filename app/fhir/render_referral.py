"""Writes a referral as FHIR: its ServiceRequest, its Tasks, its authorization, and the decision.

ServiceRequest: every element and extension stays as sent; only `id`, `meta`, `status` and the
reason of a refusal are ours (spec.md 7, "Referral on the wire").
Tasks: the referral's own Task, and the performer's service Task. The table of states is spec.md 7:
`received` and `ready` are accepted on input and never emitted.
Decision (`Decided`): state, reasons, authorization and Task, shown only in the answer to the post
that made the referral. The stored ServiceRequest has no such extension; the Task says all of it
later.
Authorization: a ClaimResponse (`use` = preauthorization) with the PAS review action.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.base.text import is_cut
from app.fhir.dates import instant
from app.fhir.r4 import codes
from app.model.lifecycle import MOVES, BusinessStatus, State
from app.model.record import Authorization, Details, Referral

# The ServiceRequest
_CLOSED = (BusinessStatus.COMPLETED, BusinessStatus.UNFULFILLED)


def request_status(state: State, status: BusinessStatus | None) -> str:
    """The FHIR status of the ServiceRequest: `active` until the referral is closed or refused."""
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
    """The stored form of a resource that came beside the request and belongs to the referral."""
    body = {"resourceType": resource["resourceType"], "id": resource_id, **resource}
    body["id"] = resource_id
    body["meta"] = stamped(resource.get("meta"), referral)
    return body


def patient_reference(sent: Mapping[str, Any], cin: str | None) -> dict[str, Any]:
    """A reference to the member for resources other than the request.

    A reference to a contained Patient (`#id`) is left out: `#id` has no meaning in other resources.
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


# The Tasks
_BY_STATE = {
    State.PENDING: "requested",
    State.APPROVED: "accepted",
    State.DENIED: "rejected",
    State.VOID: "cancelled",
    State.CANCELLED: "cancelled",
}
_BY_BUSINESS_STATUS = {
    BusinessStatus.INFORMATION_NEEDED: "on-hold",
    BusinessStatus.IN_SERVICE: "in-progress",
    BusinessStatus.COMPLETED: "completed",
    BusinessStatus.UNFULFILLED: "failed",
}
#: Business status of the referral → status of the performer's Task, as the performer set it.
_SERVICE_STATUS = {
    BusinessStatus.ASSIGNED: "requested",
    BusinessStatus.ALTERNATE: "requested",
    **{
        status: row.on_service_task
        for row in MOVES.values()
        if row.on_service_task and not row.places
        for status in row.statuses_after
    },
}


_BEFORE_THE_PERFORMERS_ANSWER = (BusinessStatus.ASSIGNED, BusinessStatus.ALTERNATE)


def task_status(state: State, status: BusinessStatus | None) -> str:
    """The FHIR status of the referral's Task."""
    return _BY_BUSINESS_STATUS.get(status, _BY_STATE[state]) if status else _BY_STATE[state]


def service_task_status(_: State, status: BusinessStatus | None) -> str:
    """The FHIR status of the performer's service Task."""
    return _SERVICE_STATUS.get(status, "cancelled") if status else "cancelled"


def business_status(state: State, status: BusinessStatus | None) -> dict[str, Any]:
    """The state in our code system, and the business status where the referral has one."""
    coding = [codes.coding(codes.REFERRAL_STATE, state.value, codes.STATES)]
    if status is not None:
        coding.append(codes.coding(codes.BUSINESS_STATUS, status.value, codes.BUSINESS_STATUSES))
    return {"coding": coding}


def status_reason(details: Details) -> dict[str, Any] | None:
    """The coded reasons with a text; the caller reads the text first when a referral is refused."""
    if not details.shown:
        return None
    texts = [reason.text or codes.REASONS.get(reason.code, reason.code) for reason in details.shown]
    coded = [
        codes.coding(codes.DETERMINATION_REASON, reason.code, codes.REASONS)
        for reason in details.shown
        if reason.code in codes.REASONS
    ]
    return {**({"coding": coded} if coded else {}), "text": "; ".join(texts)}


def _task_business_status(referral: Referral, details: Details) -> dict[str, Any]:
    """The business status of a Task; its text says if the performer must assess (spec.md 5)."""
    concept = business_status(referral.state, referral.business_status)
    if details.needs_assessment and referral.business_status in _BEFORE_THE_PERFORMERS_ANSWER:
        concept["text"] = f"{concept['coding'][-1]['display']}: additional assessment required"
    return concept


def _task_head(
    referral: Referral, details: Details, patient: Mapping[str, Any], task_id: str
) -> dict[str, Any]:
    head: dict[str, Any] = {
        "resourceType": "Task",
        "id": task_id,
        "meta": {"versionId": str(referral.version), "lastUpdated": instant(referral.updated_at)},
        "businessStatus": _task_business_status(referral, details),
        "intent": "order",
        "priority": referral.priority,
        "code": {"coding": [{"system": codes.TASK_CODE, "code": "fulfill"}]},
        "focus": {"reference": f"ServiceRequest/{referral.id}"},
        "for": dict(patient),
        "authoredOn": instant(referral.created_at),
        "lastModified": instant(referral.updated_at),
    }
    reason = status_reason(details)
    if reason:
        head["statusReason"] = reason
    return head


def referral_task(
    referral: Referral,
    details: Details,
    patient: Mapping[str, Any],
    plan_organization: str | None,
    adopted: Mapping[str, Any] | None = None,
    outputs: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """The referral's own Task: the plan is its owner, the referring organization its requester.

    `adopted` is a Task that the referrer sent: its identifiers, inputs and notes are kept.
    `outputs` are the performer's outputs: its lead care manager, and the result of the service.
    """
    task = _task_head(referral, details, patient, referral.id)
    task["status"] = task_status(referral.state, referral.business_status)
    task["requester"] = {"reference": f"Organization/{referral.organization_id}"}
    if plan_organization:
        task["owner"] = {"reference": f"Organization/{plan_organization}"}
    for name in ("identifier", "input", "note", "contained", "description"):
        if adopted and adopted.get(name):
            task[name] = adopted[name]
    if referral.state is State.PENDING:
        task["restriction"] = {"period": {"end": instant(referral.decision_due)}}
    if referral.state is State.APPROVED:
        task["output"] = [
            {
                "type": {"coding": [{"system": codes.TASK_OUTPUT, "code": "authorization"}]},
                "valueReference": {"reference": f"ClaimResponse/{referral.id}"},
            },
            *outputs,
        ]
    return task


def service_task(
    referral: Referral,
    details: Details,
    patient: Mapping[str, Any],
    task_id: str,
    plan: str | None,
    kept: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The performer's Task: part of the referral's Task, with the ServiceRequest as its focus.

    `kept` is the previous version of the Task: elements that the performer wrote stay.
    """
    task = _task_head(referral, details, patient, task_id)
    task["status"] = service_task_status(referral.state, referral.business_status)
    task["partOf"] = [{"reference": f"Task/{referral.id}"}]
    if plan:
        task["requester"] = {"reference": f"Organization/{plan}"}
    if referral.performer_id:
        task["owner"] = {"reference": f"Organization/{referral.performer_id}"}
    for name in ("identifier", "note", "output", "contained"):
        if kept and kept.get(name):
            task[name] = kept[name]
    return task


# The decision, in the answer to the post
@dataclass(frozen=True, slots=True)
class Decided:
    """The decision about a referral; `number` is the number of its authorization."""

    referral_id: str
    state: State
    status: BusinessStatus | None
    details: Details
    number: str | None = None

    def extension(self) -> dict[str, Any]:
        """The decision as an extension of the ServiceRequest in the answer."""
        parts: list[dict[str, Any]] = [
            {
                "url": "status",
                "valueCodeableConcept": business_status(self.state, self.status),
            }
        ]
        if (reason := status_reason(self.details)) is not None:
            parts.append({"url": "reason", "valueCodeableConcept": reason})
        if self.number is not None:
            reference = f"ClaimResponse/{self.referral_id}"
            number = {"system": codes.AUTHORIZATION_ID, "value": self.number}
            authorization = {"reference": reference, "identifier": number}
            parts.append({"url": "authorization", "valueReference": authorization})
        parts.append({"url": "task", "valueReference": {"reference": f"Task/{self.referral_id}"}})
        return {"url": codes.REFERRAL_DECISION, "extension": parts}

    def sentence(self) -> str:
        """The decision in words: `approved (assigned), authorization NWD-…. Population met.`"""
        status = f" ({self.status.value})" if self.status else ""
        number = f", authorization {self.number}" if self.number else ""
        reason = status_reason(self.details)
        because = f" {reason['text']}" if reason else ""
        return f"The referral is {self.state.value}{status}{number}.{because}"


# The authorization
_APPROVED = "A1"  # X12 306, "certified in total": only the code is used, the text is ours


def claim_response(
    referral: Referral,
    authorization: Authorization,
    patient: Mapping[str, Any],
    plan_organization: str | None,
    identifier: Mapping[str, Any],
) -> dict[str, Any]:
    """The ClaimResponse; `identifier` names the referral, the requester's own if there is one."""
    insurer: dict[str, Any] = (
        {"reference": f"Organization/{plan_organization}"}
        if plan_organization
        else {"identifier": {"system": codes.PLAN_ID, "value": referral.plan}}
    )
    review = {
        "url": codes.PAS_REVIEW_ACTION,
        "extension": [
            {
                "url": codes.PAS_REVIEW_ACTION_CODE,
                "valueCodeableConcept": {"coding": [{"system": codes.X12_306, "code": _APPROVED}]},
            },
            {"url": "number", "valueString": authorization.number},
        ],
    }
    return {
        "resourceType": "ClaimResponse",
        "id": referral.id,
        "meta": {"versionId": str(referral.version), "lastUpdated": instant(referral.updated_at)},
        "extension": [
            {
                "url": codes.AUTHORIZED_REFERRAL,
                "valueReference": {"reference": f"ServiceRequest/{referral.id}"},
            }
        ],
        "identifier": [{"system": codes.AUTHORIZATION_ID, "value": authorization.number}],
        "status": "active" if authorization.status == "open" else "cancelled",
        "type": {"coding": [{"system": codes.CLAIM_TYPE, "code": "professional"}]},
        "use": "preauthorization",
        "patient": dict(patient),
        "created": instant(referral.updated_at),
        "insurer": insurer,
        "requestor": {"reference": f"Organization/{referral.organization_id}"},
        "request": {"identifier": dict(identifier)},
        "outcome": "complete",
        "disposition": f"{codes.SERVICES.get(authorization.service, authorization.service)} "
        "authorized",
        "preAuthRef": authorization.number,
        "preAuthPeriod": {
            "start": authorization.starts_on.isoformat(),
            "end": authorization.ends_on.isoformat(),
        },
        "item": [_item(authorization, review)],
    }


def _item(authorization: Authorization, review: Mapping[str, Any]) -> dict[str, Any]:
    adjudication: dict[str, Any] = {
        "extension": [review],
        "category": {"coding": [{"system": codes.ADJUDICATION, "code": "submitted"}]},
    }
    if authorization.units:
        adjudication["value"] = authorization.units["quantity"]
        adjudication["reason"] = {"text": authorization.units["unit"]}
    item: dict[str, Any] = {"itemSequence": 1, "adjudication": [adjudication]}
    if authorization.performer_id:
        item["extension"] = [
            {
                "url": codes.PAS_AUTHORIZED_PROVIDER,
                "extension": [
                    {
                        "url": "provider",
                        "valueReference": {
                            "reference": f"Organization/{authorization.performer_id}"
                        },
                    }
                ],
            }
        ]
    return item
