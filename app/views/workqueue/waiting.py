"""Words why an item of the queue waits, and until when. PURE."""

from datetime import datetime, timedelta

from app.base.local_time import LOCAL, local_date
from app.model.lifecycle import BusinessStatus, State
from app.model.notices import Asker
from app.policy.asking import QuestionsAsked
from app.store.database import Row
from app.views.spans import due_in_words, span
from app.views.workqueue.behind import Behind

_RECOMMENDED = {
    "approved": "The rules recommend to approve.",
    "denied": "The rules recommend to deny.",
}
_ASKED = {
    Asker.MEMBER: "The member referred themselves: call them, ask, and type in the answers.",
    Asker.FAMILY: "A relative or friend asked for the member: call them, ask, and type in the "
    "answers.",
}
#: The cap of CMS-0057-F on routine decisions (facts: `clocks.decision_calendar_days`).
_SEVEN_DAYS = timedelta(days=7)


def waits_in_words(row: Row, recommendation: str | None, behind: Behind) -> str:
    """Say why it waits; what must be read before deciding stands before the recommendation."""
    said = [_declined(behind.declined_by)] if behind.declined_by else []
    match BusinessStatus(row["business_status"]):
        case BusinessStatus.INFORMATION_NEEDED:
            said += _information(row, behind)
        case BusinessStatus.UNASSIGNED:
            said.append("It is approved, and no organization of the network was found for it.")
        case BusinessStatus.WAITLISTED:
            said.append("It is approved, and waits for a place with a performer.")
        case _:
            said.append("A person must decide.")
            said += [r.data.says for r in behind.readings if r.data.before_deciding]
            said.append(_RECOMMENDED.get(recommendation or "", ""))
    return " ".join(filter(None, said))


def _declined(who: str) -> str:
    return f"{who} says that the member does not want this service: ask the member first."


def _information(row: Row, behind: Behind) -> list[str]:
    said = [_ASKED.get(behind.asker, "The requester was asked for information.")]
    if row["void_due"] is not None:
        said.append(f"Without an answer it becomes void after {_day(row['void_due'])}.")
    return said


def to_ask_by_phone(questions: QuestionsAsked) -> str:
    """List what to ask in a call first, a line for each group that is enough; empty where nothing
    is to be asked first.
    """
    lines = []
    for each in questions.first:
        together = [m.question for m in each.all_of]
        if each.one_of:
            together.append(f"And one of: {' '.join(m.question for m in each.one_of)}")
        lines.append(f"- {' '.join(together)}")
    if not lines:
        return ""
    heading = "Ask first; one of these lines is enough:" if len(lines) > 1 else "Ask first:"
    return "\n".join([heading, *lines, ""])


def due_of_item(row: Row, now: datetime) -> str:
    """Say until when the plan must decide. Where that day has passed while the plan waits for
    answers, say so instead of counting the minutes.
    """
    due = row["decision_due"]
    if row["state"] != State.PENDING:
        return f"approved; received {span(now - row['received_at'])} ago"
    if now <= due or row["business_status"] != BusinessStatus.INFORMATION_NEEDED:
        return due_in_words(due, now)
    after = local_date(due) - local_date(row["received_at"])
    cap = " (7 calendar days after it came)" if after == _SEVEN_DAYS and not row["urgent"] else ""
    until = f" until {_day(row['void_due'])}" if row["void_due"] else ""
    return (
        f"the plan's decision was due on {_day(due)}{cap}; "
        f"it waits for the requester's answer{until}"
    )


def _day(moment: datetime) -> str:
    local = moment.astimezone(LOCAL)
    return f"{local:%A} {local.day} {local:%B}"
