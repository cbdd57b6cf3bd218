"""The R4 Subscription of the Subscriptions R5 Backport: its topics, and how one is kept and shown.

Source: Subscriptions R5 Backport 1.1.0 (R4), profile backport-subscription; Gravity SDOH Clinical
Care (its two topics, spelled as there); Da Vinci PAS 2.2.1. What a client asks for is read by
`subscription_read.py`; notifications are `subscription_status.py`'s.

Notifications of topic subscriptions, and the status behind them, as R4 Bundles.

Source: Subscriptions R5 Backport 1.1.0, profiles backport-subscription-notification-r4 and
backport-subscription-status-r4. Which events there are, and who may see them, is others' work.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from app.fhir.dates import instant
from app.fhir.payload import Resource
from app.fhir.r4 import codes
from app.model.messages import EVENT_TYPES, EventType

FILTER = codes.BACKPORT + "backport-filter-criteria"
CONTENT = codes.BACKPORT + "backport-payload-content"
HEARTBEAT = codes.BACKPORT + "backport-heartbeat-period"
MAX_COUNT = codes.BACKPORT + "backport-max-count"
#: In the capability statement: a topic that can be subscribed to.
TOPIC_CANONICAL = codes.BACKPORT + "capabilitystatement-subscriptiontopic-canonical"
#: Ours: what the `v1a` signature of every notification is verified with.
PUBLIC_KEY = codes.WEBHOOK_PUBLIC_KEY

#: What a notification carries, least first.
CONTENTS = ("empty", "id-only", "full-resource")
MIMES = ("application/fhir+json", "application/json")
#: Seconds; more often would load both sides, and less often than daily says nothing.
SHORTEST_BEAT, LONGEST_BEAT = 10, 86_400
#: In the place of a header's value when a Subscription is shown; sent back, it keeps the value.
MASK = "********"


@dataclass(frozen=True, slots=True)
class Topic:
    """What can be subscribed to: the type in focus, the events, and the filters' meaning.

    `filters`: parameter, in lower case → what it is about (statuses, owners, requesters,
    identifiers).
    """

    url: str
    focus: str
    events: tuple[EventType, ...]
    filters: Mapping[str, str]


_OF_NONE = (EventType.CAPACITY_CHANGED, EventType.ENDPOINT_DISABLED)
_OF_REFERRALS = tuple(e for e in EVENT_TYPES if e not in _OF_NONE)
_TOPICS = (
    Topic(
        codes.GRAVITY + "SubscriptionTopic/Task",
        "Task",
        _OF_REFERRALS,
        {"status": "statuses", "owner": "owners", "requester": "requesters"},
    ),
    # An update: the creation itself is no event of this topic.
    Topic(
        codes.GRAVITY + "SubscriptionTopic/Servicerequest",
        "ServiceRequest",
        tuple(e for e in _OF_REFERRALS if e is not EventType.RECEIVED),
        {"requester": "requesters", "performer": "owners"},
    ),
    # Where there is no ClaimResponse (denied, or ended before a decision) the Task is in focus:
    # a denial that nobody is told of would be worse than one in another resource. The guide's text
    # and its examples spell the filter in two ways.
    Topic(
        codes.PAS_TOPIC,
        "ClaimResponse",
        (
            EventType.APPROVED,
            EventType.DENIED,
            EventType.VOIDED,
            EventType.CANCELLED,
            EventType.ASSIGNED,
            EventType.EXPIRED,
        ),
        {"org-identifier": "identifiers", "orgidentifier": "identifiers"},
    ),
)
TOPICS = {topic.url: topic for topic in _TOPICS}


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a Subscription: a code of HL7's subscription-error, and a sentence."""

    code: str
    text: str


_AGAIN = "Put it right, then update the Subscription with status requested."
#: Why a Subscription is in error: our reason → what its owner reads.
_PROBLEMS = {
    reason: Problem(code, f"{text} {_AGAIN}")
    for reason, code, text in (
        ("handshake", "no-response", "The handshake was not answered with a 2xx."),
        ("failing", "no-response", "Every attempt to notify failed, over days."),
        ("gone", "error-response", "The endpoint answered 410 Gone."),
        ("blocked-target", "no-response", "The endpoint's address is none that is sent to."),
    )
}


def kept(tree: Resource) -> dict[str, Any]:
    """The Subscription as it is stored: header values masked, nothing that the server sets."""
    stored = {k: v for k, v in tree.items() if k not in ("id", "meta", "status", "error")}
    lines = tree["channel"].get("header")
    if lines:
        masked = [f"{line.partition(':')[0]}: {MASK}" for line in lines]
        stored["channel"] = {**tree["channel"], "header": masked}
    others = [e for e in tree.get("extension") or () if e.get("url") != PUBLIC_KEY]
    stored.pop("extension", None)
    return {**stored, **({"extension": others} if others else {})}


def shown(
    stored: Resource,
    *,
    id_: str,
    status: str,
    version: int,
    updated_at: datetime,
    public_key: str | None,
    error: str | None,
) -> dict[str, Any]:
    """The Subscription as its owner reads it. `status` is ours: `disabled` reads `off`."""
    extensions = list(stored.get("extension") or ())
    if public_key:
        extensions.append({"url": PUBLIC_KEY, "valueString": public_key})
    meta = {"versionId": str(version), "lastUpdated": instant(updated_at)}
    body = {
        "resourceType": "Subscription",
        "id": id_,
        "meta": {**meta, "profile": [codes.BACKPORT + "backport-subscription"]},
        **{k: v for k, v in stored.items() if k != "resourceType"},
        "status": fhir_status(status),
        **({"extension": extensions} if extensions else {}),
    }
    return {**body, "error": error} if error else body


def problem(status: str, reason: str | None, failing_since: datetime | None) -> Problem | None:
    """What is wrong with a Subscription as it stands; None when nothing is."""
    if status == "error":
        return _PROBLEMS.get(reason or "failing", _PROBLEMS["failing"])
    if status == "active" and failing_since is not None:
        said = f"No attempt succeeded since {instant(failing_since)}; they go on."
        return Problem("no-response", said)
    return None


def fhir_status(status: str) -> str:
    """Our status of an endpoint in FHIR's word."""
    return "off" if status == "disabled" else status


@dataclass(frozen=True, slots=True)
class NotificationEvent:
    """One event: its number, when it was, and the resource that it is about (`Task/1`).

    `body` is what a full notification carries: that resource as the event left it, or None where
    it may not be seen. Where that is a Bundle around it (PAS), `bundle_id` is the Bundle's, and the
    Bundle is in focus.
    """

    number: int
    at: datetime
    about: str
    body: bytes | None = None
    bundle_id: str | None = None

    def focus(self, base: str) -> str:
        """The reference to what is in focus; in a full notification an entry's `fullUrl`."""
        return codes.uuid_address(self.bundle_id) if self.bundle_id else f"{base}/{self.about}"


@dataclass(frozen=True, slots=True)
class SubscriptionStanding:
    """A subscription as it stands: `events` counts them all, delivered or not."""

    id: str
    topic: str
    status: str
    events: int
    problem: Problem | None = None


def status_parameters(
    base: str,
    standing: SubscriptionStanding,
    kind: str,
    content: str,
    id_: str,
    events: Sequence[NotificationEvent] = (),
) -> dict[str, Any]:
    """The status: `kind` is handshake, heartbeat, event-notification, query-status, query-event."""
    said: list[dict[str, Any]] = [
        {
            "name": "subscription",
            "valueReference": {"reference": f"{base}/Subscription/{standing.id}"},
        }
    ]
    if content != "empty":
        said.append({"name": "topic", "valueCanonical": standing.topic})
    said += [
        {"name": "status", "valueCode": standing.status},
        {"name": "type", "valueCode": kind},
        {"name": "events-since-subscription-start", "valueString": str(standing.events)},
    ]
    said += [_event(base, event, content) for event in events]
    if standing.problem is not None:
        coding = {"system": codes.SUBSCRIPTION_ERROR, "code": standing.problem.code}
        concept = {"coding": [coding], "text": standing.problem.text}
        said.append({"name": "error", "valueCodeableConcept": concept})
    return {
        "resourceType": "Parameters",
        "id": id_,
        "meta": {"profile": [codes.BACKPORT + "backport-subscription-status-r4"]},
        "parameter": said,
    }


def notification(
    base: str,
    standing: SubscriptionStanding,
    kind: str,
    content: str,
    *,
    id_: str,
    at: datetime,
    events: Sequence[NotificationEvent] = (),
) -> bytes:
    """The Bundle that is POSTed, or answers `$events`. `id_` is a UUID, kept over attempts."""
    entries = [
        orjson.dumps(
            {
                "fullUrl": codes.uuid_address(id_),
                "resource": status_parameters(base, standing, kind, content, id_, events),
                "request": {"method": "GET", "url": f"{base}/Subscription/{standing.id}/$status"},
                "response": {"status": "200"},
            }
        )
    ]
    if content != "empty":
        entries += _focuses(base, content, events)
    head = orjson.dumps(
        {
            "resourceType": "Bundle",
            "id": id_,
            "meta": {"profile": [codes.BACKPORT + "backport-subscription-notification-r4"]},
            "type": "history",
            "timestamp": instant(at),
        }
    )
    return b'%b,"entry":[%b]}' % (head[:-1], b",".join(entries))


def response_bundle(base: str, id_: str, at: datetime, held: Mapping[str, bytes]) -> bytes:
    """PAS' collection around an authorization: what is in focus first, then what it refers to.

    `held`: `Type/id` → the resource.
    """
    head = orjson.dumps(
        {
            "resourceType": "Bundle",
            "id": id_,
            "identifier": codes.uuid_identifier(id_),
            "type": "collection",
            "timestamp": instant(at),
        }
    )
    entries = [
        b'{"fullUrl":%b,"resource":%b}' % (orjson.dumps(f"{base}/{name}"), body)
        for name, body in held.items()
    ]
    return b'%b,"entry":[%b]}' % (head[:-1], b",".join(entries))


def statuses(base: str, found: Sequence[tuple[SubscriptionStanding, str]], self_link: str) -> bytes:
    """The `searchset` that `$status` answers with; each standing with its content."""
    entries = [
        {
            "fullUrl": codes.uuid_address(standing.id),
            "resource": status_parameters(base, standing, "query-status", content, standing.id),
            "search": {"mode": "match"},
        }
        for standing, content in found
    ]
    return orjson.dumps(
        {
            "resourceType": "Bundle",
            "type": "searchset",
            "total": len(entries),
            "link": [{"relation": "self", "url": self_link}],
            **({"entry": entries} if entries else {}),
        }
    )


def _event(base: str, event: NotificationEvent, content: str) -> dict[str, Any]:
    part: list[dict[str, Any]] = [
        {"name": "event-number", "valueString": str(event.number)},
        {"name": "timestamp", "valueInstant": instant(event.at)},
    ]
    if content != "empty":
        part.append({"name": "focus", "valueReference": {"reference": event.focus(base)}})
    return {"name": "notification-event", "part": part}


def _focuses(base: str, content: str, events: Sequence[NotificationEvent]) -> list[bytes]:
    """One entry for each resource in focus, and for each version of it that is given in full."""
    full = content == "full-resource"
    distinct = {(event.focus(base), event.body if full else None): event for event in events}
    return [_focus(url, event, full) for (url, _), event in distinct.items()]


def _focus(url: str, event: NotificationEvent, full: bool) -> bytes:
    """Every entry of a history says what request would have led to it."""
    about: dict[str, Any] = {"fullUrl": url}
    if full and event.body is not None:
        about["resource"] = orjson.Fragment(event.body)
    missing = full and event.body is None
    method = "GET" if missing or event.bundle_id else "PUT"
    about["request"] = {"method": method, "url": event.about}
    about["response"] = {"status": "404" if missing else "200"}
    return orjson.dumps(about)
