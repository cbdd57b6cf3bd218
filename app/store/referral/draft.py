"""Draft of one change to a referral: its moves, messages, authorization and correspondence.

Intake, a person and the clock all compose their change here: there is one state machine with three
drivers. This module touches no database: `app.store.referral.rows` turns the draft into rows, and
`app.store.referral.store` writes them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import orjson

from app.base.ids import id_of_part
from app.model.known import Placement
from app.model.lifecycle import MOVES, PLACED, BusinessStatus, Event, Move, State, next_state
from app.model.messages import EventType
from app.model.notices import Asker, Listening, OutcomeNotice, Parties, assignment_notices, notices
from app.model.record import Authorization, Details, InformationRequest, Referral
from app.policy.model import Determination, EligibilityQuestion, Missing, Reason
from app.policy.policy import Policy
from app.policy.stored_form import answer_to_json, question_to_json
from app.store.tables.decision import determination
from app.store.tables.referral import party, referral_history

#: A name with its role is cut to so many letters: every letter of the decision keeps it.
_LONGEST_NAME = 160


@dataclass(frozen=True, slots=True)
class Actor:
    """The mover of a referral, with the HTTP request; `organization_id` is None for the clock."""

    name: str
    organization_id: str | None
    request_id: str | None = None
    correlation_id: str | None = None


@dataclass(frozen=True, slots=True)
class Act:
    """The circumstances of one move: who makes it, why, and under which policy."""

    actor: Actor
    details: Details
    policy: Policy | None
    note: str | None = None
    #: The person who decides, as they name themselves: name and role.
    decider: str | None = None


@dataclass(frozen=True, slots=True)
class EndedTask:
    """The last version of the service Task of a performer that no longer has the referral."""

    id: str
    performer_id: str
    kept: Mapping[str, Any] | None
    status: str = "cancelled"
    reasons: tuple[Reason, ...] = ()


@dataclass(slots=True)
class Draft:
    """A referral before and after the change, and everything that the change writes besides."""

    before: Referral | None
    after: Referral
    at: datetime
    sent: Mapping[str, Any]  # the ServiceRequest as sent, or its last stored version
    details: Details
    plan_organization: str | None = None
    adopted: Mapping[str, Any] | None = None  # the Task that the referrer sent
    service_task_id: str | None = None
    #: The last version of the service Task; the performer's entries in this version are kept.
    service_kept: Mapping[str, Any] | None = None
    ended_task: EndedTask | None = None
    #: Organizations that stopped being parties before this change.
    passed_over: frozenset[str] = frozenset()
    #: The placement that the statement that writes this change is to make good.
    proposed: Placement | None = None
    #: Offers with a place that this change frees: `app.journey.waitlist` gives the place on.
    freed: list[str] = field(default_factory=list)
    #: The open request for information; by id, all requests that this change opens, renews or ends.
    open_request: InformationRequest | None = None
    requests: dict[str, InformationRequest] = field(default_factory=dict)
    authorization: Authorization | None = None
    announcements: list[str] = field(default_factory=list)
    copies: list[dict[str, Any]] = field(default_factory=list)  # resources sent with the request
    #: Resources that this change adds to those that the ServiceRequest contains.
    contained: Sequence[Mapping[str, Any]] = ()
    notices: list[OutcomeNotice] = field(default_factory=list)
    rows: list[tuple[Any, dict[str, Any]]] = field(default_factory=list)
    first_actor: Actor | None = None
    departed: list[str] = field(default_factory=list)
    asker: Asker = Asker.OFFICE
    entered_by_plan: bool = False
    #: Active endpoints of the organizations that this change may concern.
    listening: Sequence[Listening] = ()
    fhir_base: str = ""
    #: The person who decided, as they named themselves, for the letters.
    decider: str | None = None
    #: How many resources of this referral this change has named.
    made: int = 0

    @property
    def parties(self) -> Parties:
        """The facts about the parties by which letters are addressed."""
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
        """The performer asked for; None once that performer is passed over or declines."""
        asked = self.after.asked_performer_id
        return None if asked in self.passed_over or asked in self.departed else asked

    def move(
        self,
        event: Event,
        act: Act,
        *,
        placement: Placement | None = None,
        reasons: tuple[Reason, ...] | None = None,
    ) -> None:
        """Makes a move: adds one row of history, and does all that the row in `MOVES` says.

        `placement` is the result of a move that looks for a performer. `reasons` are the move's
        own; without them the reasons of the decision hold. Raises `IllegalMove` for an event that
        `MOVES` does not allow now.
        """
        row, before = MOVES[event], self.after
        state = before.state if before.moves else None
        target = next_state(state, event, before.business_status)
        placed = BusinessStatus(placement.assignment.value) if placement else None
        why = act.details.reasons if reasons is None else reasons
        self.details = act.details.moved(row, why)
        self.after = replace(
            before,
            state=target,
            business_status=row.status_after(before.business_status, placed),
            moves=before.moves + 1,
            void_due=None if row.ends_void_clock else before.void_due,
            closed_at=self.at if row.closes_loop else before.closed_at,
        )
        self.decider = act.decider[:_LONGEST_NAME] if act.decider else self.decider
        self._history(state, event, act, why)
        if row.answers_request:
            self._end_as_answered()
        if row.frees_place:
            self.free_place()
        if placement is not None:
            self._place(placement, row, before.performer_id, why)
        if row.ends_authorization and self.authorization is not None:
            self.authorization = replace(self.authorization, status="ended")
        self._tell(row, act)

    def _history(
        self, state: State | None, event: Event, act: Act, reasons: tuple[Reason, ...]
    ) -> None:
        after, actor = self.after, act.actor
        policy = act.policy if MOVES[event].under_policy else None
        self.add(
            referral_history,
            plan=after.plan,
            referral_id=after.id,
            seq=after.moves,
            from_state=state.value if state else None,
            to_state=after.state.value,
            event=event.value,
            business_status=after.business_status.value if after.business_status else None,
            actor=actor.name,
            organization_id=actor.organization_id,
            at=self.at,
            reason=orjson.dumps(reasons).decode(),
            note=act.note,
            policy=policy.version if policy else None,
            request_id=actor.request_id,
            correlation_id=actor.correlation_id,
        )

    def _place(
        self, placement: Placement, row: Move, former: str | None, reasons: tuple[Reason, ...]
    ) -> None:
        """Gives the referral to the performer of `placement`, or lets the referral wait.

        Every other performer that had the referral, or was asked for, stops being a party. The
        service Task of the former performer ends with the status and the reasons that this
        performer gave; where somebody else made the move, the Task is cancelled.
        """
        performer = placement.performer_id
        self.proposed = placement if placement.proposed else None
        if row.on_service_task:
            self.leaves(former, performer, row.on_service_task, reasons)
        else:
            self.leaves(former, performer)
        self.after = replace(
            self.after,
            assignment=placement.assignment.value,
            offer_id=placement.offer.id if placement.offer else None,
            holds_place=performer is not None,
            performer_id=performer,
        )
        if self.authorization is not None:
            self.authorization = replace(self.authorization, performer_id=performer)
        if performer:
            self.become_party(performer, "performer")
            self.leaves(self.asked_party, performer)

    def _tell(self, row: Move, act: Act) -> None:
        """Adds the messages about the move, and the correspondence about its outcome."""
        self.first_actor = self.first_actor or act.actor
        if row.announces and not (row.begins_service and act.details.begun):
            self.announcements.append(row.announces)
        if row.places and self.after.business_status in PLACED:
            self.announcements.append(PLACED[self.after.business_status])
        if row.outcome:
            self.notices.extend(notices(row.outcome, self.parties, act.policy))
        elif row.places and self.after.performer_id:
            self.notices.extend(assignment_notices(self.parties, act.policy))

    def announce(self, event_type: EventType, actor: Actor) -> None:
        """Adds a message that belongs to no move: a clock has run out."""
        self.first_actor = self.first_actor or actor
        self.announcements.append(event_type)

    def free_place(self) -> None:
        """Frees the place that the referral holds.

        When the change is written, `app.journey.waitlist` gives the place to the next referral.
        """
        after = self.after
        if after.holds_place and after.offer_id:
            self.freed.append(after.offer_id)
        self.after = replace(after, holds_place=False)

    def add(self, table: Any, **values: Any) -> None:
        self.rows.append((table, values))

    def become_party(self, organization_id: str, role: str) -> None:
        """Adds the organization as a party: from now on it sees the referral."""
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
        """Removes a performer that no longer has the referral: ends its part and its Task."""
        if former is None or former == next_one:
            return
        if self.service_task_id is not None:
            self.ended_task = EndedTask(
                self.service_task_id, former, self.service_kept, status, why
            )
        self.service_task_id = self.service_kept = None
        if former != self.after.organization_id:
            self.departed.append(former)

    def determine(self, question: EligibilityQuestion, answer: Determination, basis: str) -> None:
        """Adds the determination with its question, so that it can be explained and replayed."""
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

    def id_of(self, kind: str) -> str:
        """Makes the id of a new resource of this referral; `kind` is a letter: task, letter …

        It has the version that this change writes, and a number: `<referral's id>.2c1`.
        """
        self.made += 1
        version = self.before.version + 1 if self.before else 1
        return id_of_part(self.after.id, f"{version}{kind}{self.made}")

    def ask(
        self,
        missing: Sequence[Missing],
        actor: Actor,
        void_due: datetime,
        remind_at: datetime | None,
    ) -> None:
        """Opens a request for information; sending the request is the first attempt."""
        self.no_longer_asked()
        self.after = replace(self.after, void_due=void_due)
        self.open_request = InformationRequest(
            id=self.id_of("q"),
            seq=self.after.moves,
            missing=tuple(missing),
            actor=actor.name,
            asked_at=self.at,
            void_due=void_due,
            remind_at=remind_at,
            asking=self.details.asking,
        )
        self.requests[self.open_request.id] = self.open_request

    def remind(self) -> None:
        """Makes the second attempt at the open request."""
        if self.open_request is None:
            raise ValueError("nothing is asked")
        again = replace(
            self.open_request, attempts=self.open_request.attempts + 1, reminded_at=self.at
        )
        self.open_request = self.requests[again.id] = again

    def _end_as_answered(self) -> None:
        """Ends the open request as answered: information came."""
        if self.open_request is not None:
            self.open_request = replace(self.open_request, answered_at=self.at)
        self.no_longer_asked()

    def no_longer_asked(self) -> None:
        """Ends the open request, answered or not."""
        if self.open_request is not None:
            self.requests[self.open_request.id] = replace(self.open_request, ended_at=self.at)
        self.open_request = None

    def authorize(self, authorization: Authorization) -> None:
        """Adds the authorization of an approval; until now no such resource was stored."""
        self.authorization = authorization

    def told_overdue(self, at: datetime) -> None:
        """Notes that the parties were told of the late decision, so that they are told once."""
        self.after = replace(self.after, overdue_told_at=at)

    def checked(self, county: str | None, based_on: str | None) -> None:
        """Notes what the check found: the member's county, and the referral to continue."""
        self.after = replace(self.after, county=county, based_on=based_on)

    def about(self, member_id: str | None, cin: str | None, service: str | None) -> None:
        """Notes the member and the service, as far as each is known."""
        self.after = replace(self.after, member_id=member_id, cin=cin, service=service)

    def belongs_to(
        self, plan: str, organization: str | None, decision_due: datetime, asked: str | None
    ) -> None:
        """Gives a referral without a plan to this plan; `asked` is the performer asked for."""
        asked_before = self.after.asked_performer_id
        self.before = self.before and replace(self.before, plan=plan)
        self.after = replace(
            self.after, plan=plan, decision_due=decision_due, asked_performer_id=asked
        )
        self.plan_organization = organization
        if asked and asked != asked_before:
            self.become_party(asked, "asked")

    def finish(self) -> None:
        """Makes the change the next version of the referral. Nothing may be composed afterwards."""
        after = self.after
        if after.business_status is not BusinessStatus.INFORMATION_NEEDED:
            self.no_longer_asked()
        self.after = replace(
            after,
            version=(self.before.version if self.before else 0) + 1,
            announced=after.announced + len(self.announcements),
            updated_at=self.at,
            details=self.details.to_json(),
        )
