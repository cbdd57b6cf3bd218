"""Notifications of topic subscriptions, and the status behind them, as R4 Bundles.

Source: Subscriptions R5 Backport 1.1.0, profiles backport-subscription-notification-r4 and
backport-subscription-status-r4. Which events there are, and who may see them, is others' work.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from app.fhir.dates import instant
from app.fhir.subscription import BACKPORT

_ERRORS = "http://terminology.hl7.org/CodeSystem/subscription-error"


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its number, when it was, and the resource in focus (`Task/1`).

    `body` is that resource for a full notification; None where it may not be seen any more.
    """

    number: int
    at: datetime
    focus: str
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """A subscription as it stands: `events` counts them all, delivered or not."""

    id: str
    topic: str
    status: str
    events: int
    failing: bool


def status_parameters(
    base: str, standing: Standing, kind: str, content: str, events: Sequence[Event] = ()
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
    if standing.failing:
        coding = {"system": _ERRORS, "code": "no-response"}
        said.append({"name": "error", "valueCodeableConcept": {"coding": [coding]}})
    return {
        "resourceType": "Parameters",
        "meta": {"profile": [BACKPORT + "backport-subscription-status-r4"]},
        "parameter": said,
    }


def notification(
    base: str,
    standing: Standing,
    kind: str,
    content: str,
    *,
    id_: str,
    at: datetime,
    events: Sequence[Event] = (),
) -> bytes:
    """The Bundle that is POSTed, or answers `$events`. `id_` is a UUID, kept over attempts."""
    entries = [
        _entry(
            {
                "fullUrl": f"urn:uuid:{id_}",
                "resource": status_parameters(base, standing, kind, content, events),
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
            "meta": {"profile": [BACKPORT + "backport-subscription-notification-r4"]},
            "type": "history",
            "timestamp": instant(at),
        }
    )
    return b'%b,"entry":[%b]}' % (head[:-1], b",".join(entries))


def statuses(base: str, found: Sequence[tuple[Standing, str]], self_link: str) -> bytes:
    """The `searchset` that `$status` answers with; each standing with its content."""
    entries = [
        {
            "fullUrl": f"urn:uuid:{standing.id}",
            "resource": status_parameters(base, standing, "query-status", content),
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


def _event(base: str, event: Event, content: str) -> dict[str, Any]:
    part: list[dict[str, Any]] = [
        {"name": "event-number", "valueString": str(event.number)},
        {"name": "timestamp", "valueInstant": instant(event.at)},
    ]
    if content != "empty":
        reference = {"reference": f"{base}/{event.focus}"}
        part.append({"name": "focus", "valueReference": reference})
    return {"name": "notification-event", "part": part}


def _focuses(base: str, content: str, events: Sequence[Event]) -> list[bytes]:
    """One entry for each resource in focus: two events may be about the same one."""
    last = {event.focus: event for event in events}
    entries = []
    for focus, event in last.items():
        missing = content == "full-resource" and event.body is None
        about: dict[str, Any] = {"fullUrl": f"{base}/{focus}"}
        if content == "full-resource" and event.body is not None:
            about["resource"] = orjson.Fragment(event.body)
        about["request"] = {"method": "GET" if missing else "PUT", "url": focus}
        about["response"] = {"status": "404" if missing else "200"}
        entries.append(_entry(about))
    return entries


def _entry(about: dict[str, Any]) -> bytes:
    return orjson.dumps(about)
