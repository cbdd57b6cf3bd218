"""Applies a plan's correspondence matrix to a referral: who is told an outcome, and how.

PURE. An organization with an active endpoint gets a message; everybody else gets a letter, which
waits in the staff's outbox (`app.views.letters`). A notice without a recipient, because nobody is
assigned or named, is recorded as skipped, with the reason (spec.md 2, Correspondence).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from app.model.lifecycle import MOVES
from app.model.messages import EventType
from app.policy.policy import Policy
from app.policy.schema import ToldParty

#: The recipients for a referral whose plan is not known yet: its requester.
_DEFAULT = ToldParty(requesting="yes", citation="E")
_NOBODY_ASSIGNED = "No servicing provider is assigned."
_NOBODY_NAMED = "Plan staff entered the referral, and it names no requester to write to."

#: The message that carries an outcome to an endpoint.
ANNOUNCED = {row.outcome: row.announces for row in MOVES.values() if row.outcome and row.announces}


class Asker(StrEnum):
    """Who asks, as the referral names its requester."""

    MEMBER = "member"
    FAMILY = "family"
    OFFICE = "office"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Listening:
    """An active endpoint of an organization with its filters; an empty filter lets all through."""

    organization_id: str
    plans: Sequence[str] = ()
    event_types: Sequence[str] = ()

    def hears(self, organization_id: str, plan: str, event_type: str) -> bool:
        """Tells whether the endpoint takes such a message for this organization."""
        return (
            self.organization_id == organization_id
            and (not self.plans or plan in self.plans)
            and (not self.event_types or event_type in self.event_types)
        )


@dataclass(frozen=True, slots=True)
class OutcomeNotice:
    """One piece of correspondence to write; without an organization it goes to a person."""

    outcome: str
    recipient: str  # requesting | servicing | member
    status: str  # sent | to-send | skipped
    organization_id: str | None = None
    reason: str | None = None
    #: The type of the message that tells an organization; None for letters.
    event_type: str | None = None


@dataclass(frozen=True, slots=True)
class Parties:
    """The facts about a referral's parties that decide who gets which correspondence."""

    requester_id: str
    performer_id: str | None
    service: str | None
    plan: str = ""
    asker: Asker = Asker.OFFICE
    #: Plan staff entered the referral for somebody who came by phone, mail or fax.
    entered_by_plan: bool = False
    listening: Sequence[Listening] = ()


def notices(outcome: str, parties: Parties, policy: Policy | None) -> list[OutcomeNotice]:
    """Lists the correspondence of an outcome.

    Outcomes are approved, denied, void, information-needed and cancelled. A member who referred
    themselves is the requester, and so is told every outcome.
    """
    row = _recipients(outcome, policy)
    written: list[OutcomeNotice] = []
    if row.requesting == "yes":
        written.extend(_to_requester(outcome, parties))
    if row.servicing == "yes" or (row.servicing == "if-assigned" and parties.performer_id):
        written.append(_to_performer(outcome, parties))
    if parties.asker is Asker.MEMBER or _tells_member(row, parties.service):
        written.append(OutcomeNotice(outcome, "member", "to-send"))
    return written


def assignment_notices(parties: Parties, policy: Policy | None) -> list[OutcomeNotice]:
    """Lists the correspondence of a later assignment: the new performer learns the approval."""
    if _recipients("approved", policy).servicing == "no" or parties.performer_id is None:
        return []
    return [_to_performer("approved", parties, EventType.ASSIGNED)]


def _recipients(outcome: str, policy: Policy | None) -> ToldParty:
    if policy is None:
        return _DEFAULT
    row: ToldParty = getattr(policy.data.correspondence, outcome.replace("-", "_"))
    return row


def _to_requester(outcome: str, parties: Parties) -> list[OutcomeNotice]:
    """Writes to the organization that sent the referral, and to the family that asked for it.

    Where plan staff entered the referral for an office, the notice goes to that office.
    """
    written = []
    if not parties.entered_by_plan:
        written.append(_to_organization(outcome, "requesting", parties.requester_id, parties))
    elif parties.asker is Asker.NOBODY:
        written.append(OutcomeNotice(outcome, "requesting", "skipped", reason=_NOBODY_NAMED))
    elif parties.asker is Asker.OFFICE:
        written.append(OutcomeNotice(outcome, "requesting", "to-send"))
    if parties.asker is Asker.FAMILY:
        written.append(OutcomeNotice(outcome, "requesting", "to-send"))
    return written


def _to_performer(outcome: str, parties: Parties, event: EventType | None = None) -> OutcomeNotice:
    if parties.performer_id is None:
        return OutcomeNotice(outcome, "servicing", "skipped", reason=_NOBODY_ASSIGNED)
    return _to_organization(outcome, "servicing", parties.performer_id, parties, event)


def _to_organization(
    outcome: str,
    recipient: str,
    organization: str,
    parties: Parties,
    event: EventType | None = None,
) -> OutcomeNotice:
    event = event or ANNOUNCED[outcome]
    if any(each.hears(organization, parties.plan, event) for each in parties.listening):
        return OutcomeNotice(outcome, recipient, "sent", organization, event_type=event)
    return OutcomeNotice(outcome, recipient, "to-send", organization)


def _tells_member(row: ToldParty, service: str | None) -> bool:
    return row.member == "yes" or (row.member == "supports-only" and service != "ECM")
