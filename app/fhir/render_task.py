"""The referral's Task and the performer's service Task, as they stand on the wire.

From our words to FHIR's and nothing else. The table of states is spec.md 7: `received` and `ready`
are taken on input and never emitted.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from app.fhir import codes
from app.fhir.dates import instant
from app.model.lifecycle import MOVES, BusinessStatus, State
from app.model.record import Details, Referral

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
