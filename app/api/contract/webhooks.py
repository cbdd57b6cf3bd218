"""Messages to webhook endpoints, in the contract: every event with its payload, thin and full.

The code that makes the payloads makes the examples, too; a test compares the schemas with payloads
that arrived (tests/journeys/test_told_as_described.py). See docs/notifications.md.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from app.api.contract.bodies import example
from app.fhir.searchset import Stored, full_payload
from app.model.messages import MEANINGS, TEST, About, EventType, thin_payload

_ID = "01a20ac2-1590-7455-9fce-72f3a0174834"
_MESSAGE = "01934f3a-7b1c-7a3e-9b77-0f1f0a5a2c11"
_AT = datetime(2026, 11, 20, 17, 0, 2, 108000, UTC)
_BASE = "https://referrals.example/fhir"
_STRING: dict[str, Any] = {"type": "string", "minLength": 1}


def _one_of(*words: str) -> dict[str, Any]:
    return {"type": "string", "enum": list(words)}


_FIELDS: Mapping[str, tuple[dict[str, Any], str]] = {
    "plan": (_STRING, "The plan's key."),
    "referral_id": (_STRING, "The id of the ServiceRequest."),
    "sequence": (
        {"type": "integer", "minimum": 1},
        "Rises within a referral: drop what is older than what you know.",
    ),
    "state": (_one_of("pending", "approved", "denied", "void", "cancelled"), "As it then was."),
    "business_status": (_STRING, "Where there is one: `in-review`, `assigned`, `in-service` …"),
    "reasons": (
        {"type": "array", "minItems": 1, "items": _STRING},
        "Codes of determination-reason, never words; none that the plan knows from its roster.",
    ),
    "service": (_STRING, "A code of calaim-service: of an offer only, since 0.3.0."),
    "authorization_id": (_STRING, "The id of the ClaimResponse."),
    "performer_id": (_STRING, "The id of the Organization that has the place, or the offer."),
    "offer_id": (_STRING, "The id of the HealthcareService."),
    "endpoint_id": (_STRING, "The endpoint that this is about."),
    "endpoint_kind": (_one_of("webhook", "subscription"), "What kind it is."),
    "disabled_reason": (_one_of("gone", "failing", "blocked-target"), "Why."),
    "correlation_id": (_STRING, "X-Correlation-ID of the request that caused it."),
}
_LINKS = ("referral", "task", "authorization", "offer")
#: Kind of message → schema name of its data, required fields, optional fields.
_KINDS: Mapping[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "referral": (
        "ReferralTold",
        ("plan", "referral_id", "sequence", "state", "links"),
        (
            "business_status",
            "reasons",
            "service",
            "authorization_id",
            "performer_id",
            "correlation_id",
        ),
    ),
    "capacity": ("OfferTold", ("plan", "service", "offer_id", "links"), ("performer_id",)),
    "endpoint": ("EndpointTold", ("endpoint_id",), ("endpoint_kind", "disabled_reason")),
}
#: Event → state and example of the referral; at other events the referral is approved.
_STANDS: Mapping[str, tuple[str, str]] = {
    EventType.RECEIVED: ("pending", "referral-after-add-information"),
    EventType.INFORMATION_REQUESTED: ("pending", "referral-after-request-information"),
    EventType.INFORMATION_RECEIVED: ("pending", "referral-after-add-information"),
    EventType.OVERDUE: ("pending", "referral-after-add-information"),
    EventType.DENIED: ("denied", "referral-after-deny"),
    EventType.VOIDED: ("void", "referral-after-void"),
    EventType.CANCELLED: ("cancelled", "referral-after-cancel"),
}
_STATUSES: Mapping[str, str] = {
    EventType.INFORMATION_REQUESTED: "information-needed",
    EventType.WAITLISTED: "waitlisted",
    EventType.ACCEPTED: "accepted",
    EventType.STARTED: "in-service",
    EventType.CLOSED: "completed",
}
_REASONS: Mapping[str, str] = {
    EventType.DENIED: "service-criteria-not-met",
    EventType.VOIDED: "information-not-received",
    EventType.CANCELLED: "withdrawn",
    EventType.INFORMATION_REQUESTED: "facts-missing",
}
_DESCRIPTIONS: Mapping[str, str] = {
    **{event.value: meaning for event, meaning in MEANINGS.items()},
    TEST: "An endpoint is tried out: registered, or asked for by its owner.",
}
_RESPONSES = {
    "2XX": "Taken. Answer within 20 seconds, whatever the body; the same id may come again.",
    "410": "Disables the endpoint at once.",
    "429": "Pauses the endpoint as long as `Retry-After` says; 502, 503 and 504 do too.",
}
_HEADERS = {
    "webhook-id": "The message's id: the same on every attempt.",
    "webhook-timestamp": "When this attempt was made: seconds since 1970.",
    "webhook-signature": "Signatures of id, time and body (Standard Webhooks): `v1,` or `v1a,`.",
}


def add_webhooks(document: dict[str, Any]) -> None:
    """Adds the `webhooks` section, and the schemas that the section refers to."""
    schemas = document["components"].setdefault("schemas", {})
    schemas |= {name: _data(*fields) for name, *fields in _KINDS.values()}
    # By reference, which tools that know webhooks follow: openapi-generator 7 takes an inline
    # message of ours for an operation of ours, and makes code that does not compile.
    events = sorted(_DESCRIPTIONS.items())
    items = {event: {"post": _sent(event, text, schemas)} for event, text in events}
    document["components"]["pathItems"] = items
    document["webhooks"] = {event: {"$ref": f"#/components/pathItems/{event}"} for event in items}


def _data(must: tuple[str, ...], may: tuple[str, ...]) -> dict[str, Any]:
    properties = {
        name: {**_FIELDS[name][0], "description": _FIELDS[name][1]}
        for name in (*must, *may)
        if name in _FIELDS
    }
    if "links" in must:
        links = {name: {"type": "string", "format": "uri"} for name in _LINKS}
        description = "Where the resources are read, with a token of your own."
        properties["links"] = {"type": "object", "description": description, "properties": links}
    return {"type": "object", "required": list(must), "properties": properties}


def _sent(event: str, description: str, schemas: dict[str, Any]) -> dict[str, Any]:
    words = "".join(part.capitalize() for part in event.replace("_", ".").split("."))
    schemas[f"{words}Message"] = _message(event)
    content = {
        "schema": {"$ref": f"#/components/schemas/{words}Message"},
        "examples": {
            name: {"summary": name.capitalize(), "value": orjson.loads(body)}
            for name, body in _examples(event).items()
        },
    }
    return {
        "operationId": f"receive{words}",
        "summary": event,
        "description": description,
        "tags": ["Notifications"],
        "security": [],
        "parameters": [
            {
                "name": name,
                "in": "header",
                "required": True,
                "description": meaning,
                "schema": {"type": "string"},
            }
            for name, meaning in _HEADERS.items()
        ],
        "requestBody": {"required": True, "content": {"application/json": content}},
        "responses": {status: {"description": what} for status, what in _RESPONSES.items()},
    }


def _message(event: str) -> dict[str, Any]:
    thin = {"$ref": f"#/components/schemas/{_KINDS[_kind(event)][0]}"}
    full = {"$ref": "#/components/schemas/Bundle"}
    return {
        "type": "object",
        "required": ["type", "timestamp", "data"],
        "properties": {
            "type": {"type": "string", "const": event},
            "timestamp": {
                "type": "string",
                "format": "date-time",
                "description": "When it happened: the same on every attempt.",
            },
            "data": {"anyOf": [thin, full]} if _kind(event) == "referral" else thin,
        },
    }


def _kind(event: str) -> str:
    first = event.partition(".")[0]
    return first if first in _KINDS else "referral"


def _examples(event: str) -> dict[str, bytes]:
    """Name (`thin`, `full`) → body, as signed and sent."""
    kind = _kind(event)
    if kind == "endpoint":
        about = About(endpoint_id=_MESSAGE)
        if event == EventType.ENDPOINT_DISABLED:
            about = About(endpoint_id=_MESSAGE, endpoint_kind="webhook", disabled_reason="failing")
        return {"thin": thin_payload(event, _AT, about, "")}
    if kind == "capacity":
        offer = About(plan="HPSM", service="ECM", performer_id="org-tidepool", offer_id="offer-ecm")
        return {"thin": thin_payload(event, _AT, offer, _BASE)}
    state, stem = _STANDS.get(event, ("approved", "referral-approved"))
    referral = example(stem)
    body = orjson.dumps({**referral, "id": _ID})
    return {
        "thin": thin_payload(event, _AT, _about(event, state), _BASE),
        "full": full_payload(event, _AT, _MESSAGE, _BASE, [Stored("ServiceRequest", _ID, 1, body)]),
    }


def _about(event: str, state: str) -> About:
    approved = state == "approved"
    return About(
        plan="HPSM",
        referral_id=_ID,
        sequence=2,
        state=state,
        business_status=_STATUSES.get(event, "assigned" if approved else None),
        reasons=[_REASONS.get(event, "population-met")] if approved or event in _REASONS else [],
        authorization_id=_ID if approved else None,
        performer_id="org-tidepool" if approved else None,
        correlation_id="discharge-2026-11-20-0007",
    )
