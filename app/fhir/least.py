"""The least of a referral whose plan is not known yet: whose it is, from whom and since when.

PURE. For plan staff of the deployment who look for the member's plan and are no party to it: they
may say whose member it is, and read nothing of why help is asked for.
"""

from typing import Any

from app.fhir.r4.strict_json import dumps, parse
from app.fhir.subset import as_part

#: Type → the elements that are shown; of other types nothing is. Whatever is not named is left out,
#: siblings (`_status`), extensions and narrative too.
SHOWN: dict[str, frozenset[str]] = {
    "ServiceRequest": frozenset(
        {"identifier", "status", "intent", "priority", "subject", "authoredOn", "requester"}
        | {"insurance", "contained"}
    ),
    "Task": frozenset(
        {"identifier", "status", "businessStatus", "intent", "priority", "code", "focus", "for"}
        | {"authoredOn", "lastModified", "requester", "owner"}
    ),
    "Patient": frozenset(
        {"identifier", "active", "name", "telecom", "gender", "birthDate", "address"}
        | {"managingOrganization"}
    ),
    "Coverage": frozenset(
        {"identifier", "status", "type", "subscriberId", "beneficiary", "period", "payor"}
    ),
}
#: Type → the search parameters that ask for what is shown: any other would tell what is not.
ASKED: dict[str, frozenset[str]] = {
    "ServiceRequest": frozenset(
        {"patient", "subject", "patient.identifier", "subject.identifier", "identifier", "status"}
        | {"priority", "intent", "authored", "requester"}
    ),
    "Task": frozenset(
        {"patient", "subject", "patient.identifier", "subject.identifier", "referral", "focus"}
        | {"identifier", "status", "business-status", "owner", "requester", "code", "priority"}
        | {"modified", "authored-on"}
    ),
    "Patient": frozenset({"referral", "identifier", "name", "birthdate", "gender"}),
    "Coverage": frozenset(
        {"referral", "patient", "beneficiary", "subscriber-id", "identifier", "payor", "status"}
    ),
}


def least(kind: str, body: bytes) -> bytes:
    """The part of a stored resource of these types that is shown, marked as one."""
    resource: dict[str, Any] = parse(body)
    part = _part(kind, resource)
    meta = resource.get("meta") or {}
    stored = {name: meta[name] for name in ("versionId", "lastUpdated") if name in meta}
    return dumps(as_part({**part, "meta": stored}))


def _part(kind: str, resource: dict[str, Any]) -> dict[str, Any]:
    shown = {name: value for name, value in resource.items() if name in SHOWN[kind]}
    if "contained" in shown:
        held = [each for each in shown["contained"] if each.get("resourceType") in _WHOSE]
        shown["contained"] = [_part(each["resourceType"], each) for each in held]
        if not held:
            del shown["contained"]
    named = {name: resource[name] for name in ("resourceType", "id") if name in resource}
    return named | shown


_WHOSE = ("Patient", "Coverage")
