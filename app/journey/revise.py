"""The requester's update of its ServiceRequest: taken back, or added to; nothing else of it.

A referral that was decided on is not rewritten: a correction is a new one that `replaces` it
(spec.md 2, 7). PURE but for the draft that it composes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.base.errors import Issue, Refusal
from app.fhir.parameters import Given
from app.fhir.placeholders import is_placeholder, said
from app.fhir.r4 import codes
from app.fhir.task import is_kept

#: Only added to.
_GROWING = ("supportingInfo", "note", "contained")
_FREE = frozenset({"meta", "text", "id", "status", "resourceType"})
_TAKEN_BACK = frozenset({"revoked", "entered-in-error"})


@dataclass(frozen=True, slots=True)
class Revision:
    """What the requester changes."""

    #: `revoked` or `entered-in-error`; None: it stands.
    taken_back: str | None
    reason: Mapping[str, Any] | None
    #: Element → all of its items, where some are new.
    grown: Mapping[str, list[Any]]

    def __bool__(self) -> bool:
        return bool(self.taken_back or self.grown)

    @property
    def informs(self) -> bool:
        """Something is added that may say what the rules ask for; a note does not."""
        return bool({"supportingInfo", "contained"} & set(self.grown))

    @property
    def given(self) -> Given:
        """The reason as `$cancel` takes it."""
        parts = {"reason": [{"valueCodeableConcept": dict(self.reason)}]} if self.reason else {}
        return Given(parts, {"reason": "ServiceRequest.extension"})


def read_revision(sent: Mapping[str, Any], current: Mapping[str, Any]) -> Revision:
    """What `sent` changes of `current`; 422 with every element that is not to be changed."""
    faults: list[Issue] = []
    grown: dict[str, list[Any]] = {}
    for name in sorted((set(sent) | set(current)) - _FREE):
        before, after = current.get(name), sent.get(name)
        if name == "extension":
            before, after = _others(before), _others(after)
        if before == after:
            continue
        if name in _GROWING and is_kept(before or [], after or []):
            grown[name] = list(after or [])
        else:
            faults.append(_fault(name))
    reason = _reason(sent) or {}
    new = [reason, *({"text": note.get("text")} for note in grown.get("note", ()))]
    if any(is_placeholder(one.get("text")) for one in new):
        faults.append(Issue("value", said("text"), "ServiceRequest"))
    status = sent.get("status")
    taken_back = status if status in _TAKEN_BACK and status != current.get("status") else None
    if status != current.get("status") and taken_back is None:
        text = "`status` is set to revoked or entered-in-error, or left as it is."
        faults.append(Issue("business-rule", text, "ServiceRequest.status"))
    if faults:
        raise Refusal(422, faults)
    return Revision(taken_back, _reason(sent) if taken_back else None, grown)


def _others(extensions: Any) -> list[Any]:
    return [item for item in extensions or [] if item.get("url") not in codes.OURS]


def _reason(sent: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Why it is taken back, in the extension that R4 has for it."""
    for item in sent.get("extension") or []:
        if item.get("url") == codes.REQUEST_STATUS_REASON and "valueCodeableConcept" in item:
            concept: Mapping[str, Any] = item["valueCodeableConcept"]
            return concept
    return None


def _fault(name: str) -> Issue:
    text = (
        f"`{name}` stays as it was sent: take the referral back and send another that `replaces` "
        "it. Notes and supporting information can be added."
    )
    return Issue("business-rule", text, f"ServiceRequest.{name}")
