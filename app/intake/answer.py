"""What a referrer is answered: the referral as it now is, or a transaction's response.

The answer is made before anything is written, so that it can be kept beside the referral for a
repeat.
"""

from datetime import datetime
from typing import Any

import orjson

from app.errors import Issue
from app.fhir.dates import instant
from app.fhir.outcome import operation_outcome
from app.intake.repeat import Answer
from app.reading.answer import NO_STORE, version_headers
from app.referral.changes import Changes
from app.referral.tables import resource_version


def created(changes: Changes, locations: list[str] | None, base: str) -> Answer:
    """201 with the ServiceRequest, or 200 with a transaction-response Bundle."""
    after = changes.after
    if locations is not None:
        return transaction(after.id, locations, instant(after.updated_at), "201 Created", base)
    answer = current(changes)
    location = f"{base}/ServiceRequest/{after.id}/_history/{after.version}"
    return Answer(201, {**answer.headers, "Location": location}, answer.body)


def current(changes: Changes) -> Answer:
    """200 with the ServiceRequest as the change leaves it."""
    after = changes.after
    body = next(
        row["body"] for row in changes.rows[resource_version] if row["type"] == "ServiceRequest"
    )
    return Answer(200, version_headers(after.version, after.updated_at), body)


def found(referral_id: str, version: int, at: datetime, body: bytes, *, base: str) -> Answer:
    """200 with the referral that is there already; `at`: when that version was stored."""
    location = f"{base}/ServiceRequest/{referral_id}/_history/{version}"
    return Answer(200, {**version_headers(version, at), "Location": location}, body)


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
    return Answer(200, dict(NO_STORE), orjson.dumps(bundle))


def _names_task(referral_id: str) -> Issue:
    text = f"The referral was received. Follow it at Task/{referral_id}."
    return Issue("informational", text, severity="information")
