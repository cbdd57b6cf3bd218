"""Types of messages, their recipients, and the thin payload. PURE.

Whoever makes a move writes the rows (`message`, `delivery`) in its transaction;
`app.workers.delivery` sends the messages. The thin payload carries ids, states, codes and links,
but nothing clinical and no name: so every access to such data is a read that can be audited
(documentation of Standard Webhooks). Of a referral it names no service, and no reason that the plan
knows from its roster or its own authorizations: a service or a waiver may tell who the member is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from enum import StrEnum

import orjson


class EventType(StrEnum):
    """What can be announced, and what an endpoint may filter by (spec.md 8)."""

    RECEIVED = "referral.received"
    INFORMATION_REQUESTED = "referral.information_requested"
    INFORMATION_RECEIVED = "referral.information_received"
    APPROVED = "referral.approved"
    DENIED = "referral.denied"
    VOIDED = "referral.voided"
    CANCELLED = "referral.cancelled"
    OVERDUE = "referral.overdue"
    ASSIGNED = "service.assigned"
    WAITLISTED = "service.waitlisted"
    ACCEPTED = "service.accepted"
    DECLINED = "service.declined"
    STARTED = "service.started"
    CLOSED = "service.closed"
    EXPIRING = "authorization.expiring"
    EXPIRED = "authorization.expired"
    CAPACITY_CHANGED = "capacity.changed"
    ENDPOINT_DISABLED = "endpoint.disabled"


#: The type of the message that tests an endpoint: about no referral, and passed by every filter.
TEST = "endpoint.test"

#: The meaning of each event type in one line, for the receiver's documentation.
MEANINGS: dict[EventType, str] = {
    EventType.RECEIVED: "A referral was accepted; its state is in the data.",
    EventType.INFORMATION_REQUESTED: "Facts are missing; the referral waits for them.",
    EventType.INFORMATION_RECEIVED: "The requester or the plan added information.",
    EventType.APPROVED: "The plan approved the referral; an authorization exists.",
    EventType.DENIED: "The plan denied the referral; the reason codes say why.",
    EventType.VOIDED: "Information that was asked for did not come in time.",
    EventType.CANCELLED: "The referral was taken back.",
    EventType.OVERDUE: "The decision is later than its due date.",
    EventType.ASSIGNED: "A performer has the place for the approved service.",
    EventType.WAITLISTED: "Approved, and waiting for a place with a performer.",
    EventType.ACCEPTED: "The performer accepted the service.",
    EventType.DECLINED: "The performer declined; the next is tried.",
    EventType.STARTED: "The service began.",
    EventType.CLOSED: "The service ended; the loop is closed.",
    EventType.EXPIRING: "The authorization ends soon.",
    EventType.EXPIRED: "The authorization has ended.",
    EventType.CAPACITY_CHANGED: "An offer's places or capacity status changed.",
    EventType.ENDPOINT_DISABLED: "Another endpoint of yours is not sent to any more.",
}

#: The stored reason why an endpoint gets no messages → words to follow "it" or "its endpoint".
WHY_OFF = {
    "gone": "answered 410 Gone",
    "failing": "failed at every attempt for five days",
    "blocked-target": "has an address that messages are not sent to",
    "owner": "was disabled by its owner",
    "deleted": "was deleted by its owner",
}

EVENT_TYPES: tuple[EventType, ...] = tuple(EventType)


class Role(StrEnum):
    """A party's part in a referral: the words of the `party` table, and the plan itself."""

    REQUESTER = "requester"
    ASKED = "asked"
    PERFORMER = "performer"
    PLAN = "plan"


_REQUESTER_AND_PLAN = frozenset({Role.REQUESTER, Role.PLAN})
_ALL = frozenset(Role)

#: The recipients of each message. For outcomes, Correspondence (spec.md 2) names them; any other
#: message goes to those who can act on it. The asked and the assigned performer get messages only
#: while they are parties (`party.until` is null).
_RECIPIENTS: dict[EventType, frozenset[Role]] = {
    EventType.RECEIVED: _ALL,
    EventType.INFORMATION_REQUESTED: _REQUESTER_AND_PLAN,
    EventType.INFORMATION_RECEIVED: _REQUESTER_AND_PLAN,
    EventType.APPROVED: _ALL,
    EventType.DENIED: _ALL,
    EventType.VOIDED: _ALL,
    EventType.CANCELLED: _ALL,
    EventType.OVERDUE: _REQUESTER_AND_PLAN,
    EventType.ASSIGNED: _ALL,
    EventType.WAITLISTED: _ALL,
    EventType.ACCEPTED: _ALL,
    EventType.DECLINED: _REQUESTER_AND_PLAN,
    EventType.STARTED: _ALL,
    EventType.CLOSED: _ALL,
    EventType.EXPIRING: _ALL,
    EventType.EXPIRED: _ALL,
    # This message is about an offer: its owner and its plan are told.
    EventType.CAPACITY_CHANGED: frozenset({Role.PERFORMER, Role.PLAN}),
    # This message is about an endpoint: the other endpoints of its organization get it.
    EventType.ENDPOINT_DISABLED: frozenset(),
}


def recipients(event_type: str) -> frozenset[Role]:
    """Returns the roles whose organizations are told. Raises `ValueError` for an unknown type."""
    return _RECIPIENTS[EventType(event_type)]


#: Reasons that tell what the plan knows of the member; the referral's Task has them.
_OF_THE_ROSTER = frozenset(
    {"not-a-member", "line-of-business", "excluded-1915c", "excluded-program", "delegated-plan"}
    | {"limit-reached", "already-authorized"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """The data of a thin payload: codes and ids only. A field that is None is left out.

    `sequence` orders the messages about one referral: a receiver drops a message with a lower
    number than the last one it knows. `reasons` are codes of `determination-reason`, never words.
    """

    plan: str | None = None
    referral_id: str | None = None
    sequence: int | None = None
    state: str | None = None
    business_status: str | None = None
    reasons: Sequence[str] = ()
    #: The service of an offer.
    service: str | None = None
    authorization_id: str | None = None
    performer_id: str | None = None
    offer_id: str | None = None
    endpoint_id: str | None = None
    endpoint_kind: str | None = None
    disabled_reason: str | None = None
    correlation_id: str | None = None

    def links(self, base: str) -> dict[str, str]:
        """Returns the addresses at which the resources are read."""
        named = (
            ("referral", "ServiceRequest", self.referral_id),
            ("task", "Task", self.referral_id),
            ("authorization", "ClaimResponse", self.authorization_id),
            ("offer", "HealthcareService", self.offer_id),
        )
        return {name: f"{base}/{kind}/{id_}" for name, kind, id_ in named if id_ is not None}


_ABOUT = [field.name for field in fields(About)]


def thin_payload(event_type: str, occurred_at: datetime, about: About, base: str) -> bytes:
    """Composes the body exactly as it is stored, signed and sent: `{type, timestamp, data}`.

    `occurred_at` is the moment of the event, equal on every attempt; `base` begins the links
    (`Settings.fhir_base`).
    """
    data = {
        **{name: getattr(about, name) for name in _ABOUT},
        "reasons": [code for code in about.reasons if code not in _OF_THE_ROSTER] or None,
        "links": about.links(base) or None,
    }
    return orjson.dumps(
        {
            "type": event_type,
            "timestamp": occurred_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "data": {name: value for name, value in data.items() if value is not None},
        }
    )
