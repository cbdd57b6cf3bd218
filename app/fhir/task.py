"""What somebody who writes a Task wants: its new status with the reason, and what is added to it.

Compares the Task as sent with the Task as it is; nothing else of it is the sender's to change. What
a status means as a move, and whose it is, is `app.model.moves`.

Lists that are only added to: what is missing from one, and what is new in it.

Items are counted, so that a note equal to an earlier one is a second note. Linear in what is sent.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import orjson

from app.base.errors import Issue, Refusal, refuse
from app.fhir.parameters import Given
from app.fhir.payload import codings
from app.fhir.placeholders import is_placeholder, said
from app.fhir.r4 import codes
from app.fhir.r4.strict_json import written
from app.fhir.reference import id_of, place_of
from app.policy.model import Reason

#: Ours alone: sending them back as they are is fine, changing them is not.
_OURS = ("focus", "for", "owner", "requester", "code", "intent", "partOf", "basedOn")
#: Only added to, never changed or taken away.
_GROWING = ("identifier", "input", "note", "contained")
#: Statuses that mean "not answered yet" (spec.md 7: taken as `requested`, never emitted).
_ASKED = frozenset({"draft", "requested", "received", "ready"})
_CANCELS = frozenset({"abort", "cancel"})
LEAD_CARE_MANAGER = "lead-care-manager"


@dataclass(frozen=True, slots=True)
class TaskUpdate:
    """The difference that a sender makes. An empty one changes nothing."""

    #: The FHIR status asked for; None: as it is.
    status: str | None = None
    #: The `statusReason` that is new, as sent.
    concept: Mapping[str, Any] | None = None
    #: Element → all of its items, where some are new.
    grown: Mapping[str, list[Any]] = field(default_factory=dict)
    #: The performer's outputs, where they differ.
    output: list[Any] | None = None

    def __bool__(self) -> bool:
        return bool(self.status or self.grown or self.output is not None)

    def reasons(self) -> tuple[Reason, ...]:
        """The reason as ours: a code of determination-reason where there is one, and the words."""
        concept = self.concept or {}
        known = next(
            (
                str(coding["code"])
                for coding in codings(concept)
                if coding.get("system") == codes.DETERMINATION_REASON
                and coding.get("code") in codes.REASONS
            ),
            "",
        )
        text = concept.get("text")
        return (Reason(known, text),) if known or text else ()

    def require_text(self) -> None:
        """422 unless the status comes with a reason in words of its own (Gravity: text 1..1)."""
        if not (self.concept or {}).get("text"):
            said = "Say why in `statusReason.text`: the requester and the plan are told."
            raise refuse(422, "required", said, "Task.statusReason.text")


def read_update(
    sent: Mapping[str, Any], current: Mapping[str, Any], *, base: str, performers: bool
) -> TaskUpdate:
    """What `sent` changes of `current`. 422 with every element that is not the sender's to change.

    `performers`: it is the performer's own service Task, whose outputs the performer writes.
    """
    faults = [
        _fault(name, "is ours. Send it back as it is, or leave it out.")
        for name in _OURS
        if name in sent and not _agrees(sent[name], current.get(name), base)
    ]
    grown: dict[str, list[Any]] = {}
    for name in _GROWING:
        items, before = _theirs(sent, name), _theirs(current, name)
        if items and not is_kept(before, items):
            faults.append(_fault(name, "is only added to. Send what was there as well."))
        elif added(before, items):
            grown[name] = items
    output = sent.get("output")
    if output is None or output == current.get("output"):
        output = None
    elif not performers:
        faults.append(_fault("output", "is written by the performer, on its own service Task."))
    faults += _copied(sent, current, grown)
    if faults:
        raise Refusal(422, faults)
    concept = sent.get("statusReason")
    return TaskUpdate(
        status=_wanted(sent.get("status"), current["status"]),
        concept=None if concept == current.get("statusReason") else concept,
        grown=grown,
        output=output,
    )


def read_adopted(sent: Mapping[str, Any], current: Mapping[str, Any]) -> dict[str, Any]:
    """The elements that a Task of the referrer adds to the referral's own; empty: nothing new."""
    found: dict[str, Any] = {}
    for name in _GROWING:
        before = _theirs(current, name)
        if new := added(before, _theirs(sent, name)):
            found[name] = [*before, *new]
    if faults := _copied({}, {}, found):
        raise Refusal(422, faults)
    if sent.get("description") and not current.get("description"):
        found["description"] = sent["description"]
    return found


def asks_to_cancel(sent: Mapping[str, Any], at: str = "Task") -> bool:
    """Whether a Task of the referrer asks to take the referral back (Gravity's request to cancel);
    False: it is the referral's own (`fulfill`, or no code). 422 for anything else: it is not done.
    """
    asked = {
        str(coding.get("code"))
        for coding in codings(sent.get("code"))
        if coding.get("system") in (codes.TASK_CODE, None)
    }
    if asked & _CANCELS:
        return True
    if codings(sent.get("code")) and "fulfill" not in asked:
        said = (
            "A Task about a referral asks to `fulfill` it (or has no code), or, by `abort` or "
            "`cancel` of the system task-code, to take it back. For anything else use the "
            "operations of the ServiceRequest."
        )
        raise refuse(422, "not-supported", said, f"{at}.code")
    return False


def reason_of(sent: Mapping[str, Any]) -> Given:
    """Why a Task asks to take the referral back, as `$cancel` is given it."""
    concept = sent.get("statusReason") or sent.get("reasonCode")
    parts = {"reason": [{"valueCodeableConcept": concept}]} if concept else {}
    return Given(parts, {"reason": "Task.reasonCode"})


def is_adopted(task: Mapping[str, Any]) -> bool:
    """Whether the referral's Task carries anything that a referrer sent."""
    return bool(task.get("description")) or any(_theirs(task, name) for name in _GROWING)


def focus_of(sent: Mapping[str, Any], base: str) -> str | None:
    """The id of the ServiceRequest that a Task is about; None where it names none of ours."""
    return id_of((sent.get("focus") or {}).get("reference"), "ServiceRequest", base)


def names_care_manager(outputs: Sequence[Mapping[str, Any]]) -> bool:
    """Whether an output says who leads the member's care."""
    return any(
        coding.get("code") == LEAD_CARE_MANAGER
        and coding.get("system") in (codes.TASK_OUTPUT, None)
        for output in outputs
        for coding in codings(output.get("type"))
    )


def _copied(
    sent: Mapping[str, Any], current: Mapping[str, Any], grown: Mapping[str, list[Any]]
) -> list[Issue]:
    """Words that are new, and still those of an example."""
    faults = []
    reason = sent.get("statusReason") or {}
    if reason != current.get("statusReason") and is_placeholder(reason.get("text")):
        faults.append(Issue("value", said("text"), "Task.statusReason.text"))
    if any(is_placeholder(note.get("text")) for note in grown.get("note", ())):
        faults.append(Issue("value", said("text"), "Task.note.text"))
    return faults


def _theirs(task: Mapping[str, Any], name: str) -> list[Any]:
    """The items of an element but for our own: what the requester is asked for is an input."""
    return [
        item
        for item in task.get(name) or []
        if name != "input"
        or not any(c.get("system") == codes.TASK_INPUT for c in codings(item.get("type")))
    ]


def _wanted(sent: str | None, current: str) -> str | None:
    if sent is None or sent == current or (sent in _ASKED and current in _ASKED):
        return None
    return "requested" if sent in _ASKED else sent


def _agrees(sent: Any, current: Any, base: str) -> bool:
    """The same, or a reference that means the same thing."""
    if sent == current:
        return True
    if not isinstance(sent, dict) or not isinstance(current, dict) or "reference" not in sent:
        return False
    place = place_of(sent["reference"], base)
    return place is not None and place == place_of(current.get("reference"), base)


def _fault(name: str, said: str) -> Issue:
    return Issue("business-rule", f"`{name}` {said}", f"Task.{name}")


#: Beyond these a power of ten is not written out.
_DIGITS = 40


def is_kept(before: Sequence[Any], after: Sequence[Any]) -> bool:
    """Whether every item that was there is there still, as often as it was."""
    return Counter(map(_key, before)) <= Counter(map(_key, after))


def added(before: Sequence[Any], after: Sequence[Any]) -> list[Any]:
    """The items of `after` beyond those of `before`, in their order."""
    left = Counter(map(_key, before))
    new = []
    for item in after:
        key = _key(item)
        if left[key]:
            left[key] -= 1
        else:
            new.append(item)
    return new


def _key(item: Any) -> bytes:
    """Equal for equal JSON, whatever the order of its names and the zeros of its decimals."""
    return orjson.dumps(item, default=_plain, option=orjson.OPT_SORT_KEYS)


def _plain(value: Any) -> Any:
    """A decimal without spare zeros; one of many digits as it was written."""
    if isinstance(value, Decimal) and abs(value.adjusted()) < _DIGITS:
        text = f"{value:f}"
        return orjson.Fragment((text.rstrip("0").rstrip(".") if "." in text else text).encode())
    return written(value)
