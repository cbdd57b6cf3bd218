"""One notice as it is stored: its Communication, and its row in the outbox.

Touches no database: `app.store.referral.seal` writes both with the move that causes them.
"""

from typing import Any

from app.base.ids import new_id
from app.fhir.render_communication import communication
from app.fhir.render_referral import patient_reference
from app.model.notices import Notice
from app.store.referral.draft import Draft
from app.store.referral.snapshot import Occasion, occasion_of
from app.store.referral.summary import essence
from app.store.tables.referral import referral_history


def compose(
    draft: Draft, notice: Notice, message_id: str | None
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
        text=essence(notice.outcome, notice.recipient, occasion),
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


def _occasion(draft: Draft) -> Occasion:
    """Who decided, and under which policy, stands in the row of history of this very move."""
    moves = [values for table, values in draft.rows if table is referral_history]
    last = moves[-1] if moves else {}
    return occasion_of(draft, last.get("policy"), last.get("actor") or "rules")


def _recipient(draft: Draft, notice: Notice) -> dict[str, Any] | None:
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
