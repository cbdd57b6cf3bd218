"""Notifications of topic subscriptions, and the status behind them, as R4 Bundles.

Source: Subscriptions R5 Backport 1.1.0, profiles backport-subscription-notification-r4 and
backport-subscription-status-r4. Which events there are, and who may see them, is others' work.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from app.fhir import codes
from app.fhir.dates import instant
from app.fhir.subscription import Problem


@dataclass(frozen=True, slots=True)
class Event:
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
class Standing:
    """A subscription as it stands: `events` counts them all, delivered or not."""

    id: str
    topic: str
    status: str
    events: int
    problem: Problem | None = None


def status_parameters(
    base: str, standing: Standing, kind: str, content: str, id_: str, events: Sequence[Event] = ()
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


def statuses(base: str, found: Sequence[tuple[Standing, str]], self_link: str) -> bytes:
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


def _event(base: str, event: Event, content: str) -> dict[str, Any]:
    part: list[dict[str, Any]] = [
        {"name": "event-number", "valueString": str(event.number)},
        {"name": "timestamp", "valueInstant": instant(event.at)},
    ]
    if content != "empty":
        part.append({"name": "focus", "valueReference": {"reference": event.focus(base)}})
    return {"name": "notification-event", "part": part}


def _focuses(base: str, content: str, events: Sequence[Event]) -> list[bytes]:
    """One entry for each resource in focus, and for each version of it that is given in full."""
    full = content == "full-resource"
    distinct = {(event.focus(base), event.body if full else None): event for event in events}
    return [_focus(url, event, full) for (url, _), event in distinct.items()]


def _focus(url: str, event: Event, full: bool) -> bytes:
    """Every entry of a history says what request would have led to it."""
    about: dict[str, Any] = {"fullUrl": url}
    if full and event.body is not None:
        about["resource"] = orjson.Fragment(event.body)
    missing = full and event.body is None
    method = "GET" if missing or event.bundle_id else "PUT"
    about["request"] = {"method": method, "url": event.about}
    about["response"] = {"status": "404" if missing else "200"}
    return orjson.dumps(about)
