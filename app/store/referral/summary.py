"""What a Communication says in a few sentences: the outcome, and what its recipient may know.

PURE. The performer learns what is authorized, not why a referral was refused; the requester and the
member learn the reason. The whole letter is `letter.py`.
"""

from app.base.local_time import LOCAL
from app.fhir.codes import SERVICES
from app.policy.letter_words import english, reason_in_words
from app.policy.model import Reason
from app.store.referral.snapshot import Occasion

_OUTCOMES = {
    "approved": "approved",
    "denied": "not approved",
    "void": "closed without a decision: information that was asked for did not come",
    "information-needed": "waiting for information",
    "cancelled": "taken back",
}


def essence(outcome: str, recipient: str, occasion: Occasion) -> str:
    """Plain text, in English."""
    service = SERVICES.get(occasion.service or "", "The service asked for")
    said = [f"{service}: {_OUTCOMES.get(outcome, outcome)}."]
    if outcome == "approved":
        said += _authorized(occasion)
    elif outcome == "denied" and recipient != "servicing":
        to_member = recipient == "member"
        said += [_reason(reason, to_member=to_member) for reason in occasion.reasons]
    elif outcome == "information-needed":
        said += _asked(occasion)
    return " ".join(said)


def _authorized(occasion: Occasion) -> list[str]:
    held = occasion.authorized
    said = english()["provider_short"].get(occasion.assignment or "", "")
    if held is None:
        return [said] if said else []
    period = f"Authorization {held.number}, from {held.starts_on} to {held.ends_on}."
    return [period, said] if said else [period]


def _reason(reason: Reason, *, to_member: bool) -> str:
    known = reason_in_words("en", reason.code, to_member=to_member)
    return " ".join(part for part in (known, reason.text) if part)


def _asked(occasion: Occasion) -> list[str]:
    said = [missing.question for missing in occasion.missing]
    if occasion.void_due is not None:
        said.append(f"Please answer by {occasion.void_due.astimezone(LOCAL).date()}.")
    return said
