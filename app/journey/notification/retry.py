"""Decides what an answer means for its delivery, and when the next attempt is due. PURE.

Standard Webhooks 1.0.0: ten attempts over 75.6 hours; any 2xx is success, a redirect is not; 410
ends an endpoint. An answer may concern the endpoint and not the message: 429, 502, 503, 504, or
none at all. Then the endpoint is left alone for a while; its other deliveries keep their own tries,
and are due as soon as it is well again. Chance comes in as a number. Other files record and send.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

#: The waits between a failed attempt and the next (Standard Webhooks, 75.6 hours in all).
SCHEDULE: tuple[timedelta, ...] = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    *(timedelta(hours=h) for h in (2, 5, 10, 14, 20, 24)),
)
#: The part of a wait that chance adds or takes away, so that retries do not come in waves.
JITTER = 0.2
#: The longest wait that a receiver may ask for.
LONGEST_WAIT = timedelta(hours=24)
#: The longest pause of an endpoint that did not ask for a time.
LONGEST_PAUSE = timedelta(minutes=1)
#: The shortest and longest wait of a delivery that this worker could not send or record.
SHORTEST_ASIDE, LONGEST_ASIDE = timedelta(minutes=1), timedelta(minutes=30)
#: The statuses that throttle an endpoint (Standard Webhooks, and 503 in addition).
THROTTLES = frozenset({429, 502, 503, 504})
#: After so long without a success an endpoint is disabled, and its deliveries are held.
GIVE_UP_ON_ENDPOINT = timedelta(days=5)

#: The error classes of an attempt without an answer.
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
    """The answer to one attempt: a status with its `Retry-After` header, or an error class."""

    status: int | None = None
    error: str | None = None
    retry_after: str | None = None


@dataclass(frozen=True, slots=True)
class Delivered:
    """A success: any 2xx, whatever the body."""


@dataclass(frozen=True, slots=True)
class Retry:
    """A failure: due again at `at`. Until `pause`, if given, nothing goes to the endpoint."""

    at: datetime
    pause: datetime | None = None


@dataclass(frozen=True, slots=True)
class Gone:
    """A 410: the endpoint is disabled, its deliveries are held."""


@dataclass(frozen=True, slots=True)
class Blocked:
    """A forbidden address: endpoint suspended, deliveries held, no try used up."""


@dataclass(frozen=True, slots=True)
class Dead:
    """A delivery whose schedule is used up: it is kept for a person, who may redeliver it."""


AttemptOutcome = Delivered | Retry | Gone | Blocked | Dead


def outcome(answer: ReceiverAnswer, tried: int, now: datetime, chance: float) -> AttemptOutcome:
    """Decides what follows from an answer.

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
    """Returns the wait after failure number `tried`, up to 20 % shorter or longer by `chance`.

    `chance` is in [0, 1).
    """
    return SCHEDULE[tried - 1] * (1 - JITTER + 2 * JITTER * chance)


def set_aside(number: int) -> timedelta:
    """Returns the wait of a delivery that could not be made or recorded, at attempt `number`.

    The receiver has not failed, so the delivery uses up no try. The waits still grow, to half an
    hour: the longest time until the delivery is sent once the fault is mended.
    """
    return min(max(SCHEDULE[min(number, len(SCHEDULE)) - 1], SHORTEST_ASIDE), LONGEST_ASIDE)


def retry_after(value: str | None, now: datetime) -> timedelta | None:
    """Reads `Retry-After` in seconds or as an HTTP date; None if absent or not understood."""
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
