"""Which clock fires for a referral at a moment. The only place that says so.

PURE: the referral as it stands, the plan's clocks and the time go in. Finding and locking
candidates is `sweep.py`'s, which asks here again once a referral is its own: what somebody decided,
answered or took back in between fires nothing. Source: spec.md 2 (Clocks) and 6 (Authorization).
"""

from datetime import datetime
from enum import StrEnum

from app.base.local_time import local_date
from app.model.lifecycle import BusinessStatus, State
from app.model.record import Asked, Authorization, Referral
from app.policy.deadlines import PlanClocks, expires, expiring_from, is_over


class Alarm(StrEnum):
    """What a clock does when it fires."""

    VOID = "void"
    REMINDER = "reminder"
    OVERDUE = "overdue"
    EXPIRING = "expiring"
    EXPIRED = "expired"


def voids(referral: Referral, asked: Asked | None, now: datetime) -> bool:
    """Information was asked for at least once, none came, and the last day has ended.

    A referral that nothing is asked about is complete, and is never void.
    """
    return (
        _waits(referral)
        and asked is not None
        and asked.attempts >= 1
        and referral.void_due is not None
        and is_over(referral.void_due, now)
    )


def reminds(referral: Referral, asked: Asked | None, now: datetime) -> bool:
    """The day of the second attempt has come; not when the time is over already."""
    return (
        _waits(referral)
        and asked is not None
        and asked.reminded_at is None
        and asked.remind_at is not None
        and asked.remind_at <= now
        and not is_over(asked.void_due, now)
    )


def is_overdue(referral: Referral, now: datetime) -> bool:
    """Undecided after its due date, and nobody was told."""
    return (
        referral.state is State.PENDING
        and referral.overdue_told_at is None
        and is_over(referral.decision_due, now)
    )


def expiring(authorization: Authorization | None, clocks: PlanClocks, now: datetime) -> bool:
    """The notice before an authorization's end is due; not when the end has passed already."""
    if authorization is None or authorization.status != "open":
        return False
    if authorization.expiring_told_at or has_expired(authorization, now):
        return False
    first = expiring_from(authorization.starts_on, authorization.ends_on, clocks)
    return first is not None and first <= local_date(now)


def expired(authorization: Authorization | None, now: datetime) -> bool:
    """The authorization's last day has ended, and nobody was told."""
    return (
        authorization is not None
        and authorization.status == "open"
        and authorization.expired_told_at is None
        and has_expired(authorization, now)
    )


def has_expired(authorization: Authorization, now: datetime) -> bool:
    """Whether its last day has ended in California."""
    return is_over(expires(authorization.ends_on), now)


def _waits(referral: Referral) -> bool:
    return (
        referral.state is State.PENDING
        and referral.business_status is BusinessStatus.INFORMATION_NEEDED
    )
