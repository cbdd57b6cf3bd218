"""What a notification and a status are made of, as tables; `problems` holds a Bundle against them.

Source: the facts of the Subscriptions R5 Backport 1.1.0 for R4 (Bundle type history, profile
backport-subscription-notification-r4; Parameters, profile backport-subscription-status-r4).
"""

import re
from collections.abc import Iterator
from typing import Any

BACKPORT = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/"
KINDS = ("handshake", "heartbeat", "event-notification", "query-status", "query-event")
CONTENTS = ("empty", "id-only", "full-resource")

#: Parameter → the element of its value, and how many there are in each kind (order of KINDS; `n`:
#: one for each event). The guide: no topic in an empty one, one in the others.
STATUS = {
    "subscription": ("valueReference", "1 1 1 1 1"),
    "topic": ("valueCanonical", "t t t t t"),
    "status": ("valueCode", "1 1 1 1 1"),
    "type": ("valueCode", "1 1 1 1 1"),
    "events-since-subscription-start": ("valueString", "1 1 1 1 1"),
    "notification-event": ("part", "0 0 n 0 n"),
    "error": ("valueCodeableConcept", "? ? 0 ? ?"),
}
#: Part of an event → the element of its value, and how many there are (order of CONTENTS).
EVENT = {
    "event-number": ("valueString", "1 1 1"),
    "timestamp": ("valueInstant", "1 1 1"),
    "focus": ("valueReference", "0 1 1"),
    "additional-context": ("valueReference", "0 0 0"),
}
#: Elements of the entries of a notification: the status' own, and those of what is in focus.
FIRST = {"fullUrl", "resource", "request", "response"}
FOCUS = {
    "empty": None,
    "id-only": {"fullUrl", "request", "response"},
    "full-resource": {"fullUrl", "resource", "request", "response"},
}
BUNDLE = {"resourceType", "id", "meta", "type", "timestamp", "entry"}
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
WHOLE = re.compile(r"0|[1-9]\d*")


def problems(bundle: dict[str, Any], kind: str, content: str, events: int = 0) -> list[str]:
    """Everything about a notification that is not as the tables have it."""
    return [*_bundle(bundle), *_first(bundle, kind, content, events), *_focuses(bundle, content)]


def _bundle(bundle: dict[str, Any]) -> Iterator[str]:
    if set(bundle) != BUNDLE:
        yield f"elements of the Bundle: {sorted(bundle)}"
    if (bundle["resourceType"], bundle["type"]) != ("Bundle", "history"):
        yield "no Bundle of type history"
    if bundle["meta"] != {"profile": [BACKPORT + "backport-subscription-notification-r4"]}:
        yield "profile of the Bundle"
    if not INSTANT.fullmatch(bundle["timestamp"]):
        yield "timestamp of the Bundle"


def _first(bundle: dict[str, Any], kind: str, content: str, events: int) -> Iterator[str]:
    entry = bundle["entry"][0]
    status = entry["resource"]
    reference = _values(status, "subscription")[0]["reference"]
    if set(entry) != FIRST:
        yield f"elements of the first entry: {sorted(entry)}"
    if entry["fullUrl"] != f"urn:uuid:{status['id']}":
        yield "fullUrl of the status"
    if entry["request"] != {"method": "GET", "url": f"{reference}/$status"}:
        yield "request of the status"
    if entry["response"] != {"status": "200"}:
        yield "response of the status"
    yield from status_problems(status, kind, content, events)


def status_problems(
    status: dict[str, Any], kind: str, content: str, events: int = 0
) -> Iterator[str]:
    """Everything about a status that is not as the tables have it."""
    if status["resourceType"] != "Parameters":
        yield "the status is no Parameters"
    if status["meta"] != {"profile": [BACKPORT + "backport-subscription-status-r4"]}:
        yield "profile of the status"
    yield from _counts(status, kind, content, events)
    if _values(status, "type") != [kind]:
        yield "type"
    if not WHOLE.fullmatch(_values(status, "events-since-subscription-start")[0]):
        yield "events-since-subscription-start"
    if kind == "handshake" and _values(status, "status") != ["requested"]:
        yield "status of a handshake"
    for part in status["parameter"]:
        if part["name"] == "notification-event":
            yield from _event(part["part"], content)


def _counts(status: dict[str, Any], kind: str, content: str, events: int) -> Iterator[str]:
    said = [part["name"] for part in status["parameter"]]
    if said != sorted(said, key=list(STATUS).index):
        yield f"order of the parameters: {said}"
    for name, (element, counts) in STATUS.items():
        count = counts.split()[KINDS.index(kind)]
        allowed = {"t": [int(content != "empty")], "n": [events], "?": [0, 1]}.get(count)
        if said.count(name) not in (allowed or [int(count)]):
            yield f"{said.count(name)} of {name}"
        for part in status["parameter"]:
            if part["name"] == name and set(part) != {"name", element}:
                yield f"value of {name}: {sorted(part)}"


def _event(parts: list[dict[str, Any]], content: str) -> Iterator[str]:
    for name, (element, counts) in EVENT.items():
        found = [part for part in parts if part["name"] == name]
        if len(found) != int(counts.split()[CONTENTS.index(content)]):
            yield f"{len(found)} of {name}"
        if any(set(part) != {"name", element} for part in found):
            yield f"value of {name}"
    if {part["name"] for part in parts} - set(EVENT):
        yield "a part that is not in the table"
    said = {part["name"]: part for part in parts}
    if not WHOLE.fullmatch(said["event-number"]["valueString"]):
        yield "event-number"
    if not INSTANT.fullmatch(said["timestamp"]["valueInstant"]):
        yield "timestamp of the event"


def _focuses(bundle: dict[str, Any], content: str) -> Iterator[str]:
    """Every focus has its entry, every other entry is a focus, and each says what led to it."""
    events = [
        part["part"]
        for part in bundle["entry"][0]["resource"]["parameter"]
        if part["name"] == "notification-event"
    ]
    named = {
        part["valueReference"]["reference"]
        for event in events
        for part in event
        if part["name"] == "focus"
    }
    others = bundle["entry"][1:]
    if named != {entry["fullUrl"] for entry in others}:
        yield "entries and focuses differ"
    for entry in others:
        missing = entry["response"]["status"] == "404"
        wanted = FOCUS["id-only"] if missing else FOCUS[content]
        if set(entry) != wanted:
            yield f"elements of an entry: {sorted(entry)}"
        if set(entry["request"]) != {"method", "url"} or set(entry["response"]) != {"status"}:
            yield "request or response of an entry"
        if "resource" in entry and not entry["fullUrl"].endswith(entry["resource"]["id"]):
            yield "fullUrl of a resource"


def _values(status: dict[str, Any], name: str) -> list[Any]:
    element = STATUS[name][0]
    return [part[element] for part in status["parameter"] if part["name"] == name]


SEARCHSET = {"resourceType", "type", "total", "link", "entry"}


def searchset_problems(bundle: dict[str, Any], contents: list[str]) -> list[str]:
    """Everything about an answer of `$status` that is not as the tables have it."""
    said = [] if set(bundle) == SEARCHSET else [f"elements of the searchset: {sorted(bundle)}"]
    if (bundle["type"], bundle["total"], len(bundle["entry"])) != (
        "searchset", len(contents), len(contents),
    ):  # fmt: skip
        said.append("type or total")
    for entry, content in zip(bundle["entry"], contents, strict=True):
        if set(entry) != {"fullUrl", "resource", "search"} or entry["search"] != {"mode": "match"}:
            said.append(f"elements of an entry: {sorted(entry)}")
        said += status_problems(entry["resource"], "query-status", content)
    return said
