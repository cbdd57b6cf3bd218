"""What a referrer is answered: the referral as it now is, or a transaction's response.

The answer is made before anything is written, so that it can be kept beside the referral for a
repeat.
"""

from datetime import UTC
from email.utils import format_datetime
from typing import Any

import orjson

from app.errors import Issue
from app.fhir.dates import instant
from app.fhir.outcome import operation_outcome
from app.intake.repeat import Answer
from app.referral.changes import Changes
from app.referral.tables import resource_version

_NO_STORE = {"Cache-Control": "no-store"}


def created(changes: Changes, locations: list[str] | None, base: str, minimal: bool) -> Answer:
    """201 with the ServiceRequest, or 200 with a transaction-response Bundle."""
    after = changes.after
    if locations is not None:
        return transaction(after.id, locations, instant(after.updated_at), "201 Created", base)
    answer = current(changes)
    location = f"{base}/ServiceRequest/{after.id}/_history/{after.version}"
    return Answer(201, {**answer.headers, "Location": location}, b"" if minimal else answer.body)


def current(changes: Changes) -> Answer:
    """200 with the ServiceRequest as the change leaves it."""
    after = changes.after
    body = next(
        row["body"] for row in changes.rows[resource_version] if row["type"] == "ServiceRequest"
    )
    headers = {
        **_NO_STORE,
        "ETag": f'W/"{after.version}"',
        "Last-Modified": format_datetime(after.updated_at.astimezone(UTC), usegmt=True),
    }
    return Answer(200, headers, body)


def found(referral_id: str, version: int, body: bytes, base: str, minimal: bool) -> Answer:
    """200 with the referral that is there already."""
    headers = {
        **_NO_STORE,
        "Location": f"{base}/ServiceRequest/{referral_id}/_history/{version}",
        "ETag": f'W/"{version}"',
    }
    return Answer(200, headers, b"" if minimal else body)


def transaction(
    referral_id: str, locations: list[str], modified: str | None, status: str, base: str
) -> Answer:
    """One response entry per entry, in order; the request's own also names the referral's Task."""
    entries = []
    for location in locations:
        response: dict[str, Any] = {
            "status": status,
            "location": f"{base}/{location}/_history/1",
            "etag": 'W/"1"',
        }
        if modified:
            response["lastModified"] = modified
        if location == f"ServiceRequest/{referral_id}":
            response["outcome"] = operation_outcome([_names_task(referral_id)])
        entries.append({"response": response})
    bundle = {"resourceType": "Bundle", "type": "transaction-response", "entry": entries}
    return Answer(200, dict(_NO_STORE), orjson.dumps(bundle))


def _names_task(referral_id: str) -> Issue:
    text = f"The referral was received. Follow it at Task/{referral_id}."
    return Issue("informational", text, severity="information")
