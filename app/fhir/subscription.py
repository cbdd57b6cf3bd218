"""Writes FHIR Subscriptions: the topics, a Subscription as stored and shown, and notifications.

Sources: Subscriptions R5 Backport 1.1.0 (R4), profiles backport-subscription,
backport-subscription-notification-r4 and backport-subscription-status-r4; Gravity SDOH Clinical
Care (its two topics, spelled as in that guide); Da Vinci PAS 2.2.1.
`app.journey.notification.subscription_read` reads what a client asks for;
`app.journey.notification.subscription_content` decides which events there are and who may see them.
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
#: Extension of the capability statement: a topic that clients can subscribe to.
TOPIC_CANONICAL = codes.BACKPORT + "capabilitystatement-subscriptiontopic-canonical"
#: Our extension: the key that verifies the `v1a` signature of every notification.
PUBLIC_KEY = codes.WEBHOOK_PUBLIC_KEY

#: Contents of a notification, the smallest first.
CONTENTS = ("empty", "id-only", "full-resource")
MIMES = ("application/fhir+json", "application/json")
#: In seconds. More beats would load both sides; less than one a day would say nothing.
SHORTEST_BEAT, LONGEST_BEAT = 10, 86_400
#: Shown in place of a header's value. A client that sends the mask back keeps the stored value.
MASK = "********"


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic to subscribe to: the type in focus, the events, and the filters.

    `filters` maps a parameter in lower case to the values it compares (statuses, owners,
    requesters, identifiers).
    """

    url: str
    focus: str
    events: tuple[EventType, ...]
    filters: Mapping[str, str]


_NOT_OF_A_REFERRAL = (EventType.CAPACITY_CHANGED, EventType.ENDPOINT_DISABLED)
_OF_REFERRALS = tuple(e for e in EVENT_TYPES if e not in _NOT_OF_A_REFERRAL)
_TOPICS = (
    Topic(
        codes.GRAVITY + "SubscriptionTopic/Task",
        "Task",
        _OF_REFERRALS,
        {"status": "statuses", "owner": "owners", "requester": "requesters"},
    ),
    # The topic is about updates, so the creation of a referral is no event of it.
    Topic(
        codes.GRAVITY + "SubscriptionTopic/Servicerequest",
        "ServiceRequest",
        tuple(e for e in _OF_REFERRALS if e is not EventType.RECEIVED),
        {"requester": "requesters", "performer": "owners"},
    ),
    # Where there is no ClaimResponse (denied, or ended before a decision) the Task is in focus: a
    # denial shown in another resource is better than a denial that is not announced. The filter
    # has two spellings because the guide's text and its examples differ.
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
    """An error of a Subscription: a code of HL7's subscription-error, and a sentence."""

    code: str
    text: str


_HOW_TO_RESTART = "Put it right, then update the Subscription with status requested."
#: Our reason for status `error` → the problem that the Subscription's owner reads.
_PROBLEMS = {
    reason: Problem(code, f"{text} {_HOW_TO_RESTART}")
    for reason, code, text in (
        ("handshake", "no-response", "The handshake was not answered with a 2xx."),
        ("failing", "no-response", "Every attempt to notify failed, over days."),
        ("gone", "error-response", "The endpoint answered 410 Gone."),
        ("blocked-target", "no-response", "The endpoint's address is none that is sent to."),
    )
}


def as_stored(tree: Resource) -> dict[str, Any]:
    """The Subscription as stored: header values masked, without elements that the server sets."""
    stored = {k: v for k, v in tree.items() if k not in ("id", "meta", "status", "error")}
    lines = tree["channel"].get("header")
    if lines:
        masked = [f"{line.partition(':')[0]}: {MASK}" for line in lines]
        stored["channel"] = {**tree["channel"], "header": masked}
    others = [e for e in tree.get("extension") or () if e.get("url") != PUBLIC_KEY]
    stored.pop("extension", None)
    return {**stored, **({"extension": others} if others else {})}


def as_read(
    stored: Resource,
    *,
    id_: str,
    status: str,
    version: int,
    updated_at: datetime,
    public_key: str | None,
    error: str | None,
) -> dict[str, Any]:
    """The Subscription as its owner reads it; our `status` `disabled` is shown as `off`."""
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
    """The current problem of a Subscription; None when it has no problem."""
    if status == "error":
        return _PROBLEMS.get(reason or "failing", _PROBLEMS["failing"])
    if status == "active" and failing_since is not None:
        text = f"No attempt succeeded since {instant(failing_since)}; they go on."
        return Problem("no-response", text)
    return None


def fhir_status(status: str) -> str:
    """Translate our status of an endpoint to FHIR: `disabled` → `off`."""
    return "off" if status == "disabled" else status


# Notifications
@dataclass(frozen=True, slots=True)
class NotificationEvent:
    """One event: its number, its time, and the resource that it is about (`Task/1`).

    `body` is the content of a full notification: the resource as the event left it, or None where
    the subscriber may not see the resource. Where the body is a Bundle around the resource (PAS),
    `bundle_id` is the id of the Bundle, and the Bundle is in focus.
    """

    number: int
    at: datetime
    about: str
    body: bytes | None = None
    bundle_id: str | None = None

    def focus(self, base: str) -> str:
        """The address of the resource in focus, also the `fullUrl` of its entry in the Bundle."""
        return codes.uuid_address(self.bundle_id) if self.bundle_id else f"{base}/{self.about}"


@dataclass(frozen=True, slots=True)
class SubscriptionStanding:
    """The state of a subscription; `events` counts all its events, delivered or not."""

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
    """The status as Parameters.

    `kind` is handshake, heartbeat, event-notification, query-status or query-event.
    """
    parameters: list[dict[str, Any]] = [
        {
            "name": "subscription",
            "valueReference": {"reference": f"{base}/Subscription/{standing.id}"},
        }
    ]
    if content != "empty":
        parameters.append({"name": "topic", "valueCanonical": standing.topic})
    parameters += [
        {"name": "status", "valueCode": standing.status},
        {"name": "type", "valueCode": kind},
        {"name": "events-since-subscription-start", "valueString": str(standing.events)},
    ]
    parameters += [_event(base, event, content) for event in events]
    if standing.problem is not None:
        coding = {"system": codes.SUBSCRIPTION_ERROR, "code": standing.problem.code}
        concept = {"coding": [coding], "text": standing.problem.text}
        parameters.append({"name": "error", "valueCodeableConcept": concept})
    return {
        "resourceType": "Parameters",
        "id": id_,
        "meta": {"profile": [codes.BACKPORT + "backport-subscription-status-r4"]},
        "parameter": parameters,
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
    """The Bundle that is POSTed or answers `$events`; `id_` is a UUID, equal in every attempt."""
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
        entries += _focus_entries(base, content, events)
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
    """The PAS collection of an authorization: the resource in focus, then those it refers to.

    `held` maps `Type/id` to the resource.
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
    """The `searchset` that answers `$status`; `found` has each standing with its content."""
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


def _focus_entries(base: str, content: str, events: Sequence[NotificationEvent]) -> list[bytes]:
    """One entry for each resource in focus; in full notifications one for each version of it."""
    full = content == "full-resource"
    distinct = {(event.focus(base), event.body if full else None): event for event in events}
    return [_focus_entry(url, event, full) for (url, _), event in distinct.items()]


def _focus_entry(url: str, event: NotificationEvent, full: bool) -> bytes:
    """One entry of the `history` Bundle, with the request that would have led to the resource."""
    entry: dict[str, Any] = {"fullUrl": url}
    if full and event.body is not None:
        entry["resource"] = orjson.Fragment(event.body)
    missing = full and event.body is None
    method = "GET" if missing or event.bundle_id else "PUT"
    entry["request"] = {"method": method, "url": event.about}
    entry["response"] = {"status": "404" if missing else "200"}
    return orjson.dumps(entry)
