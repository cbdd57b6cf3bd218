"""What happened, in sentences: rows of history, determinations, letters and messages as entries.

PURE but for the shape of the rows, which is `gather.py`'s.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import orjson

from app.fhir import codes
from app.notification.messages import MEANINGS, EventType
from app.referral.lifecycle import MOVES
from app.timeline.gather import Found
from app.timeline.model import Entry, Kind
from app.timeline.spans import moment

#: Event → title, and what is said of it; `{by}` is who did it.
_MOVES: dict[str, tuple[str, str]] = {
    "receive": ("Received", "{by} sent the referral."),
    "review": ("Handed to a person", "A person of the plan must look at it."),
    "request-information": ("Information asked for", "{by} asked the requester for information."),
    "add-information": ("Information added", "{by} added information; the rules were asked again."),
    "approve": ("Approved", "{by} approved it."),
    "deny": ("Denied", "{by} denied it."),
    "void": ("Closed without a decision", "The information that was asked for did not come."),
    "cancel": ("Taken back", "{by} took the referral back."),
    "assign": ("Given to a performer", "{by} gave it to a performer."),
    "accept": ("Accepted by the performer", "{by} accepted it."),
    "decline": ("Declined by the performer", "{by} declined it; the next is tried."),
    "hold": ("Put on hold", "{by} put the service on hold."),
    "resume": ("Taken up again", "{by} took the service up again."),
    "start": ("Service began", "{by} began the service."),
    "complete": ("Service completed", "{by} completed the service; the loop is closed."),
    "fail": ("Service could not be given", "{by} closed it without the service."),
    "annotate": ("Note added", "{by} added to the record."),
}
#: Events that carry reasons of their own; others still bear those of the move before.
_REASONED = frozenset({"review", "approve", "deny", "void", "cancel", "decline", "hold", "fail"})
#: Events after which another may have the referral, or nobody yet.
_PLACED = frozenset(event.value for event, row in MOVES.items() if row.places)
_ANSWERS = {
    "approved": "The criteria are met.",
    "denied": "The criteria are not met.",
    "pending": "The rules cannot decide this yet.",
}
_RECIPIENTS = {"requesting": "the requester", "servicing": "the performer", "member": "the member"}
_LETTER_STATES = {
    "sent": "sent with the message of the outcome",
    "to-send": "a letter is waiting to be sent",
    "waiting": "a letter is waiting for a person's release",
    "skipped": "not sent",
    "failed": "could not be sent",
}
_DELIVERIES = {
    "delivered": "delivered",
    "pending": "on its way",
    "held": "held: the endpoint is disabled",
    "dead": "not delivered, given up",
}
_ORDER = list(Kind)


def entries(found: Found) -> list[Entry]:
    """Everything that happened, the oldest first."""
    told = [
        *_moves(found),
        *map(_determination, found.determinations),
        *_reminders(found.requests),
        *_authorization(found.authorization),
        *map(_letter, found.letters),
        *_messages(found.messages),
    ]
    return sorted(told, key=lambda entry: (entry.at, _ORDER.index(entry.kind)))


def _moves(found: Found) -> Iterator[Entry]:
    asked = {request.seq: request for request in found.requests}
    for row in found.history:
        by = who(row)
        otherwise = (row.event.replace("-", " ").capitalize(), "Done by {by}.")
        title, text = _MOVES.get(row.event, otherwise)
        said = text.replace("{by}", by)
        details = reasons(orjson.loads(row.reason)) if row.event in _REASONED else []
        if row.event in _PLACED:
            details += _placed(row)
        if row.seq in asked and row.event == "request-information":
            details.append(f"To be answered by {moment(asked[row.seq].void_due)}")
            details += [missing["question"] for missing in orjson.loads(asked[row.seq].asked)]
        if row.note and found.staff:
            details.append(f"Note: {row.note}")
        yield Entry(
            at=row.at,
            kind=Kind.RECEIVED if row.event == "receive" else Kind.MOVE,
            title=title,
            text=said[:1].upper() + said[1:],
            by=by,
            details=details,
        )


def _placed(row: Any) -> list[str]:
    """Where the move left the referral: with whom, or that it waits."""
    status = codes.BUSINESS_STATUSES.get(row.business_status)
    return [": ".join(filter(None, [status, row.placed_with]))] if status else []


def who(row: Any) -> str:
    """The organization of a move; the rules and the clock act by themselves."""
    if row.organization is None:
        return {"rules": "the rules", "clock": "the clock"}.get(row.actor, "the plan")
    return str(row.organization)


def reasons(stored: Sequence[dict[str, Any]]) -> list[str]:
    """Coded reasons in words, with the advice that travels with them."""
    told = []
    for reason in stored:
        known = codes.REASONS.get(reason["code"], reason["code"])
        text = reason.get("text")
        told.append(f"{known}. {text}" if known and text else known or text or "")
    return list(filter(None, told))


def _determination(row: Any) -> Entry:
    told = reasons(_json(row.reasons))
    populations = [codes.POPULATIONS.get(code, code) for code in _json(row.populations)]
    details = [*told, *(f"Met: {name}" for name in populations)]
    if row.policy:
        details.append(f"Policy {row.policy}, as of {row.as_of}")
    return Entry(
        at=row.at,
        kind=Kind.DETERMINATION,
        title="Looked at by the rules",
        text=_ANSWERS.get(row.outcome, row.outcome),
        by="the rules",
        details=details,
    )


def _json(value: Any) -> Any:
    return orjson.loads(value) if isinstance(value, str | bytes) else value or []


def _reminders(requests: Sequence[Any]) -> Iterator[Entry]:
    for row in requests:
        if row.reminded_at is not None:
            yield Entry(
                at=row.reminded_at,
                kind=Kind.REMINDER,
                title="Reminder",
                text=f"The requester was reminded: answers are due {moment(row.void_due)}.",
                by="the clock",
                details=[f"Attempts to obtain the information: {row.attempts}"],
            )


def _authorization(row: Any) -> Iterator[Entry]:
    if row is None:
        return
    yield Entry(
        at=row.created_at,
        kind=Kind.AUTHORIZATION,
        title="Authorization",
        text=f"Authorized from {row.starts_on} to {row.ends_on}.",
        by=None,
        details=[f"Number {row.number}", *(["It has ended"] if row.status == "ended" else [])],
    )


def _letter(row: Any) -> Entry:
    recipient = row.organization or _RECIPIENTS.get(row.recipient, row.recipient)
    state = _LETTER_STATES.get(row.status, row.status)
    return Entry(
        at=row.created_at,
        kind=Kind.LETTER,
        title="Correspondence",
        text=f"{row.outcome.replace('-', ' ').capitalize()}, to {recipient}: {state}.",
        by=None,
        details=[row.reason] if row.reason else [],
    )


def _messages(rows: Sequence[Any]) -> Iterator[Entry]:
    for _, group in groupby(rows, key=lambda row: row.id):
        sent = list(group)
        kind = sent[0].event_type
        known = kind in {each.value for each in EventType}
        reached = [_delivery(row) for row in sent if row.state is not None]
        yield Entry(
            at=sent[0].occurred_at,
            kind=Kind.MESSAGE,
            title="Announced",
            text=f"{MEANINGS[EventType(kind)] if known else ''} ({kind})".strip(),
            by=None,
            details=reached or ["No party has an endpoint that asks for it."],
        )


def _delivery(row: Any) -> str:
    state = _DELIVERIES.get(row.state, row.state)
    when = f" {moment(row.delivered_at)}" if row.delivered_at else ""
    tries = "" if row.attempts < 2 else f", {row.attempts} attempts"
    return f"{row.organization}: {state}{when}{tries}"
