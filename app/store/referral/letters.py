"""One notice as it is stored: its Communication, and its row in the outbox.

Touches no database: `app.store.referral.rows` writes both with the move that causes them.

What a Communication says in a few sentences: the outcome, and what its recipient may know.

 The performer learns what is authorized, not why a referral was refused; the requester and the
member learn the reason. The whole letter is `letter.py`.
"""

from typing import Any

from app.base.ids import new_id
from app.base.local_time import LOCAL
from app.fhir.r4.codes import SERVICES
from app.fhir.render_communication import communication
from app.fhir.render_referral import patient_reference
from app.model.notices import OutcomeNotice
from app.policy.model import Reason
from app.policy.vocabulary import english, reason_in_words
from app.store.referral.draft import Draft
from app.store.referral.snapshot import LetterSnapshot, letter_snapshot
from app.store.tables.referral import referral_history


def compose(
    draft: Draft, notice: OutcomeNotice, message_id: str | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The Communication, and the values of its row; `message_id` is the message that tells it."""
    after, occasion = draft.after, _occasion(draft)
    sent = notice.status == "sent"
    body = communication(
        after,
        communication_id=new_id(),
        outcome=notice.outcome,
        status=notice.status,
        recipient=_recipient(draft, notice),
        plan_organization=draft.plan_organization,
        text=summary(notice.outcome, notice.recipient, occasion),
        reason=notice.reason,
    )
    body["subject"] = patient_reference(draft.sent, draft.after.cin)
    row = {
        "plan": after.plan,
        "id": body["id"],
        "referral_id": after.id,
        "outcome": notice.outcome,
        "recipient": notice.recipient,
        "organization_id": notice.organization_id,
        "status": notice.status,
        "reason": notice.reason,
        "about": occasion.to_json(),
        "message_id": message_id if sent else None,
        "medium": "endpoint" if sent else None,
        "sent_at": draft.at if sent else None,
        "sent_by": None,
        "note": None,
        "created_at": draft.at,
    }
    return body, row


def _occasion(draft: Draft) -> LetterSnapshot:
    """Who decided, and under which policy, stands in the row of history of this very move."""
    moves = [values for table, values in draft.rows if table is referral_history]
    last = moves[-1] if moves else {}
    return letter_snapshot(draft, last.get("policy"), last.get("actor") or "rules")


def _recipient(draft: Draft, notice: OutcomeNotice) -> dict[str, Any] | None:
    if notice.recipient == "member":
        return patient_reference(draft.sent, draft.after.cin)
    if notice.organization_id:
        return {"reference": f"Organization/{notice.organization_id}"}
    if notice.status == "skipped":
        return None
    requester = draft.sent.get("requester") or {}
    reference = requester.get("reference", "")
    if reference and not reference.startswith("#"):
        return {"reference": reference}
    display = requester.get("display") or "The requester named in the referral"
    return {"display": display}


_OUTCOMES = {
    "approved": "approved",
    "denied": "not approved",
    "void": "closed without a decision: information that was asked for did not come",
    "information-needed": "waiting for information",
    "cancelled": "taken back",
}


def summary(outcome: str, recipient: str, occasion: LetterSnapshot) -> str:
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


def _authorized(occasion: LetterSnapshot) -> list[str]:
    held = occasion.authorized
    said = english()["provider_short"].get(occasion.assignment or "", "")
    if held is None:
        return [said] if said else []
    period = f"Authorization {held.number}, from {held.starts_on} to {held.ends_on}."
    return [period, said] if said else [period]


def _reason(reason: Reason, *, to_member: bool) -> str:
    known = reason_in_words("en", reason.code, to_member=to_member)
    return " ".join(part for part in (known, reason.text) if part)


def _asked(occasion: LetterSnapshot) -> list[str]:
    said = [missing.question for missing in occasion.missing]
    if occasion.void_due is not None:
        said.append(f"Please answer by {occasion.void_due.astimezone(LOCAL).date()}.")
    return said
