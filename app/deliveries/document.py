"""The deliveries as a page: did they get it? What is so, to whom, and what can be done."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from fastapi import Response

from app.deliveries.model import DeliveriesPage, LetterTold, Outcome, Told, Try
from app.deliveries.show import answered
from app.timeline.spans import moment
from app.web.page import esc, page

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
    counts = Counter(each.state for each in found.deliveries)
    sections = [f"<h2>Messages</h2>{_table(found.deliveries, now)}"]
    if found.next:
        sections[0] += f'<p><a href="{esc(found.next)}">Older messages</a></p>'
    if referral is not None:
        sections.append(f"<h2>Letters</h2>{_letters(found.letters)}")
    about = f" Referral {esc(referral)}." if referral else ""
    sections.append(f'<p class="quiet">As of {esc(moment(now))}, California.{about}</p>')
    return page("Did they get it?", "No Wrong Door: deliveries", _badge(counts), sections)


def _badge(counts: Counter[Outcome]) -> str:
    total = sum(counts.values())
    if not total:
        return "No messages"
    if counts[Outcome.DELIVERED] == total:
        return "Everything was delivered"
    said = [f"{counts[state]} {_WORDS[state].lower()}" for state in _WORDS if counts[state]]
    return ", ".join(said)


def _table(rows: Sequence[Told], now: datetime) -> str:
    if not rows:
        return '<p class="quiet">No message was written that you may see.</p>'
    heads = ("What happened", "To", "State", "Attempts")
    top = "".join(f"<th>{head}</th>" for head in heads)
    body = "".join(_row(row, now) for row in rows)
    listed = f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="picture">{listed}</div>'


def _row(row: Told, now: datetime) -> str:
    number = "" if row.event_number is None else f", event {row.event_number}"
    return (
        f"<tr><td><time>{esc(moment(row.occurred_at))}</time>{esc(row.meaning)}"
        f'<br><span class="quiet">{esc(row.event_type)}</span></td>'
        f"<td>{esc(row.organization_name)}"
        f'<br><span class="quiet">{row.kind.value}{number}</span></td>'
        f"<td><strong>{_WORDS[row.state]}</strong>{_when(row, now)}</td>"
        f"<td>{''.join(map(_try, row.tries[-_MOST:])) or '–'}</td></tr>"
    )


def _when(row: Told, now: datetime) -> str:
    said = f'<br><span class="quiet">{esc(row.in_words)}'
    if row.delivered_at is not None and row.state is Outcome.DELIVERED:
        said = said.removesuffix(".") + f", {esc(moment(row.delivered_at))}."
    if row.next_attempt_at is not None and row.next_attempt_at > now:
        said += f" Not before {esc(moment(row.next_attempt_at))}."
    if row.redeliver is not None:
        said += f" POST <code>{esc(row.redeliver)}</code>"
    return said + "</span>"


def _try(each: Try) -> str:
    by_hand = ", by hand" if each.manual else ""
    return (
        f'<div class="quiet">{each.number}. {esc(moment(each.at))}: '
        f"{esc(answered(each))}{by_hand}</div>"
    )


def _letters(rows: Sequence[LetterTold]) -> str:
    if not rows:
        return '<p class="quiet">None: every outcome so far went to an endpoint.</p>'
    lines = "".join(
        f"<tr><td>{esc(row.outcome.replace('-', ' ').capitalize())}</td>"
        f"<td>{esc(row.organization_name or 'the ' + row.recipient)}</td><td>{_sent(row)}</td></tr>"
        for row in rows
    )
    top = "<th>Outcome</th><th>To</th><th>State</th>"
    return f"<table><thead><tr>{top}</tr></thead><tbody>{lines}</tbody></table>"


def _sent(row: LetterTold) -> str:
    if row.sent_at is not None:
        return esc(f"Sent by {row.medium or 'letter'}, {moment(row.sent_at)}")
    if row.status == "skipped":
        return esc(f"Not written: {row.reason}")
    return "Waits in the staff's outbox"
