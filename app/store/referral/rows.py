"""Turns a finished draft into rows: versions of resources, messages, authorization, correspondence.

No other module decides how a change looks in the tables. This module touches no database:
`app.store.referral.store` writes the rows in one statement.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import orjson

from app.base.ids import new_id
from app.fhir.consent import ConsentRule, Organizations, confidential, read_consent
from app.fhir.r4 import codes
from app.fhir.r4.strict_json import dumps
from app.fhir.render_communication import communication_request, naming_request
from app.fhir.render_referral import (
    claim_response,
    patient_reference,
    referral_task,
    service_request,
    service_task,
    stamped,
    task_status,
)
from app.fhir.sensitive import is_confidential, is_sensitive_copy, label
from app.model.lifecycle import State
from app.model.messages import About, Role, recipients, thin_payload
from app.model.notices import OutcomeNotice
from app.model.record import Referral
from app.store.reading.words import words
from app.store.referral.changes import Changes, StoredResource
from app.store.referral.draft import Actor, Draft, EndedTask
from app.store.referral.letters import compose_communication
from app.store.tables.decision import information_request, service_authorization
from app.store.tables.notification import correspondence, message
from app.store.tables.referral import consent_rule, locator, resource_set, task

#: Resources in one row have no more bytes than this together: to read one costs as much as to read
#: its row.
SET_BYTES = 64 * 1024


def build_rows(draft: Draft) -> Changes:
    """Finishes the draft and returns the rows of the change."""
    draft.finish()
    changes = Changes(draft.before, draft.after, proposed=draft.proposed, departed=draft.departed)
    _resources(draft, changes)
    _consents(draft, changes)
    _requests(draft, changes)
    _authorization(draft, changes)
    _messages(draft, changes)
    for notice in draft.notices:
        _correspondence(draft, changes, notice)
    for table, values in draft.rows:
        changes.add(table, **values)
    _sets(draft, changes)
    return changes


def _version(changes: Changes, whole: dict[str, Any]) -> None:
    body = label(whole)
    version = int(body["meta"]["versionId"])
    stored = (body["resourceType"], body["id"], version, dumps(body), words(body))
    changes.resources.append(StoredResource(*stored))


def _sets(draft: Draft, changes: Changes) -> None:
    """Adds the rows with all resources of the change."""
    after = draft.after
    for number, resources in enumerate(apportioned(changes.resources)):
        types, ids, versions, bodies, found_by = zip(*resources, strict=True)
        parts = (id_.removeprefix(after.id) for id_ in ids)
        changes.add(
            resource_set,
            plan=after.plan,
            referral_id=after.id,
            version=after.version,
            number=str(number),
            updated_at=draft.at,
            names=[f"{type_}{part}" for type_, part in zip(types, parts, strict=True)],
            versions=versions,
            bodies=bodies,
            words=found_by,
        )


def apportioned(resources: Sequence[StoredResource]) -> Iterator[Sequence[StoredResource]]:
    """Yields the resources of each row: as many as it has room for, and one at least."""
    first, size = 0, 0
    for place, resource in enumerate(resources):
        of_resource = len(resource.body) + len(resource.words)
        if place > first and size + of_resource > SET_BYTES:
            yield resources[first:place]
            first, size = place, 0
        size += of_resource
    yield resources[first:]


def _resources(draft: Draft, changes: Changes) -> None:
    after, details = draft.after, draft.details
    patient = patient_reference(draft.sent, after.cin)
    for body in draft.copies:
        body["meta"] = stamped(body.get("meta"), after)
    tells = any(map(is_sensitive_copy, draft.copies))
    request = label(service_request(after, details, draft.sent), beside=tells)
    changes.request, changes.details = request, details
    _version(changes, request)
    given = (draft.service_kept or {}).get("output", ())
    own = referral_task(after, details, patient, draft.plan_organization, draft.adopted, given)
    own = naming_request(own, draft.open_request)
    _version(changes, own)
    status = task_status(after.state, after.business_status)
    _task_row(draft, changes, after, after.id, "referral", status, draft.plan_organization)
    for body in draft.copies:
        _version(changes, body)
    if draft.before is None:
        changes.add(
            locator, type="ServiceRequest", id=after.id, plan=after.plan, referral_id=after.id
        )
    if after.state is State.APPROVED and after.performer_id and not draft.service_task_id:
        draft.service_task_id = draft.id_of("t")
    if draft.service_task_id:
        kept, plan = draft.service_kept, draft.plan_organization
        body = service_task(after, details, patient, draft.service_task_id, plan, kept)
        _service_task(draft, changes, body, after)
    if draft.ended_task:
        _ended_task(draft, changes, draft.ended_task)


def _ended_task(draft: Draft, changes: Changes, ended: EndedTask) -> None:
    """Ends the Task of a performer with its own reasons only: it sees no reason of the decision."""
    held = replace(draft.after, performer_id=ended.performer_id, business_status=None)
    why = replace(draft.details, reasons=ended.reasons, service_reasons=())
    patient = patient_reference(draft.sent, held.cin)
    body = service_task(held, why, patient, ended.id, draft.plan_organization, ended.kept)
    _service_task(draft, changes, {**body, "status": ended.status}, held)


def _service_task(draft: Draft, changes: Changes, body: dict[str, Any], held: Referral) -> None:
    _version(changes, body)
    _task_row(draft, changes, held, body["id"], "service", body["status"], held.performer_id)


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


def _consents(draft: Draft, changes: Changes) -> None:
    """Adds the rules of the Consents that came with this change, and of confidential contact."""
    after = draft.after
    contained = draft.sent.get("contained", ()) if draft.before is None else draft.contained
    came = [
        *((body["id"], f"{body['resourceType']}/{body['id']}", body) for body in draft.copies),
        *(
            (f"{after.id}.{after.version}#{number}", f"#{one.get('id')}", one)
            for number, one in enumerate(contained)
        ),
    ]
    if draft.before is None:
        came.append((after.id, f"ServiceRequest/{after.id}", draft.sent))
    held = ((f"#{one.get('id')}", one) for one in draft.sent.get("contained", ()))
    copies = {**dict(held), **{reference: body for _, reference, body in came}}
    organizations = Organizations(draft.fhir_base, copies)
    for document, _, body in came:
        rules: Sequence[ConsentRule] = ()
        if body["resourceType"] == "Consent":
            rules = read_consent(body, draft.at, organizations)
        elif body["resourceType"] in _MARKING and is_confidential(body):
            rules = (confidential(draft.at),)
        for number, rule in enumerate(rules):
            changes.add(
                consent_rule,
                plan=after.plan,
                referral_id=after.id,
                document=document,
                number=number,
                covers=rule.covers,
                decision=rule.decision,
                dated=rule.dated,
                starts=rule.starts,
                ends=rule.ends,
                recipients=_lines(rule.recipients),
                purposes=_lines(rule.purposes),
                depth=rule.depth,
            )


#: Types on which a sender marks the member's contact as unsafe.
_MARKING = ("Patient", "ServiceRequest")


def _lines(names: Sequence[str] | None) -> str | None:
    return None if names is None else "\n".join(names)


def _requests(draft: Draft, changes: Changes) -> None:
    """Adds the requests for information, as rows and as CommunicationRequests."""
    after = draft.after
    for asked in draft.requests.values():
        patient = patient_reference(draft.sent, after.cin)
        plan = draft.plan_organization
        _version(changes, communication_request(after, asked, patient, plan))
        changes.add(
            information_request,
            plan=after.plan,
            referral_id=after.id,
            seq=asked.seq,
            id=asked.id,
            asked=orjson.dumps(asked.missing).decode(),
            actor=asked.actor,
            asked_at=asked.asked_at,
            void_due=asked.void_due,
            remind_at=asked.remind_at,
            attempts=asked.attempts,
            reminded_at=asked.reminded_at,
            answered_at=asked.answered_at,
            ended_at=asked.ended_at,
        )


def _authorization(draft: Draft, changes: Changes) -> None:
    authorization, after = draft.authorization, draft.after
    if authorization is None:
        return
    sent = next(iter(draft.sent.get("identifier", ())), None)
    identifier = sent or codes.uuid_identifier(after.id)
    patient = patient_reference(draft.sent, after.cin)
    plan = draft.plan_organization
    _version(changes, claim_response(after, authorization, patient, plan, identifier))
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
        expiring_told_at=authorization.expiring_told_at,
        expired_told_at=authorization.expired_told_at,
        created_at=draft.at,
        updated_at=draft.at,
    )


def _organizations(draft: Draft) -> dict[Role, str | None]:
    """Maps each role that a message is sent to onto its organization in this referral.

    The performer asked for is a party until another performer has the referral (spec.md 5).
    """
    after = draft.after
    asked = draft.asked_party if after.performer_id is None else None
    return {
        Role.REQUESTER: after.organization_id,
        Role.ASKED: asked,
        Role.PERFORMER: after.performer_id,
        Role.PLAN: draft.plan_organization,
    }


def _messages(draft: Draft, changes: Changes) -> None:
    actor = draft.first_actor
    by_role = _organizations(draft)
    first = draft.after.announced - len(draft.announcements) + 1
    for number, event_type in enumerate(draft.announcements, first):
        message_id = new_id()
        changes.add(
            message,
            plan=draft.after.plan,
            id=message_id,
            referral_id=draft.after.id,
            seq=number,
            event_type=str(event_type),
            body=_payload(draft, event_type, number, actor),
            occurred_at=draft.at,
            request_id=actor.request_id if actor else None,
            correlation_id=actor.correlation_id if actor else None,
        )
        organizations = {by_role[role] for role in recipients(event_type)}
        changes.recipients.extend(
            (message_id, name) for name in sorted(organizations - {None}, key=str) if name
        )


def _payload(draft: Draft, event_type: str, number: int, actor: Actor | None) -> bytes:
    after = draft.after
    about = About(
        plan=after.plan,
        referral_id=after.id,
        sequence=number,
        state=after.state.value,
        business_status=after.business_status.value if after.business_status else None,
        reasons=[reason.code for reason in draft.details.shown if reason.code],
        authorization_id=after.id if draft.authorization else None,
        performer_id=after.performer_id,
        correlation_id=actor.correlation_id if actor else None,
    )
    return thin_payload(event_type, draft.at, about, draft.fhir_base)


def _correspondence(draft: Draft, changes: Changes, notice: OutcomeNotice) -> None:
    messages = (
        row for row in changes.rows.get(message, ()) if row["event_type"] == notice.event_type
    )
    body, values = compose_communication(draft, notice, next((row["id"] for row in messages), None))
    _version(changes, body)
    changes.add(correspondence, **values)
