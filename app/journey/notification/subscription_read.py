"""Reads the wishes of a client's Subscription, or lists all its faults at once.

An element that would change what is sent, and is not understood, is refused and never ignored.
`app.journey.notification.targets` decides whether the endpoint may be sent to. Sources: see
`app.fhir.subscription`.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from pydantic import TypeAdapter, ValidationError

from app.base.errors import Issue
from app.fhir.dates import read_moment
from app.fhir.payload import Resource
from app.fhir.r4 import codes
from app.fhir.reference import id_of
from app.fhir.subscription import (
    CONTENT,
    CONTENTS,
    FILTER,
    HEARTBEAT,
    LONGEST_BEAT,
    MASK,
    MAX_COUNT,
    MIMES,
    SHORTEST_BEAT,
    TOPICS,
    Topic,
)
from app.journey.notification.endpoint import HeaderName, HeaderValue

_TASK_STATUSES = frozenset(
    {
        "draft", "requested", "received", "accepted", "rejected", "ready", "cancelled",
        "in-progress", "on-hold", "failed", "completed", "entered-in-error",
    }
)  # fmt: skip
MOST_HEADERS = 16
_NAME: TypeAdapter[str] = TypeAdapter(HeaderName)
_VALUE: TypeAdapter[str] = TypeAdapter(HeaderValue)
#: The most alternatives in one filter.
_MOST_VALUES = 100


@dataclass(slots=True)
class WantedSubscription:
    """The wishes of a Subscription. `status` is `requested` (also for `active`) or `off`.

    `identifiers`: of referring organizations, as `code` or `system|code`; the directory knows which
    organizations they name. `ends_at`: nothing is sent from then on.
    """

    topic: Topic
    status: str
    url: str
    content: str
    mime: str
    heartbeat_s: int | None
    headers: list[tuple[str, str]]
    ends_at: datetime | None = None
    statuses: list[str] = field(default_factory=list)
    owners: list[str] = field(default_factory=list)
    requesters: list[str] = field(default_factory=list)
    identifiers: list[str] = field(default_factory=list)


def read_subscription(
    tree: Resource, base: str, now: datetime, known_headers: Collection[str] = ()
) -> tuple[WantedSubscription | None, list[Issue]]:
    """Reads the wishes of a checked Subscription, or lists every fault.

    `base`: this service's FHIR base URL. `known_headers`: the names, in lower case, of headers
    whose values are stored already.
    """
    faults: list[Issue] = []
    topic = TOPICS.get(tree["criteria"])
    if topic is None:
        text = f"`criteria` takes the canonical URL of a topic: {', '.join(TOPICS)}."
        faults.append(Issue("not-supported", text, "Subscription.criteria"))
    if tree["status"] not in ("requested", "active", "off"):
        text = "`status` takes requested, or off; error is the server's to say."
        faults.append(Issue("value", text, "Subscription.status"))
    ends_at = read_moment(tree.get("end"))
    if ends_at is not None and ends_at <= now and tree["status"] != "off":
        text = "`end` has passed. Name a later moment, or leave it out."
        faults.append(Issue("value", text, "Subscription.end"))
    faults += _of_another_version(tree, "Subscription")
    channel = tree["channel"]
    content = _content(channel, faults)
    heartbeat = _heartbeat(channel, faults)
    headers = _headers(channel.get("header") or (), known_headers, faults)
    filters = _filters(tree, topic, base, faults)
    if topic is None or faults:
        return None, faults
    return WantedSubscription(
        topic=topic,
        status="off" if tree["status"] == "off" else "requested",
        url=channel["endpoint"],
        content=content,
        mime=channel["payload"],
        heartbeat_s=heartbeat,
        headers=headers,
        ends_at=ends_at,
        **filters,
    ), []


def _unsupported(expression: str, advice: str) -> Issue:
    return Issue("not-supported", f"{expression} is not supported. {advice}", expression)


def _of_another_version(node: Any, path: str) -> Iterator[Issue]:
    """Reports extensions for R5 elements, which ask for what this R4 server does not do."""
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from _of_another_version(item, f"{path}[{index}]")
    elif isinstance(node, dict):
        url = node.get("url")
        if path.rpartition(".")[2].startswith("extension[") and isinstance(url, str):
            if url.startswith(codes.CROSS_VERSION):
                yield _unsupported(path, "Use the extensions of the R4 backport.")
            return
        for name, value in node.items():
            yield from _of_another_version(value, f"{path}.{name.removeprefix('_')}")


def _content(channel: Resource, faults: list[Issue]) -> str:
    at = "Subscription.channel"
    if channel["type"] != "rest-hook" or "extension" in (channel.get("_type") or {}):
        text = "Only rest-hook is served. For other channels, poll `$events`."
        faults.append(Issue("not-supported", text, f"{at}.type"))
    if not channel.get("endpoint"):
        text = "`channel.endpoint` is required: where notifications are POSTed."
        faults.append(Issue("required", text, f"{at}.endpoint"))
    if channel.get("payload") not in MIMES:
        text = f"`channel.payload` takes {' or '.join(MIMES)}."
        faults.append(Issue("not-supported", text, f"{at}.payload"))
    contents = [
        extension.get("valueCode")
        for extension in (channel.get("_payload") or {}).get("extension") or ()
        if extension.get("url") == CONTENT
    ]
    if len(contents) != 1 or contents[0] not in CONTENTS:
        text = f"Give one extension backport-payload-content: {', '.join(CONTENTS)}."
        faults.append(Issue("not-supported", text, f"{at}.payload.extension"))
        return ""
    return str(contents[0])


def _heartbeat(channel: Resource, faults: list[Issue]) -> int | None:
    """Reads the heartbeat's period; reports other extensions, which would change what is sent."""
    at = "Subscription.channel.extension"
    period = None
    for index, extension in enumerate(channel.get("extension") or ()):
        url, value = extension.get("url"), extension.get("valueUnsignedInt")
        if url == HEARTBEAT:
            if not isinstance(value, int) or not SHORTEST_BEAT <= value <= LONGEST_BEAT:
                text = f"A heartbeat takes {SHORTEST_BEAT} to {LONGEST_BEAT} seconds."
                faults.append(Issue("value", text, f"{at}[{index}].valueUnsignedInt"))
            period = value
        elif url == MAX_COUNT and extension.get("valuePositiveInt"):
            continue  # one event a notification is within any maximum
        else:
            faults.append(_unsupported(f"{at}[{index}]", "Leave the extension out."))
    return period


def _headers(
    lines: Sequence[str | None], stored: Collection[str], faults: list[Issue]
) -> list[tuple[str, str]]:
    """Reads the lines as name and value; refuses the names that webhooks refuse."""
    headers: list[tuple[str, str]] = []
    at = "Subscription.channel.header"
    if len(lines) > MOST_HEADERS:
        faults.append(Issue("too-long", f"At most {MOST_HEADERS} headers are sent along.", at))
    for index, line in enumerate(lines):
        # A line may be null, with an extension in its place: then there is no header to send.
        name, colon, value = (line or "").partition(":")
        if not colon or name.lower() in {known.lower() for known, _ in headers}:
            text = "A header is one `Name: value`, each name once."
            faults.append(Issue("value", text, f"{at}[{index}]"))
        elif not _fits(_NAME, name):
            text = "The name is none that HTTP allows, or the service sets that header itself."
            faults.append(Issue("value", text, f"{at}[{index}]"))
        elif not _fits(_VALUE, value.strip()):
            text = "A header's value is at most 1,024 printable ASCII characters."
            faults.append(Issue("value", text, f"{at}[{index}]"))
        elif value.strip() == MASK and name.lower() not in stored:
            text = "The masked value of a header is no value. Send the header as it is to be sent."
            faults.append(Issue("value", text, f"{at}[{index}]"))
        headers.append((name, value.strip()))
    return headers


def _fits(kind: TypeAdapter[str], text: str) -> bool:
    try:
        kind.validate_python(text)
    except ValidationError:
        return False
    return True


def _filters(
    tree: Resource, topic: Topic | None, base: str, faults: list[Issue]
) -> dict[str, list[str]]:
    """Reads the filters, as column → values; an event must match all of them."""
    filters: dict[str, list[str]] = {}
    for index, extension in enumerate((tree.get("_criteria") or {}).get("extension") or ()):
        at = f"Subscription.criteria.extension[{index}]"
        text = extension.get("valueString")
        if extension.get("url") != FILTER or not isinstance(text, str):
            faults.append(_unsupported(at, "Send backport-filter-criteria with a valueString."))
        elif topic is not None:
            faults += _take_filter(filters, topic, text, base, at)
    return filters


def _take_filter(
    filters: dict[str, list[str]], topic: Topic, text: str, base: str, at: str
) -> Iterator[Issue]:
    kind, question, query = text.partition("?")
    of_pas = "identifiers" in topic.filters.values()
    if not question and of_pas:
        kind, query = topic.focus, text  # PAS writes `org-identifier=…` alone, in any case
    pairs = parse_qsl(query, keep_blank_values=True)
    if kind != topic.focus or not pairs:
        yield Issue("not-supported", f"A filter is `{topic.focus}?parameter=value`.", at)
    for name, value in pairs:
        column = topic.filters.get(name.lower() if of_pas else name)
        values = _values(column, value, base) if column else None
        if column is None or not values or column in filters:
            known = ", ".join(topic.filters)
            text = f"Filters of this topic: {known}; each once, commas separate alternatives."
            yield Issue("not-supported", text, at)
        else:
            filters[column] = values


def _values(column: str, value: str, base: str) -> list[str] | None:
    """Reads statuses, identifiers, or ids of organizations; None if one value is unreadable."""
    listed = value.split(",")
    if len(listed) > _MOST_VALUES or "\x00" in value:
        return None
    if column == "statuses":
        codes_given = [each.removeprefix(f"{codes.TASK_STATUS}|") for each in listed]
        return codes_given if set(codes_given) <= _TASK_STATUSES else None
    if column == "identifiers":
        return listed if all(each.strip("|") for each in listed) else None
    ids = [
        id_of(each if "/" in each else f"Organization/{each}", "Organization", base)
        for each in listed
    ]
    return None if None in ids else [id_ for id_ in ids if id_]
