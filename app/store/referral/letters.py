"""Composes the stored form of one notice: its Communication, and its row in the outbox.

The text of a Communication has a few sentences: the outcome, and as much as the recipient may
know. The performer learns the authorization, and never the reason of a refusal; the requester and
the member learn that reason. `app.views.letters` writes the full letter.

This module touches no database: `app.store.referral.rows` writes the Communication and the row
with the move that causes them.
"""

from typing import Any

from app.base.local_time import LOCAL
from app.base.text import sentence
from app.fhir.r4.codes import SERVICES
from app.fhir.render_communication import communication
from app.fhir.render_referral import patient_reference
from app.model.notices import Asker, OutcomeNotice
from app.policy.model import Reason
from app.policy.vocabulary import english, reason_in_words
from app.store.referral.draft import Draft
from app.store.referral.snapshot import LetterSnapshot, letter_snapshot
from app.store.tables.referral import referral_history


def compose_communication(
    draft: Draft, notice: OutcomeNotice, message_id: str | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns the Communication and the values of its row; `message_id`: the message about it."""
    after, snapshot = draft.after, _snapshot(draft)
    sent = notice.status == "sent"
    body = communication(
        after,
        communication_id=draft.id_of("c"),
        outcome=notice.outcome,
        status=notice.status,
        recipient=_recipient(draft, notice),
        plan_organization=draft.plan_organization,
        text=summary(notice.outcome, notice.recipient, snapshot, person=_is_person(draft, notice)),
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
        "about": snapshot.to_json(),
        "message_id": message_id if sent else None,
        "medium": "endpoint" if sent else None,
        "sent_at": draft.at if sent else None,
        "sent_by": None,
        "note": None,
        "created_at": draft.at,
    }
    return body, row


def _is_person(draft: Draft, notice: OutcomeNotice) -> bool:
    """Tells whether a notice is for the member or for family, and not for an office."""
    family = draft.asker is Asker.FAMILY and notice.organization_id is None
    return notice.recipient == "member" or (notice.recipient == "requesting" and family)


def _snapshot(draft: Draft) -> LetterSnapshot:
    """Takes the policy and the decider from the row of history that this draft adds last."""
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


def summary(outcome: str, recipient: str, snapshot: LetterSnapshot, *, person: bool = False) -> str:
    """Summarizes the outcome for one recipient, in plain English text. A person, who is no office,
    is asked to call, and no clinical questions.
    """
    service = SERVICES.get(snapshot.service or "", "The service asked for")
    sentences = [f"{service}: {_OUTCOMES.get(outcome, outcome)}."]
    if outcome == "approved":
        sentences += _authorized(snapshot)
    elif outcome == "denied" and recipient != "servicing":
        to_member = recipient == "member"
        sentences += [_reason(reason, to_member=to_member) for reason in snapshot.reasons]
    elif outcome == "information-needed":
        sentences += _asked(snapshot, person=person)
    return " ".join(sentences)


def _authorized(snapshot: LetterSnapshot) -> list[str]:
    held = snapshot.authorized
    provider = english()["provider_short"].get(snapshot.assignment or "", "")
    if held is None:
        return [provider] if provider else []
    period = f"Authorization {held.number}, from {held.starts_on} to {held.ends_on}."
    return [period, provider] if provider else [period]


def _reason(reason: Reason, *, to_member: bool) -> str:
    known = reason_in_words("en", reason.code, to_member=to_member)
    return " ".join(sentence(part) for part in (known, reason.text) if part)


def _asked(snapshot: LetterSnapshot, *, person: bool) -> list[str]:
    sentences = [] if person else [missing.question for missing in snapshot.missing]
    if snapshot.void_due is not None:
        how = "call the plan" if person else "answer"
        sentences.append(f"Please {how} by {snapshot.void_due.astimezone(LOCAL).date()}.")
    if snapshot.reminder:
        sentences.append("This is the second time that the plan asks.")
    return sentences
