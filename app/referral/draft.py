"""One change to a referral while it is being composed: moves, messages, authorization, correspondence.

Intake, a person and the clock all compose their change here, so that there is one machine with three
drivers. Touches no database: `seal` turns the draft into rows, `app.referral.store.write` writes them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import orjson

from app.decision.tables import determination, information_request
from app.fhir.render_claim_response import claim_response
from app.fhir.render_communication import communication
from app.fhir.render_referral import patient_reference, service_request, stamped
from app.fhir.render_task import referral_task, service_task, service_task_status, task_status
from app.fhir.strict_json import dumps
from app.ids import new_id
from app.notification.correspond import Notice, Parties
from app.notification.messages import About, Role, recipients, thin_payload
from app.notification.tables import correspondence, message
from app.policy.model import Determination, Missing, Question
from app.policy.question_json import question_to_json
from app.referral.changes import Changes
from app.referral.lifecycle import BusinessStatus, Event, State, next_state
from app.referral.record import Authorization, Details, Referral
from app.referral.tables import (
    locator,
    party,
    referral_history,
    resource_version,
    service_authorization,
    task,
)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who moves a referral, and under which request; `organization_id` is None for the clock."""

    name: str
    organization_id: str | None
    request_id: str | None = None
    correlation_id: str | None = None


@dataclass(slots=True)
class Draft:
    """A referral before and after, and what goes with the change."""

    before: Referral | None
    after: Referral
    at: datetime
    sent: Mapping[str, Any]  # the ServiceRequest as sent, or its last stored version
    details: Details
    plan_organization: str | None = None
    adopted: Mapping[str, Any] | None = None  # the Task that the referrer sent
    service_task_id: str | None = None
    authorization: Authorization | None = None
    new_authorization: bool = False
    announcements: list[str] = field(default_factory=list)
    copies: list[dict[str, Any]] = field(default_factory=list)  # what came with the request
    notices: list[Notice] = field(default_factory=list)
    rows: list[tuple[Any, dict[str, Any]]] = field(default_factory=list)
    first_actor: Actor | None = None
    departed: list[str] = field(default_factory=list)
    self_referred: bool = False
    fhir_base: str = ""

    @property
    def parties(self) -> Parties:
        """The parties as letters need them."""
        after = self.after
        servicing = after.performer_id or after.asked_performer_id
        return Parties(after.organization_id, servicing, after.service, self.self_referred)

    def move(
        self,
        event: Event,
        actor: Actor,
        *,
        status: BusinessStatus | None = None,
        details: Details | None = None,
        note: str | None = None,
        policy: str | None = None,
    ) -> None:
        """One row of history. Raises `IllegalMove` for what the table does not list."""
        state = self.after.state if self.after.moves else None
        target = next_state(state, event, self.after.business_status)
        if details is not None:
            self.details = details
        self.first_actor = self.first_actor or actor
        self.after = replace(
            self.after, state=target, business_status=status, moves=self.after.moves + 1
        )
        self._history(state, event, actor, note, policy)

    def _history(
        self, state: State | None, event: Event, actor: Actor, note: str | None, policy: str | None
    ) -> None:
        reasons = self.details.reasons if event is not Event.RECEIVE else ()
        self.add(
            referral_history,
            plan=self.after.plan,
            referral_id=self.after.id,
            seq=self.after.moves,
            from_state=state.value if state else None,
            to_state=self.after.state.value,
            event=event.value,
            business_status=self.after.business_status.value
            if self.after.business_status
            else None,
            actor=actor.name,
            organization_id=actor.organization_id,
            at=self.at,
            reason=orjson.dumps(reasons).decode(),
            note=note,
            policy=policy,
            request_id=actor.request_id,
            correlation_id=actor.correlation_id,
        )

    def add(self, table: Any, **values: Any) -> None:
        self.rows.append((table, values))

    def become_party(self, organization_id: str, role: str) -> None:
        """From now on this organization sees the referral."""
        self.add(
            party,
            plan=self.after.plan,
            organization_id=organization_id,
            referral_id=self.after.id,
            role=role,
            since=self.at,
            until=None,
        )

    def leaves(self, former: str | None, next_one: str | None) -> None:
        """A performer that no longer has the referral stops being a party; its Task is closed."""
        if former is None or former == next_one:
            return
        self.service_task_id = None
        if former != self.after.organization_id:
            self.departed.append(former)

    def determine(self, question: Question, answer: Determination, basis: str) -> None:
        """The determination, stored so that it can be explained and replayed."""
        self.add(
            determination,
            plan=self.after.plan,
            referral_id=self.after.id,
            seq=self.after.moves,
            outcome=answer.outcome.value,
            basis=basis,
            policy=answer.policy,
            as_of=answer.as_of,
            question=question_to_json(question),
            answer=orjson.dumps(answer).decode(),
            at=self.at,
        )

    def ask(self, missing: Sequence[Missing], actor: Actor, void_due: datetime, seq: int) -> None:
        """Opens a request for information; its sending is the first attempt."""
        self.after = replace(self.after, void_due=void_due)
        self.add(
            information_request,
            plan=self.after.plan,
            referral_id=self.after.id,
            seq=seq,
            asked=orjson.dumps(list(missing)).decode(),
            actor=actor.name,
            asked_at=self.at,
            void_due=void_due,
            attempts=1,
            reminded_at=None,
            answered_at=None,
        )


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
    _task_row(draft, changes, after.id, "referral", draft.plan_organization)
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
        performers = service_task(
            after, details, patient, draft.service_task_id, draft.plan_organization
        )
        _version(draft, changes, performers)
        _task_row(draft, changes, draft.service_task_id, "service", after.performer_id)


def _task_row(draft: Draft, changes: Changes, task_id: str, kind: str, owner: str | None) -> None:
    after = draft.after
    status = task_status if kind == "referral" else service_task_status
    changes.add(
        task,
        plan=after.plan,
        id=task_id,
        referral_id=after.id,
        kind=kind,
        status=status(after.state, after.business_status),
        business_status=after.business_status.value if after.business_status else None,
        owner_id=owner,
        version=after.version,
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
