"""The full payload of a webhook: the referral's resources as they stood, as `data` of the message.

The Bundle is a `collection`: the ServiceRequest first, then its Tasks, the authorization, the
member and the coverage. Stored bodies are complete FHIR JSON and are not parsed again.
Who may have it is `app.journey.notification.enlarge`'s.
"""

from collections.abc import Sequence
from datetime import datetime

import orjson

from app.fhir import codes
from app.fhir.dates import instant
from app.fhir.searchset import Stored

#: What the Bundle holds, in its order.
TYPES = ("ServiceRequest", "Task", "ClaimResponse", "Patient", "Coverage")


def full_payload(
    event_type: str, occurred_at: datetime, message_id: str, base: str, found: Sequence[Stored]
) -> bytes:
    """`{type, timestamp, data}` with the Bundle as `data`; the same bytes for the same message."""
    entries = [
        {"fullUrl": f"{base}/{one.type}/{one.id}", "resource": orjson.Fragment(one.body)}
        for one in sorted(found, key=lambda one: (TYPES.index(one.type), one.id))
    ]
    bundle = {
        "resourceType": "Bundle",
        "identifier": codes.uuid_identifier(message_id),
        "type": "collection",
        "timestamp": instant(occurred_at),
        "entry": entries,
    }
    return orjson.dumps({"type": event_type, "timestamp": instant(occurred_at), "data": bundle})
