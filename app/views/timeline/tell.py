"""Words what happened: turns rows of history, determinations, letters and messages into entries.

PURE; `gather.py` reads the rows and determines their columns.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

import orjson

from app.fhir.r4 import codes
from app.fhir.withheld import refuses, withholds
from app.model.lifecycle import MOVES
from app.model.messages import MEANINGS, EventType
from app.policy.discreet import by_population, by_result
from app.policy.explain import explain, is_about_need
from app.policy.library import Library
from app.policy.stored_form import answer_from_json, question_from_json
from app.policy.vocabulary import with_advice, words_of
from app.store.database import Row
from app.views.spans import moment
from app.views.timeline.gather import Found
from app.views.timeline.model import Entry, Kind

_TITLES = words_of("events")
#: Event → its sentence; `{by}` stands for the organization that acted.
_MOVES = words_of("events", "staff")
#: Events with reasons of their own; a row of any other event repeats the reasons of an earlier row.
_REASONED = frozenset({"review", "approve", "deny", "void", "cancel", "decline", "hold", "fail"})
#: Events after which another organization may have the referral, or no organization yet.
_PLACED = frozenset(event.value for event, row in MOVES.items() if row.places)
_ANSWERS = words_of("determinations")
_RECIPIENTS = words_of("recipients", "staff")
_LETTER_STATES = words_of("letter_states", "staff")
_DELIVERIES = words_of("deliveries", "staff")
_ORDER = list(Kind)


def entries(found: Found, library: Library) -> list[Entry]:
    """List everything that happened, the oldest first."""
    listed = [
        *_moves(found),
        *(_determination(row, library, found) for row in found.determinations),
        *_reminders(found.requests),
        *_authorization(found.authorization),
        *map(_letter, found.letters),
        *_messages(found.messages, found.requests),
    ]
    return sorted(listed, key=lambda entry: (entry.at, _ORDER.index(entry.kind)))


def _moves(found: Found) -> Iterator[Entry]:
    asked = {request["seq"]: request for request in found.requests}
    for row in found.history:
        by = actor_in_words(row)
        title = _TITLES.get(row["event"], row["event"].replace("-", " ").capitalize())
        text = _MOVES.get(row["event"], "Done by {by}.").replace("{by}", by)
        details = reasons(orjson.loads(row["reason"])) if row["event"] in _REASONED else []
        if row["event"] in _PLACED:
            details += _placed(row)
        if row["seq"] in asked and row["event"] == "request-information":
            details.append(f"To be answered by {moment(asked[row['seq']]['void_due'])}")
            details += [missing["question"] for missing in orjson.loads(asked[row["seq"]]["asked"])]
        if row["note"] and found.staff:
            details.append(f"Note: {row['note']}")
        yield Entry(
            at=row["at"],
            kind=Kind.RECEIVED if row["event"] == "receive" else Kind.MOVE,
            title=title,
            text=text[:1].upper() + text[1:],
            by=by,
            details=details,
        )


def _placed(row: Row) -> list[str]:
    """Word the place of the referral after a move: its performer, or that the referral waits."""
    status = codes.BUSINESS_STATUSES.get(row["business_status"])
    return [": ".join(filter(None, [status, row["placed_with"]]))] if status else []


def actor_in_words(row: Row) -> str:
    """Name the actor of a move: an organization, the rules or the clock."""
    if row["organization"] is None:
        return {"rules": "the rules", "clock": "the clock"}.get(row["actor"], "the plan")
    return str(row["organization"])


def reasons(stored: Sequence[dict[str, Any]]) -> list[str]:
    """Word coded reasons, each with its advice."""
    texts = []
    for reason in stored:
        known = codes.REASONS.get(reason["code"], reason["code"])
        texts.append(with_advice(known, reason.get("text")))
    return list(filter(None, texts))


def _determination(row: Row, library: Library, found: Found) -> Entry:
    because = reasons(_json(row["reasons"]))
    refused = refuses(found.standing)
    met = () if refused else _json(row["populations"])
    populations = [codes.POPULATIONS.get(code, code) for code in met]
    details = [*because, *(f"Met: {name}" for name in populations)]
    if row["policy"]:
        details.append(f"Policy {row['policy']}, as of {row['as_of']}")
    return Entry(
        at=row["at"],
        kind=Kind.DETERMINATION,
        title="Looked at by the rules",
        text=_answer(row),
        by="the rules",
        details=details,
        explanation=_explained(row, library, found) if row["answer"] and not refused else None,
    )


def _explained(row: Row, library: Library, found: Found) -> str:
    """Explain an answer in full; to others than the plan's staff by result only."""
    question, answer = question_from_json(row["question"]), answer_from_json(row["answer"])
    if not found.staff:
        answer = by_result(answer, question.facts)
    if withholds(found.standing):
        _, answer = by_population(question, answer)
    return explain(answer, library, full=True)


def _answer(row: Row) -> str:
    """Word the answer of the rules; an administrative denial says nothing of criteria."""
    outcome: str = row["outcome"]
    if outcome == "denied" and not is_about_need(reason_codes(row)):
        return words_of("determinations", "staff")[outcome]
    return _ANSWERS.get(outcome, outcome)


def reason_codes(determination: Row) -> list[str]:
    """List the codes of the reasons of a stored determination."""
    return [reason["code"] for reason in _json(determination["reasons"])]


def _json(value: Any) -> Any:
    return orjson.loads(value) if isinstance(value, str | bytes) else value or []


def _reminders(requests: Sequence[Row]) -> Iterator[Entry]:
    for row in requests:
        if row["reminded_at"] is not None:
            yield Entry(
                at=row["reminded_at"],
                kind=Kind.REMINDER,
                title="Reminder",
                text=f"The requester was reminded: answers are due {moment(row['void_due'])}.",
                by="the clock",
                details=[f"Attempts to obtain the information: {row['attempts']}"],
            )


def _authorization(row: Row | None) -> Iterator[Entry]:
    if row is None:
        return
    yield Entry(
        at=row["created_at"],
        kind=Kind.AUTHORIZATION,
        title="Authorization",
        text=f"Authorized from {row['starts_on']} to {row['ends_on']}.",
        by=None,
        details=[
            f"Number {row['number']}",
            *(["It has ended"] if row["status"] == "ended" else []),
        ],
    )


def _letter(row: Row) -> Entry:
    recipient = row["organization"] or _RECIPIENTS.get(row["recipient"], row["recipient"])
    state = _LETTER_STATES.get(row["status"], row["status"])
    return Entry(
        at=row["created_at"],
        kind=Kind.LETTER,
        title="Correspondence",
        text=f"{row['outcome'].replace('-', ' ').capitalize()}, to {recipient}: {state}.",
        by=None,
        details=[row["reason"]] if row["reason"] else [],
    )


def _messages(rows: Sequence[Row], requests: Sequence[Row]) -> Iterator[Entry]:
    for _, group in groupby(rows, key=lambda row: row["id"]):
        sent = list(group)
        kind = sent[0]["event_type"]
        known = kind in {each.value for each in EventType}
        reached = [_delivery(row) for row in sent if row["state"] is not None]
        yield Entry(
            at=sent[0]["occurred_at"],
            kind=Kind.MESSAGE,
            title="Announced",
            text=f"{MEANINGS[EventType(kind)] if known else ''} ({kind})".strip(),
            by=None,
            details=[
                *_waited_for(kind, sent[0]["occurred_at"], requests),
                *(reached or ["No party has an endpoint that asks for it."]),
            ],
        )


def _waited_for(kind: str, at: datetime, requests: Sequence[Row]) -> Iterator[str]:
    """Say of a passed due date that the plan was waiting for the requester's answer then."""
    if kind != EventType.OVERDUE:
        return
    for row in requests:
        answered = row["answered_at"]
        if row["asked_at"] <= at < row["void_due"] and (answered is None or answered > at):
            yield (
                "The plan's decision was due; it waited for the requester's answer until "
                f"{moment(row['void_due'])}."
            )


def _delivery(row: Row) -> str:
    state = _DELIVERIES.get(row["state"], row["state"])
    when = f" {moment(row['delivered_at'])}" if row["delivered_at"] else ""
    tries = "" if row["attempts"] < 2 else f", {row['attempts']} attempts"
    return f"{row['organization']}: {state}{when}{tries}"
