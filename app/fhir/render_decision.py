"""What became of a referral, told in the answer to the post that made it: state, reasons, the
authorization, and the Task by which it is followed.

The stored ServiceRequest stays as it was sent; the Task says the same at any later time.
"""

from dataclasses import dataclass
from typing import Any

from app.fhir import codes
from app.fhir.render_task import business_status, status_reason
from app.model.lifecycle import BusinessStatus, State
from app.model.record import Details


@dataclass(frozen=True, slots=True)
class Decided:
    """A referral as it stands; `number` is its authorization's."""

    referral_id: str
    state: State
    status: BusinessStatus | None
    details: Details
    number: str | None = None

    def extension(self) -> dict[str, Any]:
        """An extension of the ServiceRequest that is answered."""
        said: list[dict[str, Any]] = [
            {
                "url": "status",
                "valueCodeableConcept": business_status(self.state, self.status),
            }
        ]
        if (reason := status_reason(self.details)) is not None:
            said.append({"url": "reason", "valueCodeableConcept": reason})
        if self.number is not None:
            reference = f"ClaimResponse/{self.referral_id}"
            number = {"system": codes.AUTHORIZATION_ID, "value": self.number}
            held = {"reference": reference, "identifier": number}
            said.append({"url": "authorization", "valueReference": held})
        said.append({"url": "task", "valueReference": {"reference": f"Task/{self.referral_id}"}})
        return {"url": codes.REFERRAL_DECISION, "extension": said}

    def sentence(self) -> str:
        """The same in words: `approved (assigned), authorization NWD-…. Population met.`"""
        waits = f" ({self.status.value})" if self.status else ""
        held = f", authorization {self.number}" if self.number else ""
        reason = status_reason(self.details)
        why = f" {reason['text']}" if reason else ""
        return f"The referral is {self.state.value}{waits}{held}.{why}"
