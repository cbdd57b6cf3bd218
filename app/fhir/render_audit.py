"""Renders a row of the record as an AuditEvent, in the shape of IHE's BALP.

The row is all there is: the resource is made whenever it is read. A read names the client as the
destination of the data and this service as their source; all else the other way round.
"""

import base64
from collections.abc import Iterator, Mapping
from typing import Any

from app.fhir.dates import instant
from app.fhir.r4 import codes

#: The interactions of R4 → `action`; a transaction creates.
_ACTIONS = {
    "create": "C",
    "transaction": "C",
    "receive": "C",
    "read": "R",
    "vread": "R",
    "history-instance": "R",
    "disclose": "R",
    "update": "U",
    "patch": "U",
    "delete": "D",
    "search-type": "E",
}
RESTFUL = frozenset(_ACTIONS) - {"receive", "disclose"}
#: Beginnings of operation ids of reads outside FHIR, and of moves by a worker.
_READS = ("read", "list")
DISCLOSE = "disclose"

_SOURCE, _DESTINATION = (
    {"system": codes.DICOM, "code": "110153", "display": "Source Role ID"},
    {"system": codes.DICOM, "code": "110152", "display": "Destination Role ID"},
)
_PERSON = {"system": codes.AUDIT_ENTITY_TYPE, "code": "1", "display": "Person"}
_OBJECT = {"system": codes.AUDIT_ENTITY_TYPE, "code": "2", "display": "System Object"}
_PATIENT = {"system": codes.OBJECT_ROLE, "code": "1", "display": "Patient"}
_RESOURCE = {"system": codes.OBJECT_ROLE, "code": "4", "display": "Domain Resource"}
_QUERY = {"system": codes.OBJECT_ROLE, "code": "24", "display": "Query"}


def action(interaction: str) -> str:
    """Names the kind of action: C, R, U, D or E."""
    known = _ACTIONS.get(interaction)
    return known or ("R" if interaction.startswith(_READS) else "E")


def outcome(status: int) -> str:
    """Names the outcome of an HTTP status: 0 success, 4 refused, 8 failed."""
    return "0" if status < 400 else "4" if status < 500 else "8"


def audit_event(row: Mapping[str, Any], base: str) -> dict[str, Any]:
    """Renders a row; `base` is the FHIR address of this service."""
    interaction, status = row["interaction"], row["status"]
    at = instant(row["recorded"])
    made: dict[str, Any] = {
        "resourceType": "AuditEvent",
        "id": row["id"],
        "meta": {"versionId": "1", "lastUpdated": at},
        "type": _type(interaction),
        "subtype": _subtypes(interaction),
        "action": row["action"],
        "recorded": at,
        "outcome": outcome(status),
    }
    if status >= 400:
        made["outcomeDesc"] = f"HTTP {status}"
    if row["purpose"]:
        made["purposeOfEvent"] = [_purpose(row["purpose"])]
    made["agent"] = [_client(row), _service(row, base)]
    made["source"] = {
        "observer": {"identifier": {"system": codes.ADDRESS, "value": base}},
        "type": [{"system": codes.AUDIT_SOURCE_TYPE, "code": "4", "display": "Application Server"}],
    }
    entities = list(_entities(row))
    return {**made, "entity": entities} if entities else made


def _type(interaction: str) -> dict[str, str]:
    if interaction == DISCLOSE:
        return {"system": codes.DICOM, "code": "110106", "display": "Export"}
    return {"system": codes.AUDIT_EVENT_TYPE, "code": "rest", "display": "RESTful Operation"}


def _subtypes(interaction: str) -> list[dict[str, str]]:
    if interaction == DISCLOSE:
        return [{"system": codes.LIFECYCLE, "code": DISCLOSE}]
    if interaction in RESTFUL:
        return [{"system": codes.RESTFUL_INTERACTION, "code": interaction}]
    return [
        {"system": codes.RESTFUL_INTERACTION, "code": "operation"},
        {"system": codes.AUDIT_INTERACTION, "code": interaction},
    ]


def _purpose(code: str) -> dict[str, Any]:
    return {"coding": [{"system": codes.ACT_REASON, "code": code}]}


def _client(row: Mapping[str, Any]) -> dict[str, Any]:
    gets = row["action"] == "R"
    agent: dict[str, Any] = {"type": {"coding": [_DESTINATION if gets else _SOURCE]}}
    client = row["client"] or "unknown"
    if row["organization"]:
        agent["who"] = {"reference": f"Organization/{row['organization']}", "type": "Organization"}
    else:
        agent["who"] = {"identifier": {"system": codes.CLIENT_ID, "value": client}}
    agent |= {"altId": client, "requestor": row["interaction"] != DISCLOSE}
    if row["address"]:
        agent["network"] = {"address": row["address"], "type": "2"}
    if row["purpose"]:
        agent["purposeOfUse"] = [_purpose(row["purpose"])]
    return agent


def _service(row: Mapping[str, Any], base: str) -> dict[str, Any]:
    gives = row["action"] == "R"
    return {
        "type": {"coding": [_SOURCE if gives else _DESTINATION]},
        "who": {"identifier": {"system": codes.ADDRESS, "value": base}},
        "requestor": row["interaction"] == DISCLOSE,
        "network": {"address": base, "type": "5"},
    }


def _entities(row: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for reference in row["about"]:
        if reference.startswith("Patient/"):
            yield {"what": {"reference": reference}, "type": _PERSON, "role": _PATIENT}
        else:
            yield {"what": {"reference": reference}, "type": _OBJECT, "role": _RESOURCE}
    if row["query"]:
        query = base64.b64encode(row["query"].encode()).decode()
        yield {"type": _OBJECT, "role": _QUERY, "query": query}
    if row["request_id"]:
        kind = {"system": codes.BALP_ENTITY_TYPE, "code": "XrequestId"}
        yield {"what": {"identifier": {"value": row["request_id"]}}, "type": kind}
