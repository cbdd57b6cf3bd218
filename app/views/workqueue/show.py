"""A row of the queue in words. PURE but for the shape of the row, which is `store.py`'s."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson

from app.base.local_time import LOCAL
from app.fhir.r4 import codes
from app.model.lifecycle import BusinessStatus, State
from app.model.messages import WHY_OFF
from app.model.record import Details
from app.store.reading.access import Visibility
from app.store.tables.referral import WAITING
from app.views.spans import due_in_words, span
from app.views.workqueue.model import (
    Assignee,
    Counted,
    Counts,
    Item,
    Member,
    Notice,
    Question,
    Waits,
    Why,
)
from app.views.workqueue.steps import QueueStanding, identifying, steps
from app.views.workqueue.store import AGES

_UNIDENTIFIED = "member-unidentified"
_RECOMMENDED = {
    "approved": " The rules recommend to approve.",
    "denied": " The rules recommend to deny.",
}


def item(row: Any, now: datetime, public_url: str, seen: Visibility) -> Item:
    """One item as staff read it.

    Of another's referral whose plan is not known they see whose it is, and nothing of why.
    """
    details, service = Details.from_json(row.details), row.service
    pending = row.state == State.PENDING
    if not seen.has(row.plan, row.organization_id):
        known = tuple(each for each in details.reasons if each.code == _UNIDENTIFIED)
        details, service = Details(reasons=known), None
        next_steps = identifying(row.id, public_url)
    else:
        next_steps = steps(_standing(row, details), now, public_url)
    return Item(
        referral=row.id,
        plan=row.plan,
        service=service,
        service_name=codes.SERVICES.get(service) if service else None,
        member=Member(cin=row.cin, name=_name(row.name)),
        requester=row.requester,
        urgent=row.urgent,
        received=row.received_at,
        due=row.decision_due if pending else None,
        due_in_words=_due(row, now),
        overdue=pending and row.decision_due < now,
        information_due=row.void_due if pending else None,
        waits=Waits(row.business_status),
        waits_in_words=_waits(row, details),
        why=[_why(reason.code, reason.text) for reason in details.reasons],
        recommendation=details.recommendation,
        questions=[Question(fact=m.fact, question=m.question) for m in details.missing],
        assignee=Assignee(client=row.assignee, since=row.claimed_at) if row.assignee else None,
        next=next_steps,
    )


def notice(row: Any, public_url: str) -> Notice:
    """An organization that is not told any more; nothing of its endpoint but the id."""
    waiting = f"{row.messages} message" + ("" if row.messages == 1 else "s")
    why = f"its endpoint {WHY_OFF[row.disabled_reason]}"
    return Notice(
        organization=row.organization_id,
        organization_name=row.organization,
        endpoint=row.id,
        reason=row.disabled_reason,
        since=row.updated_at,
        messages=row.messages,
        text=f"{row.organization} is not told any more: {why}. {waiting} "
        "about referrals of your plan did not arrive. Call them.",
        deliveries=f"{public_url}/v1/deliveries?endpoint={row.id}",
    )


def counted(row: Sequence[int]) -> Counts:
    """The counts by name, from `store.counts`."""
    waiting, overdue, urgent, *rest = row
    reasons, ages = rest[: len(WAITING)], rest[len(WAITING) : -2]
    by_reason = [
        Counted(what=word, referrals=number) for word, number in zip(WAITING, reasons, strict=True)
    ]
    return Counts(
        waiting=waiting,
        overdue=overdue,
        urgent=urgent,
        by_reason=[*by_reason, Counted(what=Waits.OVERDUE, referrals=overdue)],
        by_age=[
            Counted(what=word, referrals=number) for word, number in zip(AGES, ages, strict=True)
        ],
        letters_to_send=rest[-2],
        undelivered_messages=rest[-1],
    )


def _standing(row: Any, details: Details) -> QueueStanding:
    return QueueStanding(
        row.id, row.plan, State(row.state), row.service, row.member_id, row.void_due, details
    )


def _due(row: Any, now: datetime) -> str:
    if row.state == State.PENDING:
        return due_in_words(row.decision_due, now)
    return f"approved; received {span(now - row.received_at)} ago"


def _waits(row: Any, details: Details) -> str:
    match BusinessStatus(row.business_status):
        case BusinessStatus.INFORMATION_NEEDED:
            until = row.void_due.astimezone(LOCAL) if row.void_due else None
            asked = "The requester was asked for information."
            if until is None:
                return asked
            when = f"{until:%A} {until.day} {until:%B}"
            return f"{asked} Without an answer it becomes void after {when}."
        case BusinessStatus.UNASSIGNED:
            return "It is approved, and no organization of the network was found for it."
        case BusinessStatus.WAITLISTED:
            return "It is approved, and waits for a place with a performer."
        case _:
            said = _RECOMMENDED.get(details.recommendation or "", "")
            return f"A person must decide.{said}"


def _why(code: str, text: str | None) -> Why:
    known = codes.REASONS.get(code, code)
    words = f"{known}. {text}" if known and text else known or text or ""
    return Why(code=code, text=words)


def _name(stored: str | None) -> str | None:
    """A HumanName as one line; what is no name of that form is left out."""
    name = orjson.loads(stored) if stored else None
    if not isinstance(name, dict):
        return None
    if isinstance(name.get("text"), str):
        return str(name["text"])
    given = [word for word in name.get("given") or () if isinstance(word, str)]
    family = [name["family"]] if isinstance(name.get("family"), str) else []
    return " ".join([*given, *family]) or None
