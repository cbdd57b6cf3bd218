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

from app.decision.tables import determination
from app.ids import new_id
from app.notification.correspond import Asker, Listening, Notice, Parties
from app.policy.answer_json import answer_to_json
from app.policy.model import Determination, Missing, Question, Reason
from app.policy.question_json import question_to_json
from app.referral.lifecycle import BusinessStatus, Event, State, next_state
from app.referral.record import Asked, Authorization, Details, Referral
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


@dataclass(frozen=True, slots=True)
class EndedTask:
    """The service Task of a performer that no longer has the referral, as it ends."""

    id: str
    performer_id: str
    kept: Mapping[str, Any] | None
    status: str = "cancelled"
    reasons: tuple[Reason, ...] = ()


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
    #: The last version of the service Task: what the performer put there is kept.
    service_kept: Mapping[str, Any] | None = None
    ended_task: EndedTask | None = None
    #: Organizations that were parties and are none any more.
    passed_over: frozenset[str] = frozenset()
    #: Offers whose place this change frees: `app.capacity.waitlist` gives them on.
    freed: list[str] = field(default_factory=list)
    #: The request for information that is open, and those that this change opens, renews or ends.
    open_request: Asked | None = None
    requests: dict[str, Asked] = field(default_factory=dict)
    opened_request: str | None = None
    authorization: Authorization | None = None
    new_authorization: bool = False
    announcements: list[str] = field(default_factory=list)
    copies: list[dict[str, Any]] = field(default_factory=list)  # what came with the request
    notices: list[Notice] = field(default_factory=list)
    rows: list[tuple[Any, dict[str, Any]]] = field(default_factory=list)
    first_actor: Actor | None = None
    departed: list[str] = field(default_factory=list)
    asker: Asker = Asker.OFFICE
    entered_by_plan: bool = False
    #: Active endpoints of the organizations that this change may concern.
    listening: Sequence[Listening] = ()
    fhir_base: str = ""

    @property
    def parties(self) -> Parties:
        """The parties as letters need them."""
        after = self.after
        servicing = after.performer_id or self.asked_party
        return Parties(
            requester_id=after.organization_id,
            performer_id=servicing,
            service=after.service,
            plan=after.plan,
            asker=self.asker,
            entered_by_plan=self.entered_by_plan,
            listening=self.listening,
        )

    @property
    def asked_party(self) -> str | None:
        """The performer asked for, while it is a party: until it is passed over or declines."""
        asked = self.after.asked_performer_id
        return None if asked in self.passed_over or asked in self.departed else asked

    def move(
        self,
        event: Event,
        actor: Actor,
        *,
        status: BusinessStatus | None = None,
        details: Details | None = None,
        note: str | None = None,
        policy: str | None = None,
        why: tuple[Reason, ...] | None = None,
    ) -> None:
        """One row of history. Raises `IllegalMove` for what the table does not list.

        `why`: the reasons of this move alone, where they are not those of the decision.
        """
        state = self.after.state if self.after.moves else None
        target = next_state(state, event, self.after.business_status)
        if details is not None:
            self.details = details
        self.first_actor = self.first_actor or actor
        self.after = replace(
            self.after, state=target, business_status=status, moves=self.after.moves + 1
        )
        reasons = self.details.reasons if why is None else why
        self._history(state, event, actor, reasons, note, policy)

    def _history(
        self,
        state: State | None,
        event: Event,
        actor: Actor,
        reasons: tuple[Reason, ...],
        note: str | None,
        policy: str | None,
    ) -> None:
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

    def leaves(
        self,
        former: str | None,
        next_one: str | None,
        status: str = "cancelled",
        why: tuple[Reason, ...] = (),
    ) -> None:
        """A performer that no longer has the referral stops being a party; its Task is closed."""
        if former is None or former == next_one:
            return
        if self.service_task_id is not None:
            self.ended_task = EndedTask(
                self.service_task_id, former, self.service_kept, status, why
            )
        self.service_task_id = self.service_kept = None
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
            answer=answer_to_json(answer),
            at=self.at,
        )

    def ask(
        self,
        missing: Sequence[Missing],
        actor: Actor,
        void_due: datetime,
        remind_at: datetime | None,
    ) -> None:
        """Opens a request for information; its sending is the first attempt."""
        self.no_longer_asked()
        self.after = replace(self.after, void_due=void_due)
        self.open_request = Asked(
            id=new_id(),
            seq=self.after.moves,
            missing=tuple(missing),
            actor=actor.name,
            asked_at=self.at,
            void_due=void_due,
            remind_at=remind_at,
        )
        self.opened_request = self.open_request.id
        self.requests[self.open_request.id] = self.open_request

    def remind(self) -> None:
        """The second attempt at an open request."""
        if self.open_request is None:
            raise ValueError("nothing is asked")
        again = replace(
            self.open_request, attempts=self.open_request.attempts + 1, reminded_at=self.at
        )
        self.open_request = self.requests[again.id] = again

    def answered(self) -> None:
        """Information came: the request is answered, and its clock stops."""
        if self.open_request is not None:
            self.open_request = replace(self.open_request, answered_at=self.at)
        self.no_longer_asked()
        self.after = replace(self.after, void_due=None)

    def no_longer_asked(self) -> None:
        """The open request ends, answered or not."""
        if self.open_request is not None:
            self.requests[self.open_request.id] = replace(self.open_request, ended_at=self.at)
        self.open_request = None
