"""The R4 Subscription of the Subscriptions R5 Backport: topics, what is asked for, what is shown.

Source: Subscriptions R5 Backport 1.1.0 (R4), profile backport-subscription; Gravity SDOH Clinical
Care (its two topics, spelled as there); Da Vinci PAS 2.2.1. Notifications are
`subscription_status.py`'s; the endpoint's URL and headers are judged by `app.subscription`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from app.fhir import codes
from app.fhir.dates import instant
from app.fhir.fault import Fault
from app.fhir.payload import Resource
from app.notification.messages import EVENT_TYPES, EventType

BACKPORT = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/"
FILTER = BACKPORT + "backport-filter-criteria"
CONTENT = BACKPORT + "backport-payload-content"
HEARTBEAT = BACKPORT + "backport-heartbeat-period"
TIMEOUT = BACKPORT + "backport-timeout"
MAX_COUNT = BACKPORT + "backport-max-count"
#: Ours: what the `v1a` signature of every notification is verified with.
PUBLIC_KEY = codes.BASE + "StructureDefinition/webhook-public-key"

CONTENTS = ("empty", "id-only", "full-resource")
MIMES = ("application/fhir+json", "application/json")
#: Seconds; more often would load both sides, and less often than daily says nothing.
SHORTEST_BEAT, LONGEST_BEAT = 60, 86_400
#: In the place of a header's value when a Subscription is shown; sent back, it keeps the value.
MASK = "********"

_TASK_STATUSES = frozenset(
    {
        "draft",
        "requested",
        "received",
        "accepted",
        "rejected",
        "ready",
        "cancelled",
        "in-progress",
        "on-hold",
        "failed",
        "completed",
        "entered-in-error",
    }
)


@dataclass(frozen=True, slots=True)
class Topic:
    """What can be subscribed to: the type in focus, the events, and the filters' meaning.

    `filters`: parameter → the column that keeps it.
    """

    url: str
    focus: str
    events: tuple[EventType, ...]
    filters: Mapping[str, str]


_OF_NONE = (EventType.CAPACITY_CHANGED, EventType.ENDPOINT_DISABLED)
_OF_REFERRALS = tuple(e for e in EVENT_TYPES if e not in _OF_NONE)
_PARTIES = {"requester": "requesters", "performer": "owners"}
TOPICS = {
    topic.url: topic
    for topic in (
        Topic(
            "http://hl7.org/fhir/us/sdoh-clinicalcare/SubscriptionTopic/Task",
            "Task",
            _OF_REFERRALS,
            {"status": "statuses", "owner": "owners", "requester": "requesters"},
        ),
        # An update: the creation itself is no event of this topic.
        Topic(
            "http://hl7.org/fhir/us/sdoh-clinicalcare/SubscriptionTopic/Servicerequest",
            "ServiceRequest",
            tuple(e for e in _OF_REFERRALS if e is not EventType.RECEIVED),
            _PARTIES,
        ),
        # Where there is no ClaimResponse (denied, or ended before a decision) the Task is in focus:
        # a denial that nobody is told of would be worse than one in another resource.
        Topic(
            "http://hl7.org/fhir/us/davinci-pas/SubscriptionTopic/PASSubscriptionTopic",
            "ClaimResponse",
            (
                EventType.APPROVED,
                EventType.DENIED,
                EventType.VOIDED,
                EventType.CANCELLED,
                EventType.EXPIRED,
            ),
            {},
        ),
    )
}


@dataclass(slots=True)
class Wanted:
    """What a Subscription asks for. `status` is `requested` (also for `active`) or `off`."""

    topic: Topic
    status: str
    url: str
    content: str
    mime: str
    heartbeat_s: int | None
    headers: list[tuple[str, str]]
    statuses: list[str] = field(default_factory=list)
    owners: list[str] = field(default_factory=list)
    requesters: list[str] = field(default_factory=list)


def read_subscription(tree: Resource, base: str) -> tuple[Wanted | None, list[Fault]]:
    """What a checked Subscription asks for, or every fault. `base`: our own FHIR base URL."""
    faults: list[Fault] = []
    topic = TOPICS.get(tree["criteria"])
    if topic is None:
        said = f"`criteria` takes the canonical URL of a topic: {', '.join(TOPICS)}."
        faults.append(Fault("not-supported", "Subscription.criteria", said))
    if tree["status"] not in ("requested", "active", "off"):
        said = "`status` takes requested, or off; error is the server's to say."
        faults.append(Fault("value", "Subscription.status", said))
    if tree.get("end"):
        faults.append(_unsupported("Subscription.end", "Leave it out and delete it when done."))
    channel = tree["channel"]
    content = _content(channel, faults)
    heartbeat = _heartbeat(channel, faults)
    headers = _headers(channel.get("header") or (), faults)
    filters = _filters(tree, topic, base, faults) if topic else {}
    if topic is None or faults:
        return None, faults
    return Wanted(
        topic=topic,
        status="off" if tree["status"] == "off" else "requested",
        url=channel["endpoint"],
        content=content,
        mime=channel["payload"],
        heartbeat_s=heartbeat,
        headers=headers,
        **filters,
    ), []


def _unsupported(expression: str, advice: str) -> Fault:
    return Fault("not-supported", expression, f"{expression} is not supported. {advice}")


def _content(channel: Resource, faults: list[Fault]) -> str:
    at = "Subscription.channel"
    if channel["type"] != "rest-hook" or "extension" in (channel.get("_type") or {}):
        said = "Only rest-hook is served. For other channels, poll `$events`."
        faults.append(Fault("not-supported", f"{at}.type", said))
    if not channel.get("endpoint"):
        said = "`channel.endpoint` is required: where notifications are POSTed."
        faults.append(Fault("required", f"{at}.endpoint", said))
    if channel.get("payload") not in MIMES:
        said = f"`channel.payload` takes {' or '.join(MIMES)}."
        faults.append(Fault("not-supported", f"{at}.payload", said))
    found = [
        extension.get("valueCode")
        for extension in (channel.get("_payload") or {}).get("extension") or ()
        if extension.get("url") == CONTENT
    ]
    if len(found) != 1 or found[0] not in CONTENTS:
        said = f"Give one extension backport-payload-content: {', '.join(CONTENTS)}."
        faults.append(Fault("not-supported", f"{at}.payload.extension", said))
        return ""
    return str(found[0])


def _heartbeat(channel: Resource, faults: list[Fault]) -> int | None:
    """The heartbeat's period; other extensions of the channel change what would be sent."""
    at = "Subscription.channel.extension"
    found = None
    for index, extension in enumerate(channel.get("extension") or ()):
        url, value = extension.get("url"), extension.get("valueUnsignedInt")
        if url == HEARTBEAT:
            if not isinstance(value, int) or not SHORTEST_BEAT <= value <= LONGEST_BEAT:
                said = f"A heartbeat takes {SHORTEST_BEAT} to {LONGEST_BEAT} seconds."
                faults.append(Fault("value", f"{at}[{index}].valueUnsignedInt", said))
            found = value
        elif url == MAX_COUNT and extension.get("valuePositiveInt"):
            continue  # one event a notification is within any maximum
        else:
            faults.append(_unsupported(f"{at}[{index}]", "Leave the extension out."))
    return found


def _headers(lines: list[str] | tuple[str, ...], faults: list[Fault]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for index, line in enumerate(lines):
        name, colon, value = line.partition(":")
        repeated = name.lower() in {known.lower() for known, _ in found}
        if not colon or repeated:
            said = "A header is one `Name: value`, each name once."
            faults.append(Fault("value", f"Subscription.channel.header[{index}]", said))
        found.append((name, value.strip()))
    return found


def _filters(tree: Resource, topic: Topic, base: str, faults: list[Fault]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for index, extension in enumerate((tree.get("_criteria") or {}).get("extension") or ()):
        at = f"Subscription.criteria.extension[{index}]"
        text = extension.get("valueString")
        if extension.get("url") != FILTER or not isinstance(text, str):
            faults.append(_unsupported(at, "Send backport-filter-criteria with a valueString."))
            continue
        kind, question, query = text.partition("?")
        pairs = parse_qsl(query, keep_blank_values=True)
        if kind != topic.focus or not question or not pairs:
            said = f"A filter is `{topic.focus}?parameter=value`."
            faults.append(Fault("not-supported", at, said))
        for name, value in pairs:
            column = topic.filters.get(name)
            values = _values(column, value, base) if column else None
            if column is None or not values or column in found:
                known = ", ".join(topic.filters) or "none"
                said = f"Filters of this topic: {known}; each once, commas separate alternatives."
                faults.append(Fault("not-supported", at, said))
            else:
                found[column] = values
    return found


def _values(column: str, value: str, base: str) -> list[str] | None:
    """Statuses, or ids of organizations; None where one is neither."""
    listed = value.split(",")
    if column == "statuses":
        codes_given = [one.removeprefix("http://hl7.org/fhir/task-status|") for one in listed]
        return codes_given if set(codes_given) <= _TASK_STATUSES else None
    ids = [one.removeprefix(f"{base}/").removeprefix("Organization/") for one in listed]
    return None if any(not one or "/" in one for one in ids) else ids


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
        "meta": {**meta, "profile": [BACKPORT + "backport-subscription"]},
        **{k: v for k, v in stored.items() if k != "resourceType"},
        "status": fhir_status(status),
        **({"extension": extensions} if extensions else {}),
    }
    return {**body, "error": error} if error else body


def fhir_status(status: str) -> str:
    """Our status of an endpoint in FHIR's word."""
    return "off" if status == "disabled" else status
