"""Turns a finished draft into rows: versions of resources, messages, authorization, correspondence.

The only place that decides what a change looks like in the tables; `app.referral.store` writes it
in one statement. Touches no database.
"""

from dataclasses import replace
from typing import Any

import orjson

from app.fhir.render_claim_response import claim_response
from app.fhir.render_communication import communication
from app.fhir.render_referral import patient_reference, service_request, stamped
from app.fhir.render_task import referral_task, service_task, service_task_status, task_status
from app.fhir.strict_json import dumps
from app.ids import new_id
from app.notification.correspond import Notice
from app.notification.messages import About, Role, recipients, thin_payload
from app.notification.tables import correspondence, message
from app.referral.changes import Changes
from app.referral.draft import Actor, Draft
from app.referral.lifecycle import State
from app.referral.record import Referral
from app.referral.tables import locator, resource_version, service_authorization, task


def seal(draft: Draft) -> Changes:
    """The rows of the finished change."""
    version = (draft.before.version if draft.before else 0) + 1
    draft.after = replace(
        draft.after, version=version, updated_at=draft.at, details=draft.details.to_json()
    )
    changes = Changes(draft.before, draft.after, departed=draft.departed)
    _resources(draft, changes)
    _authorization(draft, changes)
    _messages(draft, changes)
    changes.after = draft.after
    for notice in draft.notices:
        _correspondence(draft, changes, notice)
    for table, values in draft.rows:
        changes.add(table, **values)
    return changes


def _version(draft: Draft, changes: Changes, body: dict[str, Any]) -> None:
    changes.add(
        resource_version,
        plan=draft.after.plan,
        type=body["resourceType"],
        id=body["id"],
        version=int(body["meta"]["versionId"]),
        referral_id=draft.after.id,
        updated_at=draft.at,
        body=dumps(body),
    )


def _locate(draft: Draft, changes: Changes, kind: str, resource_id: str) -> None:
    changes.add(
        locator, type=kind, id=resource_id, plan=draft.after.plan, referral_id=draft.after.id
    )


def _resources(draft: Draft, changes: Changes) -> None:
    after, details = draft.after, draft.details
    patient = patient_reference(draft.sent, after.cin)
    _version(draft, changes, service_request(after, details, draft.sent))
    own = referral_task(after, details, patient, draft.plan_organization, draft.adopted)
    _version(draft, changes, own)
    status = task_status(after.state, after.business_status)
    _task_row(draft, changes, after, after.id, "referral", status, draft.plan_organization)
    for body in draft.copies:
        body["meta"] = stamped(body.get("meta"), after)
        _version(draft, changes, body)
        _locate(draft, changes, body["resourceType"], body["id"])
    if draft.before is None:
        _locate(draft, changes, "ServiceRequest", after.id)
        _locate(draft, changes, "Task", after.id)
    if after.state is State.APPROVED and after.performer_id and not draft.service_task_id:
        draft.service_task_id = new_id()
        _locate(draft, changes, "Task", draft.service_task_id)
    if draft.service_task_id:
        _service_task(draft, changes, draft.service_task_id, after)
    if draft.ended_task:
        task_id, former = draft.ended_task
        _service_task(
            draft, changes, task_id, replace(after, performer_id=former, business_status=None)
        )


def _service_task(draft: Draft, changes: Changes, task_id: str, held: Referral) -> None:
    """The performer's Task; without a business status it is over for that performer."""
    patient = patient_reference(draft.sent, held.cin)
    body = service_task(held, draft.details, patient, task_id, draft.plan_organization)
    _version(draft, changes, body)
    status = service_task_status(held.state, held.business_status)
    _task_row(draft, changes, held, task_id, "service", status, held.performer_id)


def _task_row(
    draft: Draft,
    changes: Changes,
    held: Referral,
    task_id: str,
    kind: str,
    status: str,
    owner: str | None,
) -> None:
    changes.add(
        task,
        plan=held.plan,
        id=task_id,
        referral_id=held.id,
        kind=kind,
        status=status,
        business_status=held.business_status.value if held.business_status else None,
        owner_id=owner,
        version=held.version,
        updated_at=draft.at,
    )


def _authorization(draft: Draft, changes: Changes) -> None:
    authorization, after = draft.authorization, draft.after
    if authorization is None:
        return
    identifier = next(iter(draft.sent.get("identifier", ())), None) or {
        "system": "urn:ietf:rfc:3986",
        "value": f"urn:uuid:{after.id}",
    }
    patient = patient_reference(draft.sent, after.cin)
    _version(
        draft,
        changes,
        claim_response(after, authorization, patient, draft.plan_organization, identifier),
    )
    if not draft.new_authorization:
        return
    _locate(draft, changes, "ClaimResponse", after.id)
    changes.add(
        service_authorization,
        plan=after.plan,
        referral_id=after.id,
        number=authorization.number,
        cin=after.cin or "",
        service=authorization.service,
        performer_id=authorization.performer_id,
        starts_on=authorization.starts_on,
        ends_on=authorization.ends_on,
        units=orjson.dumps(authorization.units).decode() if authorization.units else None,
        previous_id=authorization.previous_id,
        status=authorization.status,
        created_at=draft.at,
        updated_at=draft.at,
    )


def _organizations(draft: Draft) -> dict[Role, str | None]:
    """The organizations behind the roles that a message names.

    The performer asked for is a party until the referral is with another (spec.md 5).
    """
    after = draft.after
    asked = after.asked_performer_id if after.performer_id is None else None
    return {
        Role.REQUESTER: after.organization_id,
        Role.ASKED: asked,
        Role.PERFORMER: after.performer_id,
        Role.PLAN: draft.plan_organization,
    }


def _messages(draft: Draft, changes: Changes) -> None:
    actor = draft.first_actor
    by_role = _organizations(draft)
    for event_type in draft.announcements:
        draft.after = replace(draft.after, announced=draft.after.announced + 1)
        message_id = new_id()
        changes.add(
            message,
            plan=draft.after.plan,
            id=message_id,
            referral_id=draft.after.id,
            seq=draft.after.announced,
            event_type=str(event_type),
            body=_payload(draft, event_type, actor),
            full_body=None,
            occurred_at=draft.at,
            request_id=actor.request_id if actor else None,
            correlation_id=actor.correlation_id if actor else None,
        )
        told = {by_role[role] for role in recipients(event_type)}
        changes.recipients.extend(
            (message_id, name) for name in sorted(told - {None}, key=str) if name
        )


def _payload(draft: Draft, event_type: str, actor: Actor | None) -> bytes:
    after = draft.after
    about = About(
        plan=after.plan,
        referral_id=after.id,
        sequence=after.announced,
        state=after.state.value,
        business_status=after.business_status.value if after.business_status else None,
        reasons=[reason.code for reason in draft.details.reasons],
        service=after.service,
        authorization_id=after.id if draft.authorization else None,
        performer_id=after.performer_id,
        correlation_id=actor.correlation_id if actor else None,
    )
    return thin_payload(event_type, draft.at, about, draft.fhir_base)


def _correspondence(draft: Draft, changes: Changes, notice: Notice) -> None:
    communication_id = new_id()
    recipient: dict[str, Any] | None = None
    if notice.recipient == "member":
        recipient = patient_reference(draft.sent, draft.after.cin)
    elif notice.organization_id:
        recipient = {"reference": f"Organization/{notice.organization_id}"}
    body = communication(
        draft.after,
        communication_id=communication_id,
        outcome=notice.outcome,
        status=notice.status,
        recipient=recipient,
        plan_organization=draft.plan_organization,
        text=f"The referral is {notice.outcome}.",
        reason=notice.reason,
    )
    _version(draft, changes, body)
    _locate(draft, changes, "Communication", communication_id)
    changes.add(
        correspondence,
        plan=draft.after.plan,
        id=communication_id,
        referral_id=draft.after.id,
        outcome=notice.outcome,
        recipient=notice.recipient,
        organization_id=notice.organization_id,
        status=notice.status,
        reason=notice.reason,
        created_at=draft.at,
    )
