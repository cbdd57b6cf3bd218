"""One change to a referral while it is being composed: moves, messages, authorization,
correspondence.

Intake, a person and the clock all compose their change here, so that there is one machine with
three drivers. Touches no database: `app.referral.seal` turns the draft into rows,
`app.referral.store` writes them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import orjson

from app.decision.tables import determination, information_request
from app.notification.correspond import Notice, Parties
from app.policy.model import Determination, Missing, Question
from app.policy.question_json import question_to_json
from app.referral.lifecycle import BusinessStatus, Event, State, next_state
from app.referral.record import Authorization, Details, Referral
from app.referral.tables import (
    party,
    referral_history,
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
    #: The service Task of a performer that no longer has the referral, and that performer.
    ended_task: tuple[str, str] | None = None
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
        if self.service_task_id is not None:
            self.ended_task = (self.service_task_id, former)
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
