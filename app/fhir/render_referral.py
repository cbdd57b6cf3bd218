"""The ServiceRequest as it is given back: what was sent, with our id, version and status.

Every element and extension stays as sent; only `id`, `meta`, `status` and the reason of a refusal
are ours (spec.md 7, "Referral on the wire").

The referral's Task and the performer's service Task, as they stand on the wire.

From our words to FHIR's and nothing else. The table of states is spec.md 7: `received` and `ready`
are taken on input and never emitted.

What became of a referral, told in the answer to the post that made it: state, reasons, the
authorization, and the Task by which it is followed.

The stored ServiceRequest stays as it was sent; the Task says the same at any later time.

The authorization as a ClaimResponse (`use` = preauthorization), with PAS' review action.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.base.text import is_cut
from app.fhir.dates import instant
from app.fhir.r4 import codes
from app.model.lifecycle import MOVES, BusinessStatus, State
from app.model.record import Authorization, Details, Referral

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
#: The performer's own Task, by the referral's business status: as the performer asked for it.
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


_BEFORE_THE_ANSWER = (BusinessStatus.ASSIGNED, BusinessStatus.ALTERNATE)


def task_status(state: State, status: BusinessStatus | None) -> str:
    """The FHIR status of the referral's Task."""
    return _BY_BUSINESS_STATUS.get(status, _BY_STATE[state]) if status else _BY_STATE[state]


def service_task_status(_: State, status: BusinessStatus | None) -> str:
    """The FHIR status of the performer's service Task."""
    return _SERVICE_STATUS.get(status, "cancelled") if status else "cancelled"


def business_status(state: State, status: BusinessStatus | None) -> dict[str, Any]:
    """Our word, always: the state, and what the referral waits for where there is one."""
    coding = [codes.coding(codes.REFERRAL_STATE, state.value, codes.STATES)]
    if status is not None:
        coding.append(codes.coding(codes.BUSINESS_STATUS, status.value, codes.BUSINESS_STATUSES))
    return {"coding": coding}


def status_reason(details: Details) -> dict[str, Any] | None:
    """The coded reasons with a text: what the caller is told first when something is refused."""
    if not details.shown:
        return None
    words = [reason.text or codes.REASONS.get(reason.code, reason.code) for reason in details.shown]
    coded = [
        codes.coding(codes.DETERMINATION_REASON, reason.code, codes.REASONS)
        for reason in details.shown
        if reason.code in codes.REASONS
    ]
    return {**({"coding": coded} if coded else {}), "text": "; ".join(words)}


def _assigned(referral: Referral, details: Details) -> dict[str, Any]:
    """Our words; an assignment says where the performer must assess the member (spec.md 5)."""
    said = business_status(referral.state, referral.business_status)
    if details.needs_assessment and referral.business_status in _BEFORE_THE_ANSWER:
        said["text"] = f"{said['coding'][-1]['display']}: additional assessment required"
    return said


def _head(
    referral: Referral, details: Details, patient: Mapping[str, Any], task_id: str
) -> dict[str, Any]:
    head: dict[str, Any] = {
        "resourceType": "Task",
        "id": task_id,
        "meta": {"versionId": str(referral.version), "lastUpdated": instant(referral.updated_at)},
        "businessStatus": _assigned(referral, details),
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
    """The referral's own Task: the plan owns it, the referring organization asked for it.

    `adopted` is a Task that the referrer sent: its identifiers, inputs and notes are kept.
    `outputs` are the performer's: its lead care manager, and what came of the service.
    """
    task = _head(referral, details, patient, referral.id)
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
    """The performer's Task: part of the referral's, with the same focus.

    `kept` is its version before this one: what the performer put there stays.
    """
    task = _head(referral, details, patient, task_id)
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


@dataclass(frozen=True, slots=True)
class Decided:
    """A referral as it stands; `number` is its authorization's."""

    referral_id: str
    state: State
    status: BusinessStatus | None
    details: Details
    number: str | None = None

    def extension(self) -> dict[str, Any]:
        """An extension of the ServiceRequest that is answered."""
        said: list[dict[str, Any]] = [
            {
                "url": "status",
                "valueCodeableConcept": business_status(self.state, self.status),
            }
        ]
        if (reason := status_reason(self.details)) is not None:
            said.append({"url": "reason", "valueCodeableConcept": reason})
        if self.number is not None:
            reference = f"ClaimResponse/{self.referral_id}"
            number = {"system": codes.AUTHORIZATION_ID, "value": self.number}
            held = {"reference": reference, "identifier": number}
            said.append({"url": "authorization", "valueReference": held})
        said.append({"url": "task", "valueReference": {"reference": f"Task/{self.referral_id}"}})
        return {"url": codes.REFERRAL_DECISION, "extension": said}

    def sentence(self) -> str:
        """The same in words: `approved (assigned), authorization NWD-…. Population met.`"""
        waits = f" ({self.status.value})" if self.status else ""
        held = f", authorization {self.number}" if self.number else ""
        reason = status_reason(self.details)
        why = f" {reason['text']}" if reason else ""
        return f"The referral is {self.state.value}{waits}{held}.{why}"


_APPROVED = "A1"  # X12 306: certified in total; the code is used, the words are ours


def claim_response(
    referral: Referral,
    authorization: Authorization,
    patient: Mapping[str, Any],
    plan_organization: str | None,
    identifier: Mapping[str, Any],
) -> dict[str, Any]:
    """`identifier` is the referral's: the requester's own where there is one."""
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
