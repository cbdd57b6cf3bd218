"""Reads what the sender of a Task asks for: a new status with its reason, and new items of lists.

Compares the Task as sent with the stored Task; the sender may change nothing else.
`app.model.moves` decides which move a status means, and who may make the move.

Lists such as `note` only grow: `is_kept` finds whether an item is missing, `added` finds the new
items. Items are counted, so a note equal to an earlier note is a second note. The comparison takes
time linear in the size of the Task.
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
from app.fhir.placeholders import is_placeholder, placeholder_text
from app.fhir.r4 import codes
from app.fhir.r4.strict_json import written
from app.fhir.reference import id_of, place_of
from app.policy.model import Reason

#: Elements that only this service sets: a sender may send them back unchanged.
_READ_ONLY = ("focus", "for", "owner", "requester", "code", "intent", "partOf", "basedOn")
#: Lists to which a sender may add items, but not change or remove any.
_ADD_ONLY = ("identifier", "input", "note", "contained")
#: Statuses that mean "not answered yet" (spec.md 7: accepted as `requested`, never emitted).
_NOT_ANSWERED = frozenset({"draft", "requested", "received", "ready"})
_CANCELS = frozenset({"abort", "cancel"})
LEAD_CARE_MANAGER = "lead-care-manager"


@dataclass(frozen=True, slots=True)
class TaskUpdate:
    """The changes that a sender asks for; an empty update changes nothing."""

    #: The FHIR status asked for; None leaves the status as it is.
    status: str | None = None
    #: The `statusReason` as sent, if it is new.
    concept: Mapping[str, Any] | None = None
    #: Element → all of its items, old and new; elements without a new item are left out.
    grown: Mapping[str, list[Any]] = field(default_factory=dict)
    #: The performer's outputs, if they differ from the stored outputs.
    output: list[Any] | None = None

    def __bool__(self) -> bool:
        return bool(self.status or self.grown or self.output is not None)

    def reasons(self) -> tuple[Reason, ...]:
        """Read the reason: a code of determination-reason, if there is one, and the text."""
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
        """Raise 422 unless the status comes with a reason as text (Gravity: text 1..1)."""
        if not (self.concept or {}).get("text"):
            text = "Say why in `statusReason.text`: the requester and the plan are told."
            raise refuse(422, "required", text, "Task.statusReason.text")


def read_update(
    sent: Mapping[str, Any], current: Mapping[str, Any], *, base: str, performers: bool
) -> TaskUpdate:
    """Read what `sent` changes in `current`.

    Raises 422 with every changed element that the sender may not change. `performers` is True for
    the performer's own service Task, whose outputs the performer writes.
    """
    faults = [
        _fault(name, "is ours. Send it back as it is, or leave it out.")
        for name in _READ_ONLY
        if name in sent and not _means_same(sent[name], current.get(name), base)
    ]
    grown: dict[str, list[Any]] = {}
    for name in _ADD_ONLY:
        items, before = _client_items(sent, name), _client_items(current, name)
        if items and not is_kept(before, items):
            faults.append(_fault(name, "is only added to. Send what was there as well."))
        elif added(before, items):
            grown[name] = items
    output = sent.get("output")
    if output is None or output == current.get("output"):
        output = None
    elif not performers:
        faults.append(_fault("output", "is written by the performer, on its own service Task."))
    faults += _placeholder_faults(sent, current, grown)
    if faults:
        raise Refusal(422, faults)
    concept = sent.get("statusReason")
    return TaskUpdate(
        status=_new_status(sent.get("status"), current["status"]),
        concept=None if concept == current.get("statusReason") else concept,
        grown=grown,
        output=output,
    )


def read_adopted(sent: Mapping[str, Any], current: Mapping[str, Any]) -> dict[str, Any]:
    """Read the elements that the referrer's Task adds to the referral's own Task; may be empty."""
    adopted: dict[str, Any] = {}
    for name in _ADD_ONLY:
        before = _client_items(current, name)
        if new := added(before, _client_items(sent, name)):
            adopted[name] = [*before, *new]
    if faults := _placeholder_faults({}, {}, adopted):
        raise Refusal(422, faults)
    if sent.get("description") and not current.get("description"):
        adopted["description"] = sent["description"]
    return adopted


def asks_to_cancel(sent: Mapping[str, Any], at: str = "Task") -> bool:
    """Whether a Task of the referrer asks to cancel the referral (Gravity's request to cancel).

    False for the referral's own Task (code `fulfill`, or no code). Raises 422 for any other code,
    because this service does nothing else for a Task.
    """
    asked = {
        str(coding.get("code"))
        for coding in codings(sent.get("code"))
        if coding.get("system") in (codes.TASK_CODE, None)
    }
    if asked & _CANCELS:
        return True
    if codings(sent.get("code")) and "fulfill" not in asked:
        text = (
            "A Task about a referral asks to `fulfill` it (or has no code), or, by `abort` or "
            "`cancel` of the system task-code, to take it back. For anything else use the "
            "operations of the ServiceRequest."
        )
        raise refuse(422, "not-supported", text, f"{at}.code")
    return False


def reason_of(sent: Mapping[str, Any]) -> Given:
    """Read why a Task asks to cancel the referral, as the parameters of `$cancel`."""
    concept = sent.get("statusReason") or sent.get("reasonCode")
    parts = {"reason": [{"valueCodeableConcept": concept}]} if concept else {}
    return Given(parts, {"reason": "Task.reasonCode"})


def is_adopted(task: Mapping[str, Any]) -> bool:
    """Whether the referral's Task has any item or description that a referrer sent."""
    return bool(task.get("description")) or any(_client_items(task, name) for name in _ADD_ONLY)


def focus_of(sent: Mapping[str, Any], base: str) -> str | None:
    """Read the id of the ServiceRequest that a Task is about; None where none of ours is named."""
    return id_of((sent.get("focus") or {}).get("reference"), "ServiceRequest", base)


def names_care_manager(outputs: Sequence[Mapping[str, Any]]) -> bool:
    """Whether an output names the lead care manager of the member."""
    return any(
        coding.get("code") == LEAD_CARE_MANAGER
        and coding.get("system") in (codes.TASK_OUTPUT, None)
        for output in outputs
        for coding in codings(output.get("type"))
    )


def _placeholder_faults(
    sent: Mapping[str, Any], current: Mapping[str, Any], grown: Mapping[str, list[Any]]
) -> list[Issue]:
    """Find new texts that still hold the placeholder of an example."""
    faults = []
    reason = sent.get("statusReason") or {}
    if reason != current.get("statusReason") and is_placeholder(reason.get("text")):
        faults.append(Issue("value", placeholder_text("text"), "Task.statusReason.text"))
    if any(is_placeholder(note.get("text")) for note in grown.get("note", ())):
        faults.append(Issue("value", placeholder_text("text"), "Task.note.text"))
    return faults


def _client_items(task: Mapping[str, Any], name: str) -> list[Any]:
    """The items of an element, without the inputs in which we ask the requester for information."""
    return [
        item
        for item in task.get(name) or []
        if name != "input"
        or not any(c.get("system") == codes.TASK_INPUT for c in codings(item.get("type")))
    ]


def _new_status(sent: str | None, current: str) -> str | None:
    if sent is None or sent == current or (sent in _NOT_ANSWERED and current in _NOT_ANSWERED):
        return None
    return "requested" if sent in _NOT_ANSWERED else sent


def _means_same(sent: Any, current: Any, base: str) -> bool:
    """Whether two values are equal, or are references to one resource of ours."""
    if sent == current:
        return True
    if not isinstance(sent, dict) or not isinstance(current, dict) or "reference" not in sent:
        return False
    place = place_of(sent["reference"], base)
    return place is not None and place == place_of(current.get("reference"), base)


def _fault(name: str, text: str) -> Issue:
    return Issue("business-rule", f"`{name}` {text}", f"Task.{name}")


# Lists that only grow
#: A decimal with a power of ten of this or more is compared as written.
_DIGITS = 40


def is_kept(before: Sequence[Any], after: Sequence[Any]) -> bool:
    """Whether `after` has every item of `before`, at least as often."""
    return Counter(map(_key, before)) <= Counter(map(_key, after))


def added(before: Sequence[Any], after: Sequence[Any]) -> list[Any]:
    """The items of `after` that `before` does not have, in the order of `after`."""
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
    """A key that is equal for equal JSON: order of names and trailing zeros do not matter."""
    return orjson.dumps(item, default=_without_zeros, option=orjson.OPT_SORT_KEYS)


def _without_zeros(value: Any) -> Any:
    """Write a decimal without trailing zeros; a very large or small decimal stays as written."""
    if isinstance(value, Decimal) and abs(value.adjusted()) < _DIGITS:
        text = f"{value:f}"
        return orjson.Fragment((text.rstrip("0").rstrip(".") if "." in text else text).encode())
    return written(value)
