"""Reads from a referral's `requester` who asks: the member, family, an office or nobody."""

from collections.abc import Mapping
from typing import Any

from app.fhir.payload import Payload, identified_as
from app.fhir.r4 import codes
from app.fhir.reference import type_in
from app.model.notices import Asker

_PEOPLE = {"Patient", "RelatedPerson"}


def asker(sent: Mapping[str, Any], cin: str | None) -> Asker:
    """Reads the ServiceRequest alone; `cin` is the member's number, if it is known."""
    requester = sent.get("requester")
    if not requester:
        return Asker.NOBODY
    payload = Payload(sent)
    literal = requester.get("reference")
    if literal and literal == payload.subject.get("reference"):
        return Asker.MEMBER
    stated = identified_as(requester, codes.CIN)
    if stated is not None:
        return Asker.MEMBER if stated in (cin, payload.cin) else Asker.FAMILY
    return Asker.FAMILY if _kind(requester, payload) in _PEOPLE else Asker.OFFICE


def _kind(requester: Mapping[str, Any], payload: Payload) -> str | None:
    resource = payload.resolve(requester)
    if resource is not None:
        return str(resource.get("resourceType"))
    return type_in(requester.get("reference")) or requester.get("type")
