"""What an attempt's outcome means for its delivery, and when the next attempt is due. PURE.

Standard Webhooks 1.0.0: ten attempts over 75.6 hours; any 2xx is success, a redirect is not;
410 ends an endpoint. Where an answer speaks of the endpoint and not of the message (429, 502, 503,
504, or none at all), the endpoint is left alone for a while: what else waits for it keeps its own
tries, and is due as soon as it is well again. Chance comes in as a number. Recording and sending
are others' work.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

#: How long after a failed attempt the next one follows (Standard Webhooks, 75.6 hours in all).
SCHEDULE: tuple[timedelta, ...] = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    *(timedelta(hours=h) for h in (2, 5, 10, 14, 20, 24)),
)
#: Part of the wait that chance adds or takes away, so that retries do not come in waves.
JITTER = 0.2
#: A receiver may ask for more time, but not for ever.
LONGEST_WAIT = timedelta(hours=24)
#: How long an endpoint that did not ask for a time is left alone at most.
LONGEST_PAUSE = timedelta(minutes=1)
#: How long what we ourselves could not send or record is left alone, at least and at most.
SHORTEST_ASIDE, LONGEST_ASIDE = timedelta(minutes=1), timedelta(minutes=30)
#: The statuses that throttle an endpoint (Standard Webhooks; 503 is asked for beside them).
THROTTLES = frozenset({429, 502, 503, 504})
#: An endpoint whose every attempt failed for so long is disabled, and its deliveries held.
GIVE_UP_ON_ENDPOINT = timedelta(days=5)

#: The error classes an attempt can have when there was no answer.
BLOCKED, TIMEOUT, DNS, TLS, REFUSED, BROKEN = (
    "blocked",
    "timeout",
    "dns_error",
    "tls_error",
    "connection_refused",
    "connection_error",
)


@dataclass(frozen=True, slots=True)
class ReceiverAnswer:
    """What came of one attempt: a status with its `Retry-After` header, or an error class."""

    status: int | None = None
    error: str | None = None
    retry_after: str | None = None


@dataclass(frozen=True, slots=True)
class Delivered:
    """Any 2xx, whatever the body."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Failed; due again at `at`. Until `pause`, where given, nothing goes to the endpoint."""

    at: datetime
    pause: datetime | None = None


@dataclass(frozen=True, slots=True)
class Gone:
    """410: the endpoint is disabled, its deliveries held."""


@dataclass(frozen=True, slots=True)
class Blocked:
    """The address is not one we send to: endpoint suspended, deliveries held, no try used up."""


@dataclass(frozen=True, slots=True)
class Dead:
    """The schedule is used up: kept for a person, who may redeliver it."""


AttemptOutcome = Delivered | Retry | Gone | Blocked | Dead


def outcome(answer: ReceiverAnswer, tried: int, now: datetime, chance: float) -> AttemptOutcome:
    """What follows from an answer.

    `tried` counts the attempts of this round of the schedule, this one included; `chance` is
    uniform in [0, 1).
    """
    if answer.error == BLOCKED:
        return Blocked()
    if answer.status is not None and 200 <= answer.status < 300:
        return Delivered()
    if answer.status == 410:
        return Gone()
    if tried > len(SCHEDULE):
        return Dead()
    scheduled = scheduled_wait(tried, chance)
    asked = min(retry_after(answer.retry_after, now) or timedelta(0), LONGEST_WAIT)
    pause = None
    if answer.error is not None or answer.status in THROTTLES:
        pause = now + max(asked, min(scheduled, LONGEST_PAUSE))
    return Retry(now + max(scheduled, asked), pause)


def scheduled_wait(tried: int, chance: float) -> timedelta:
    """The wait after the `tried`-th failure, within 20 % either way; `chance` in [0, 1)."""
    return SCHEDULE[tried - 1] * (1 - JITTER + 2 * JITTER * chance)


def set_aside(number: int) -> timedelta:
    """How long a delivery is left alone that could not be made or recorded, at its `number`-th.

    Nobody has failed to answer, so it uses up no try. The waits grow all the same, to half an hour:
    so long at most does it take to be sent once the fault is mended.
    """
    return min(max(SCHEDULE[min(number, len(SCHEDULE)) - 1], SHORTEST_ASIDE), LONGEST_ASIDE)


def retry_after(value: str | None, now: datetime) -> timedelta | None:
    """A `Retry-After` in seconds or as an HTTP date; None when there is none to understand."""
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return timedelta(seconds=min(int(value[:9]), LONGEST_WAIT.total_seconds()))
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(moment - now, timedelta(0))
