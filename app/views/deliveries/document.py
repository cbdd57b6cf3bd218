"""The deliveries as a page: did they get it? What is so, to whom, and what can be done."""

from collections import Counter
from datetime import datetime

from fastapi import Response

from app.views.deliveries.model import DeliveriesPage, LetterTold, Outcome, Told
from app.views.deliveries.show import answered
from app.views.page import page
from app.views.spans import moment

_WORDS = {
    Outcome.DELIVERED: "Delivered",
    Outcome.PENDING: "Waiting",
    Outcome.FAILING: "Failing",
    Outcome.DEAD: "Given up",
    Outcome.HELD: "Held",
}
#: How many attempts of one delivery the page lists.
_MOST = 4


def document(found: DeliveriesPage, referral: str | None, now: datetime) -> Response:
    """The page of one referral, or of all that the caller may see."""
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
    said = [f"{counts[state]} {_WORDS[state].lower()}" for state in _WORDS if counts[state]]
    return ", ".join(said)


def _when(row: Told, now: datetime) -> str:
    said = row.in_words
    if row.delivered_at is not None and row.state is Outcome.DELIVERED:
        said = said.removesuffix(".") + f", {moment(row.delivered_at)}."
    if row.next_attempt_at is not None and row.next_attempt_at > now:
        said += f" Not before {moment(row.next_attempt_at)}."
    return said


def _sent(row: LetterTold) -> str:
    if row.sent_at is not None:
        return f"Sent by {row.medium or 'letter'}, {moment(row.sent_at)}"
    if row.status == "skipped":
        return f"Not written: {row.reason}"
    return "Waits in the staff's outbox"
