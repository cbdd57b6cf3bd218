"""A stored referral with its authorization and its last decision, and the clocks that fire for it.

PURE. `app.store.referral.store` reads and writes the values, and `app.store.referral.draft`
composes changes to them.

No other module says which clock fires. The input is the referral as it stands, the plan's clocks
and the time. `app.workers.clocks` finds and locks the candidates and then asks here again: a
referral that somebody decided, answered or took back in between fires no clock. Source: spec.md 2
(Clocks) and 6 (Authorization).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any

import orjson
from pydantic import TypeAdapter

from app.base.local_time import local_date
from app.model.lifecycle import BusinessStatus, Move, State
from app.policy.asking import Asking
from app.policy.deadlines import PlanClocks, expires, expiring_from, is_over
from app.policy.model import Missing, Reason


@dataclass(frozen=True, slots=True)
class Referral:
    """One row of `referral`. Attributes are named as the columns."""

    plan: str
    id: str
    version: int
    state: State
    business_status: BusinessStatus | None
    organization_id: str
    service: str | None
    priority: str
    intent: str
    member_id: str | None
    cin: str | None
    patient_id: str | None
    county: str | None
    received_at: datetime
    decision_due: datetime
    void_due: datetime | None
    overdue_told_at: datetime | None
    assignment: str | None
    offer_id: str | None
    holds_place: bool
    performer_id: str | None
    asked_performer_id: str | None
    based_on: str | None
    moves: int
    announced: int
    closed_at: datetime | None
    created_at: datetime
    updated_at: datetime
    details: str


@dataclass(frozen=True, slots=True)
class Authorization:
    """The authorization that an approval makes: the plan's number, the period, the units."""

    number: str
    service: str
    performer_id: str | None
    starts_on: date
    ends_on: date
    units: Mapping[str, Any] | None = None
    previous_id: str | None = None
    status: str = "open"
    expiring_told_at: datetime | None = None
    expired_told_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class InformationRequest:
    """One request for information to the requester; a CommunicationRequest on the wire.

    `attempts` counts how often the request was sent. A request with `ended_at` and without
    `answered_at` is no longer open, because the referral was decided, ended, or asked about anew.
    """

    id: str
    seq: int
    missing: tuple[Missing, ...]
    actor: str
    asked_at: datetime
    void_due: datetime
    remind_at: datetime | None
    attempts: int = 1
    reminded_at: datetime | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    asking: Asking | None = None


@dataclass(frozen=True)
class Details:
    """The content of the last decision: stored with the referral, shown on its Task.

    Without slots, as all that orjson writes as it is (`app.policy.model`).
    """

    reasons: tuple[Reason, ...] = ()
    populations: tuple[str, ...] = ()
    missing: tuple[Missing, ...] = ()
    recommendation: str | None = None
    needs_assessment: bool = False
    #: Why the service is on hold, or has ended; shown instead of the reasons of the decision.
    service_reasons: tuple[Reason, ...] = ()
    #: The performer that has the referral now has begun the service.
    begun: bool = False
    #: The referral was taken back because it was sent by mistake.
    mistaken: bool = False
    #: Plan staff proposed to approve against an exclusion; the proposal waits for confirmation.
    exception_proposed: bool = False
    #: What is asked first, and what is folded (`app.policy.asking.arranged`); None: as `missing`.
    asking: Asking | None = None

    @property
    def shown(self) -> tuple[Reason, ...]:
        """The reasons that explain the present state of the referral."""
        return self.service_reasons or self.reasons

    def moved(self, row: Move, reasons: tuple[Reason, ...]) -> "Details":
        """Returns the details after a move of the service: whether it has begun, and why."""
        if row.on_service_task is None:
            return self
        shown = reasons if row.shows_reasons else ()
        return replace(self, begun=self.begun or row.begins_service, service_reasons=shown)

    def to_json(self) -> str:
        return orjson.dumps(self).decode()

    @staticmethod
    def from_json(text: str) -> "Details":
        """Reads the text of `to_json`; a field that an older row lacks gets its default."""
        return _DETAILS.validate_json(text, strict=True)


_DETAILS = TypeAdapter(Details)


# The clocks.


class Alarm(StrEnum):
    """The effect of a clock that fires."""

    VOID = "void"
    REMINDER = "reminder"
    OVERDUE = "overdue"
    EXPIRING = "expiring"
    EXPIRED = "expired"


def voids(referral: Referral, asked: InformationRequest | None, now: datetime) -> bool:
    """Tells whether the referral is void: information was asked for, none came in time.

    The request was sent at least once, and the last day has ended. A referral without an open
    request is complete, and never becomes void.
    """
    return (
        _waits(referral)
        and asked is not None
        and asked.attempts >= 1
        and referral.void_due is not None
        and is_over(referral.void_due, now)
    )


def reminds(referral: Referral, asked: InformationRequest | None, now: datetime) -> bool:
    """Tells whether the second attempt is due: its day has come, the last day has not ended."""
    return (
        _waits(referral)
        and asked is not None
        and asked.reminded_at is None
        and asked.remind_at is not None
        and asked.remind_at <= now
        and not is_over(asked.void_due, now)
    )


def is_overdue(referral: Referral, now: datetime) -> bool:
    """Tells whether the referral is undecided after its due date, and nobody was told."""
    return (
        referral.state is State.PENDING
        and referral.overdue_told_at is None
        and is_over(referral.decision_due, now)
    )


def expiring(authorization: Authorization | None, clocks: PlanClocks, now: datetime) -> bool:
    """Tells whether the notice before an authorization's end is due; False after the end."""
    if authorization is None or authorization.status != "open":
        return False
    if authorization.expiring_told_at or has_expired(authorization, now):
        return False
    first = expiring_from(authorization.starts_on, authorization.ends_on, clocks)
    return first is not None and first <= local_date(now)


def expired(authorization: Authorization | None, now: datetime) -> bool:
    """Tells whether the authorization's last day has ended, and nobody was told."""
    return (
        authorization is not None
        and authorization.status == "open"
        and authorization.expired_told_at is None
        and has_expired(authorization, now)
    )


def has_expired(authorization: Authorization, now: datetime) -> bool:
    """Tells whether the authorization's last day has ended in California."""
    return is_over(expires(authorization.ends_on), now)


def _waits(referral: Referral) -> bool:
    return (
        referral.state is State.PENDING
        and referral.business_status is BusinessStatus.INFORMATION_NEEDED
    )
