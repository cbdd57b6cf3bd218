"""The referrer gets its answer: the referral as it now stands, or a transaction's response.

The answer is made before the referral is written, so that both are stored together and a repeat
gets the stored answer.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from app.base.errors import Issue
from app.fhir.dates import instant
from app.fhir.outcome import NO_STORE, operation_outcome, version_headers
from app.fhir.r4.strict_json import dumps, parse
from app.fhir.render_referral import Decided
from app.journey.intake.condition import Answer
from app.store.referral.changes import Changes
from app.store.tables.decision import service_authorization


def answer_created(changes: Changes, locations: list[str] | None, base: str) -> Answer:
    """Answers 201 with the ServiceRequest, or 200 with a transaction-response Bundle."""
    after = changes.after
    numbers = [row["number"] for row in changes.rows.get(service_authorization, ())]
    number = numbers[0] if numbers else None
    decided = Decided(after.id, after.state, after.business_status, changes.details, number)
    if locations is not None:
        return answer_transaction(
            decided, locations, instant(after.updated_at), "201 Created", base
        )
    location = f"{base}/ServiceRequest/{after.id}/_history/{after.version}"
    headers = {**version_headers(after.version, after.updated_at), "Location": location}
    return Answer(201, headers, _with_decision(changes.request, decided))


def answer_current(changes: Changes) -> Answer:
    """Answers 200 with the ServiceRequest as the change leaves it."""
    after = changes.after
    body = changes.body("ServiceRequest", after.id)
    return Answer(200, version_headers(after.version, after.updated_at), body)


def answer_existing(
    decided: Decided, version: int, at: datetime, body: bytes, *, base: str
) -> Answer:
    """Answers 200 with an existing referral; `at` is when its version was stored."""
    location = f"{base}/ServiceRequest/{decided.referral_id}/_history/{version}"
    headers = {**version_headers(version, at), "Location": location}
    return Answer(200, headers, _with_decision(parse(body), decided))


def _with_decision(resource: Mapping[str, Any], decided: Decided) -> bytes:
    extension = [*resource.get("extension", ()), decided.extension()]
    return dumps({**resource, "extension": extension})


def answer_transaction(
    decided: Decided, locations: list[str], modified: str | None, status: str, base: str
) -> Answer:
    """Answers with one response entry per entry sent, in order.

    The entry of the ServiceRequest also names the referral's Task, and says what was decided.
    """
    entries = []
    for location in locations:
        response: dict[str, Any] = {
            "status": status,
            "location": f"{base}/{location}/_history/1",
            "etag": 'W/"1"',
        }
        if modified:
            response["lastModified"] = modified
        if location == f"ServiceRequest/{decided.referral_id}":
            response["outcome"] = operation_outcome(_outcome_issues(decided))
        entries.append({"response": response})
    bundle = {"resourceType": "Bundle", "type": "transaction-response", "entry": entries}
    return Answer(200, dict(NO_STORE), orjson.dumps(bundle))


def _outcome_issues(decided: Decided) -> list[Issue]:
    received = f"The referral was received. Follow it at Task/{decided.referral_id}."
    sentences = (received, decided.sentence())
    return [Issue("informational", text, severity="information") for text in sentences]
