"""Words the present state of a referral: its five stages, its clocks, and its state.

PURE; `gather.py` reads the rows and determines their columns.
"""

from collections.abc import Sequence
from datetime import datetime, time

from app.base.local_time import LOCAL, storable
from app.fhir.r4 import codes
from app.model.lifecycle import BusinessStatus, State
from app.policy.deadlines import expires
from app.store.database import Row
from app.views.spans import due_in_words, moment
from app.views.timeline.gather import Found
from app.views.timeline.model import Clock, Mark, Running, Stage
from app.views.timeline.tell import reason_codes

_DECIDED = {
    State.APPROVED: (Mark.DONE, "Approved"),
    State.DENIED: (Mark.NO, "Denied"),
    State.VOID: (Mark.STOPPED, "Void: the information did not come"),
    State.CANCELLED: (Mark.STOPPED, "Taken back"),
}
#: Reason of an answer that is open → what it waits for; the first that applies.
_WAITS_FOR = {
    "member-unidentified": "Not known yet who the member is",
    "facts-missing": "Not known yet: facts are missing",
    "population-missing": "Not known yet: facts are missing",
    "partial-availability": "The criteria are met; offered in part only",
    "already-authorized": "The service is authorized already",
    "review-required": "The rules leave this to a person",
}
#: What an answer that is open waits for → what it waited for, once a person decided.
_WAITED_FOR = {
    "Not known yet who the member is": "The member was not identified",
    "Not known yet: facts are missing": "Facts were missing",
    "The rules leave this to a person": "The rules left this to a person",
}
_NOW = {
    BusinessStatus.IN_REVIEW: "Pending: a person must look at it",
    BusinessStatus.INFORMATION_NEEDED: "Pending: information is needed",
}


def state_in_words(referral: Row) -> str:
    """Word the state of a referral, with what it waits for or how the service goes."""
    if referral["business_status"] in _NOW:
        return _NOW[BusinessStatus(referral["business_status"])]
    state: str = codes.STATES[referral["state"]]
    status = referral["business_status"]
    if status is None:
        return state
    text = codes.BUSINESS_STATUSES.get(status, status)
    return f"{state}: {text[:1].lower()}{text[1:]}"


def stages(found: Found) -> list[Stage]:
    """Word the five stages of the journey."""
    referral = found.referral
    received = Stage(
        name="intake", mark=Mark.DONE, text=f"Received {moment(referral['received_at'])}"
    )
    return [
        received,
        _eligibility(found),
        _capacity(referral),
        _decision(found),
        _notification(found),
    ]


def _eligibility(found: Found) -> Stage:
    """Word what the rules found, and whether a person decided otherwise."""
    mark, text = _found_by_rules(found)
    state = found.referral["state"]
    if state not in (State.PENDING, State.CANCELLED):
        text = _WAITED_FOR.get(text, text)
    if state == State.VOID:
        mark, text = Mark.STOPPED, "Never fully known: the information did not come"
    elif state == State.DENIED and mark is not Mark.NO:
        met = mark is Mark.DONE
        mark, text = Mark.NO, f"{text}; a person decided {'otherwise' if met else 'against it'}"
    elif _was_approved(found) and mark is not Mark.DONE:
        how = "made an exception" if mark is Mark.NO else "approved it"
        mark, text = Mark.DONE, f"{text}; a person {how}"
    elif state == State.CANCELLED and mark is Mark.WAITING:
        mark, text = Mark.STOPPED, "Not decided: the referral was taken back"
    return Stage(name="eligibility", mark=mark, text=text)


def _found_by_rules(found: Found) -> tuple[Mark, str]:
    """Word the last answer of the rules. A denial is named by its reason, so that nobody reads of
    criteria where the rules did not look at the member's need.
    """
    if not found.determinations:
        return Mark.WAITING, "Not looked at yet"
    last = found.determinations[-1]
    reasons = reason_codes(last)
    if last["outcome"] == "approved":
        return Mark.DONE, "The criteria are met"
    if last["outcome"] == "denied":
        named = reasons[0] if reasons else ""
        return Mark.NO, codes.REASONS.get(named, "Not approved by the rules")
    known = next((words for code, words in _WAITS_FOR.items() if code in reasons), None)
    return Mark.WAITING, known or "Not known yet"


def _capacity(referral: Row) -> Stage:
    status, performer = referral["business_status"], referral["performer"] or "a performer"
    if referral["state"] == State.PENDING:
        mark, text = Mark.AHEAD, "A place is taken on approval"
    elif referral["state"] != State.APPROVED:
        mark, text = Mark.STOPPED, "No place is needed"
    elif status == BusinessStatus.WAITLISTED:
        mark, text = Mark.WAITING, "On a waiting list"
    elif status == BusinessStatus.UNASSIGNED:
        mark, text = Mark.ATTENTION, "No organization found yet"
    elif status == BusinessStatus.UNFULFILLED:
        mark, text = Mark.NO, f"Not given by {performer}"
    else:
        mark, text = Mark.DONE, f"With {performer}"
    return Stage(name="capacity", mark=mark, text=text)


def _decision(found: Found) -> Stage:
    referral = found.referral
    if referral["state"] == State.PENDING:
        waits = _NOW.get(referral["business_status"], "Pending").partition(": ")[2]
        text = f"{waits[:1].upper()}{waits[1:]}" or "Pending"
        return Stage(name="decision", mark=Mark.WAITING, text=text)
    mark, text = _DECIDED[State(referral["state"])]
    at = decided_at(found.history)
    when = f" {moment(at)}" if at else ""
    return Stage(name="decision", mark=mark, text=f"{text}{when}")


def _notification(found: Found) -> Stage:
    states = [row["state"] for row in found.messages if row["state"] is not None]
    delivered = states.count("delivered")
    waiting = sum(row["status"] in ("to-send", "waiting") for row in found.letters)
    if "dead" in states:
        mark, text = Mark.ATTENTION, "A message could not be delivered"
    elif "pending" in states or "held" in states:
        mark, text = Mark.WAITING, "Messages are on their way"
    elif waiting:
        mark, text = Mark.WAITING, f"Letters to send: {waiting}"
    elif delivered:
        mark, text = Mark.DONE, f"Messages delivered: {delivered}"
    elif any(row["status"] == "sent" for row in found.letters):
        mark, text = Mark.DONE, "Everybody was told"
    elif found.referral["state"] == State.PENDING:
        mark, text = Mark.AHEAD, "Told once it is decided"
    else:
        mark, text = Mark.AHEAD, "Nobody was to be told by message"
    return Stage(name="notification", mark=mark, text=text)


def decided_at(history: Sequence[Row]) -> datetime | None:
    """Return the moment at which the referral was decided; None while it is pending."""
    return next(
        (
            row["at"]
            for row in history
            if row["from_state"] == State.PENDING and row["to_state"] != State.PENDING
        ),
        None,
    )


def clocks(found: Found, now: datetime) -> list[Clock]:
    """Word the clocks: the decision, each request for information, and the authorization."""
    referral = found.referral
    decided = decided_at(found.history)
    stopped = referral["state"] in (State.VOID, State.CANCELLED) and not _was_approved(found)
    began, due = referral["received_at"], referral["decision_due"]
    listed = [_clock("decision", "The plan decides", began, due, decided, now, stopped=stopped)]
    for number, row in enumerate(found.requests, 1):
        title = "Information is due" + (f" (request {number})" if number > 1 else "")
        listed.append(
            _information(row, title, decided, now, ran_out=referral["state"] == State.VOID)
        )
    if found.authorization is not None:
        listed.append(_authorization(found.authorization, now))
    return listed


def _was_approved(found: Found) -> bool:
    return any(row["to_state"] == State.APPROVED for row in found.history)


def _information(
    row: Row, title: str, decided: datetime | None, now: datetime, *, ran_out: bool
) -> Clock:
    ended = row["answered_at"] or decided
    clock = _clock("information", title, row["asked_at"], row["void_due"], ended, now, stopped=True)
    if ran_out and row["answered_at"] is None:
        text = f"ran out {moment(row['void_due'])}"
        return clock.model_copy(update={"state": Running.RAN_OUT, "in_words": text})
    return clock


def _clock(
    name: str,
    title: str,
    began: datetime,
    due: datetime,
    ended: datetime | None,
    now: datetime,
    *,
    stopped: bool,
) -> Clock:
    if ended is None:
        state = Running.OVERDUE if now > due else Running.RUNNING
        text = due_in_words(due, now)
    elif stopped:
        state, text = Running.STOPPED, f"stopped {moment(ended)}"
    else:
        state = Running.MET if ended <= due else Running.LATE
        text = f"{'in time' if ended <= due else 'late'}, {moment(ended)}"
    return Clock(
        name=name, title=title, began=began, due=due, ended=ended, state=state, in_words=text
    )


def _authorization(row: Row, now: datetime) -> Clock:
    """Word the clock of an authorization: from its first day to the end of its last, local time."""
    began, due = (
        datetime.combine(storable(row["starts_on"]), time(), LOCAL),
        expires(storable(row["ends_on"])),
    )
    over = row["status"] == "ended"
    if over:
        state, text = Running.STOPPED, "ended"
    elif now > due:
        state, text = Running.RAN_OUT, f"expired {moment(due)}"
    else:
        state, text = Running.RUNNING, f"until {moment(due)}"
    title = "The authorization runs"
    return Clock(
        name="authorization",
        title=title,
        began=began,
        due=due,
        ended=None,
        state=state,
        in_words=text,
    )
