"""Who is written to about an outcome: the plan's correspondence matrix put to one referral.

PURE. What cannot be told, because nobody is assigned, is recorded as skipped with the reason
(spec.md 2, Correspondence).
"""

from dataclasses import dataclass

from app.policy.policy import Policy
from app.policy.schema import Told

#: For a referral whose plan is not known yet: its requester is told.
_DEFAULT = Told(requesting="yes", citation="E")
_NOBODY_ASSIGNED = "No servicing provider is assigned."


@dataclass(frozen=True, slots=True)
class Notice:
    """One piece of correspondence to be written."""

    outcome: str
    recipient: str  # requesting | servicing | member
    status: str  # sent | to-send | skipped
    organization_id: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Parties:
    """The parties of a referral, as far as letters are concerned."""

    requester_id: str
    performer_id: str | None
    service: str | None
    self_referred: bool = False


def notices(outcome: str, parties: Parties, policy: Policy | None) -> list[Notice]:
    """The correspondence of an outcome: approved, denied, void, information-needed or cancelled.

    A member who referred themselves is the requester and is told every outcome.
    """
    told = _told(outcome, policy)
    written: list[Notice] = []
    if told.requesting == "yes":
        written.append(Notice(outcome, "requesting", "sent", parties.requester_id))
    if told.servicing == "yes" or (told.servicing == "if-assigned" and parties.performer_id):
        written.append(_to_performer(outcome, parties))
    if parties.self_referred or _tells_member(told, parties.service):
        written.append(Notice(outcome, "member", "to-send"))
    return written


def _told(outcome: str, policy: Policy | None) -> Told:
    if policy is None:
        return _DEFAULT
    told: Told = getattr(policy.data.correspondence, outcome.replace("-", "_"))
    return told


def _to_performer(outcome: str, parties: Parties) -> Notice:
    if parties.performer_id is None:
        return Notice(outcome, "servicing", "skipped", reason=_NOBODY_ASSIGNED)
    return Notice(outcome, "servicing", "sent", parties.performer_id)


def _tells_member(told: Told, service: str | None) -> bool:
    return told.member == "yes" or (told.member == "supports-only" and service != "ECM")
