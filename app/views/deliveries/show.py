"""Shows deliveries, in the API and as a page: did the recipients get the messages?

Each delivery is put into words: its state, its recipient, and the next step. PURE; `store.py` reads
the rows and determines their columns.
"""

from collections import Counter
from datetime import datetime
from typing import Any

import orjson
from fastapi import Response

from app.model.messages import MEANINGS, TEST, WHY_OFF, EventType
from app.store.database import Row
from app.views.deliveries.model import Channel, DeliveriesPage, LetterTold, Outcome, Told, Try
from app.views.page import page
from app.views.spans import moment

_PREFIX = "/v1/webhook-endpoints"
_ERRORS = {
    "timeout": "it did not answer in time",
    "dns_error": "its name was not found",
    "tls_error": "its certificate was not accepted",
    "connection_refused": "it refused the connection",
    "connection_error": "the connection broke",
    "blocked": "its address is not one that messages are sent to",
}


def delivery_shown(row: Row, organization_id: str, public_url: str) -> Told:
    """Show one delivery to a caller of the organization `organization_id`."""
    tries = [Try(**_tried(each)) for each in orjson.loads(row["tries"] or "[]")]
    state = _state(row, tries)
    waits = state in (Outcome.PENDING, Outcome.FAILING)
    path = f"{_PREFIX}/{row['endpoint_id']}/messages/{row['message_id']}/redeliver"
    may = state is Outcome.DEAD and row["organization_id"] == organization_id
    return Told(
        message_id=row["message_id"],
        event_type=row["event_type"],
        meaning=meaning(row["event_type"]),
        occurred_at=row["occurred_at"],
        plan=row["plan"],
        referral=None if row["referral_id"] == row["message_id"] else row["referral_id"],
        sequence=row["seq"],
        organization=row["organization_id"],
        organization_name=row["organization"],
        kind=Channel(row["kind"]),
        endpoint=row["endpoint_id"],
        event_number=row["event_number"],
        state=state,
        in_words=_in_words(row, state, tries),
        attempts=row["attempts"],
        tries=tries,
        next_attempt_at=row["next_attempt_at"] if waits else None,
        delivered_at=row["delivered_at"],
        redeliver=public_url + path if may and row["status"] == "active" else None,
    )


def letter(row: Row) -> LetterTold:
    """Show one letter."""
    return LetterTold(
        outcome=row["outcome"],
        recipient=row["recipient"],
        organization_name=row["organization"],
        status=row["status"],
        medium=row["medium"],
        sent_at=row["sent_at"],
        reason=row["reason"],
    )


def meaning(event_type: str) -> str:
    """Say in a sentence what happened, by the type of the event."""
    if event_type == TEST:
        return "The owner tries the endpoint out."
    return MEANINGS[EventType(event_type)]


def _tried(each: list[Any]) -> dict[str, Any]:
    return dict(
        zip(("number", "at", "status", "error", "duration_ms", "manual"), each, strict=True)
    )


def _state(row: Row, tries: list[Try]) -> Outcome:
    if row["state"] == "pending" and tries and not _fine(tries[-1]):
        return Outcome.FAILING
    return Outcome(row["state"])


def _fine(each: Try) -> bool:
    return each.status is not None and 200 <= each.status < 300


def _in_words(row: Row, state: Outcome, tries: list[Try]) -> str:
    last = f": {answered(tries[-1])}" if tries and not _fine(tries[-1]) else ""
    match state:
        case Outcome.DELIVERED if row["attempts"] == 1:
            return "Delivered at the first attempt."
        case Outcome.DELIVERED:
            return f"Delivered after {row['attempts']} attempts."
        case Outcome.FAILING:
            return f"Not delivered yet, after {_counted(row['attempts'])}{last}. It is tried again."
        case Outcome.DEAD:
            return (
                f"Given up after {_counted(row['attempts'])}{last}. It is kept, to be redelivered."
            )
        case Outcome.HELD if row["kind"] == Channel.SUBSCRIPTION:
            return "Held until the Subscription is active."
        case Outcome.HELD:
            why = WHY_OFF.get(row["disabled_reason"] or "", "is disabled")
            return f"Held until the endpoint is enabled again: it {why}."
    if row["attempts"]:
        return "Being sent again."
    behind = row["next_attempt_at"] > row["created_at"]
    return "Waits for an earlier message about the same referral." if behind else "To be sent now."


def _counted(attempts: int) -> str:
    return f"{attempts} attempt" + ("" if attempts == 1 else "s")


def answered(each: Try) -> str:
    """Say how an attempt ended: the status of the answer, or why no answer came."""
    if each.status is not None:
        return f"it answered {each.status}"
    return _ERRORS.get(each.error or "", "there was no answer")


# The page

_WORDS = {
    Outcome.DELIVERED: "Delivered",
    Outcome.PENDING: "Waiting",
    Outcome.FAILING: "Failing",
    Outcome.DEAD: "Given up",
    Outcome.HELD: "Held",
}
#: The page lists at most so many attempts of one delivery.
_MOST = 4


def deliveries_document(found: DeliveriesPage, referral: str | None, now: datetime) -> Response:
    """Make the page of one referral, or of all deliveries that the caller may see."""
    return page(
        "deliveries.html",
        found=found,
        referral=referral,
        badge=_badge(Counter(each.state for each in found.deliveries)),
        now=moment(now),
        words=_WORDS,
        most=_MOST,
        moment=moment,
        answered=answered,
        when=lambda row: _when(row, now),
        sent=_sent,
    )


def _badge(counts: Counter[Outcome]) -> str:
    total = sum(counts.values())
    if not total:
        return "No messages"
    if counts[Outcome.DELIVERED] == total:
        return "Everything was delivered"
    texts = [f"{counts[state]} {_WORDS[state].lower()}" for state in _WORDS if counts[state]]
    return ", ".join(texts)


def _when(row: Told, now: datetime) -> str:
    text = row.in_words
    if row.delivered_at is not None and row.state is Outcome.DELIVERED:
        text = text.removesuffix(".") + f", {moment(row.delivered_at)}."
    if row.next_attempt_at is not None and row.next_attempt_at > now:
        text += f" Not before {moment(row.next_attempt_at)}."
    return text


def _sent(row: LetterTold) -> str:
    if row.sent_at is not None:
        return f"Sent by {row.medium or 'letter'}, {moment(row.sent_at)}"
    if row.status == "skipped":
        return f"Not written: {row.reason}"
    return "Waits in the staff's outbox"
