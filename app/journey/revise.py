"""The requester updates its ServiceRequest: it takes the referral back or adds to it, and no more.

A decided referral is never rewritten: a correction is a new referral that `replaces` it
(spec.md 2, 7). PURE: `app.api` makes the moves that a `Revision` asks for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.base.errors import Issue, Refusal
from app.fhir.parameters import Given
from app.fhir.placeholders import is_placeholder, placeholder_text
from app.fhir.r4 import codes
from app.fhir.task import added, is_kept

#: Elements that may grow and never shrink.
_GROWING = ("supportingInfo", "note", "contained")
_FREE = frozenset({"meta", "text", "id", "status", "resourceType"})
_TAKEN_BACK = frozenset({"revoked", "entered-in-error"})


@dataclass(frozen=True, slots=True)
class Revision:
    """The changes that the requester asks for."""

    #: `revoked` or `entered-in-error`; None if the referral stands.
    taken_back: str | None
    reason: Mapping[str, Any] | None
    #: Element → all of its items, for each element with new items.
    grown: Mapping[str, list[Any]]

    def __bool__(self) -> bool:
        return bool(self.taken_back or self.grown)

    @property
    def informs(self) -> bool:
        """Whether an addition may answer the rules' questions; a note does not."""
        return bool({"supportingInfo", "contained"} & set(self.grown))

    def new(self, name: str, current: Mapping[str, Any]) -> list[Any]:
        """Lists the items of an element that `current` does not have."""
        return added(current.get(name) or (), self.grown.get(name, ()))

    @property
    def given(self) -> Given:
        """The reason in the form that `$cancel` takes."""
        parts = {"reason": [{"valueCodeableConcept": dict(self.reason)}]} if self.reason else {}
        return Given(parts, {"reason": "ServiceRequest.extension"})


def read_revision(sent: Mapping[str, Any], current: Mapping[str, Any]) -> Revision:
    """Compares `sent` with `current`; raises 422 with every element that must not change."""
    faults: list[Issue] = []
    grown: dict[str, list[Any]] = {}
    for name in sorted((set(sent) | set(current)) - _FREE):
        before, after = current.get(name), sent.get(name)
        if name == "extension":
            before, after = _foreign_extensions(before), _foreign_extensions(after)
        if before == after:
            continue
        if name in _GROWING and is_kept(before or [], after or []):
            grown[name] = list(after or [])
        else:
            faults.append(_fault(name))
    reason = _reason(sent) or {}
    new_texts = [reason, *({"text": note.get("text")} for note in grown.get("note", ()))]
    if any(is_placeholder(note.get("text")) for note in new_texts):
        faults.append(Issue("value", placeholder_text("text"), "ServiceRequest"))
    status = sent.get("status")
    taken_back = status if status in _TAKEN_BACK and status != current.get("status") else None
    if status != current.get("status") and taken_back is None:
        text = "`status` is set to revoked or entered-in-error, or left as it is."
        faults.append(Issue("business-rule", text, "ServiceRequest.status"))
    if faults:
        raise Refusal(422, faults)
    return Revision(taken_back, _reason(sent) if taken_back else None, grown)


def _foreign_extensions(extensions: Any) -> list[Any]:
    return [item for item in extensions or [] if item.get("url") not in codes.OURS]


def _reason(sent: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Finds the reason for taking the referral back, in the extension that R4 has for it."""
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
