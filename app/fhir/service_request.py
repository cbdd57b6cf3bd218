"""A ServiceRequest as a referral in our own words.

One direction only: `to_domain`. What the request and its resources state of the member's condition
is read by `facts.py`; how a referral is shown again is left to the `render_*` modules.
"""

from collections.abc import Container, Sequence
from datetime import date, datetime
from typing import Any

from app.base.errors import Issue
from app.base.text import as_key
from app.fhir.clinical_codes import services_of, telling_modifiers
from app.fhir.dates import read_moment, read_span
from app.fhir.facts import read_coverages
from app.fhir.payload import (
    Payload,
    Resource,
    codings,
    identified_as,
    identifiers_of,
    own_identifier,
)
from app.fhir.r4 import codes
from app.fhir.r4.strict_json import MAX_FAULTS
from app.fhir.reference import type_in
from app.model.request import Identifier, NamedTarget, ReferralRequest
from app.policy.stated import MOST_REFERENCES, choose_coverage

#: Each is looked up, and stands for one referral alone.
_MOST_IDENTIFIERS = 100
INTENTS = ("proposal", "plan", "order", "original-order", "filler-order")


def to_domain(
    service_request: Resource,
    resources: Sequence[tuple[str, Resource]],
    as_of: date,
    plans: Container[str] | None = None,
    at: str = "ServiceRequest",
) -> tuple[ReferralRequest | None, list[Issue]]:
    """The referral asked for, or every rule of this service that it breaks (422).

    `resources` as in `app.fhir.facts.read_facts`; `as_of` and `plans` choose among Coverages as
    `app.policy.stated.choose_coverage` does. `at` is where the sender wrote the request.
    """
    faults = [*_request_faults(service_request, at), *_code_faults(service_request, at)]
    if faults:
        return None, faults
    return read_referral(service_request, resources, as_of, plans), []


def read_referral(
    service_request: Resource,
    resources: Sequence[tuple[str, Resource]],
    as_of: date,
    plans: Container[str] | None = None,
) -> ReferralRequest:
    """The referral, whatever its status and intent: also of one that is stored already."""
    payload = Payload(service_request, resources)
    patient = payload.patient
    candidates = _services(service_request)
    coverages = read_coverages(payload)
    chosen = choose_coverage(coverages, as_of, plans)
    subscriber = next((c.subscriber for c in (chosen, *coverages) if c and c.subscriber), None)
    wished = wished_start(service_request)
    return ReferralRequest(
        intent=_word(service_request.get("intent")) or "order",
        priority=_word(service_request.get("priority")) or "routine",
        service=candidates[0] if len(candidates) == 1 else None,
        claimed=_claimed(service_request),
        identifiers=_identifiers(service_request),
        cin=_cin(payload, subscriber),
        birth_date=_word(patient.get("birthDate")),
        patient=_named(service_request.get("subject"), payload),
        plan=chosen.plan if chosen else None,
        coverages=coverages,
        performers=_all_named(service_request.get("performer"), payload),
        based_on=_all_named(service_request.get("basedOn"), payload),
        general_practitioners=_all_named(patient.get("generalPractitioner"), payload),
        occurrence_start=wished[1] if wished else None,
    )


def _request_faults(request: Resource, at: str) -> list[Issue]:
    faults = []
    if request.get("status") != "active":
        text = "Send a referral with status `active`; to take one back, use $cancel."
        faults.append(Issue("business-rule", text, f"{at}.status"))
    if request.get("intent") not in INTENTS:
        text = f"Send a referral with one of the intents {', '.join(INTENTS)}."
        faults.append(Issue("business-rule", text, f"{at}.intent"))
    if request.get("doNotPerform") is True:
        text = "A referral asks for a service: leave doNotPerform out."
        faults.append(Issue("business-rule", text, f"{at}.doNotPerform"))
    if len(request.get("identifier") or ()) > _MOST_IDENTIFIERS:
        text = f"Give a referral at most {_MOST_IDENTIFIERS} identifiers of yours."
        faults.append(Issue("too-costly", text, f"{at}.identifier"))
    return faults


def _code_faults(request: Resource, at: str) -> list[Issue]:
    text = "Use a code of the code system calaim-service, or leave `code` out if it is not known."
    return [
        Issue("code-invalid", text, f"{at}.code.coding[{index}].code")
        for index, coding in enumerate(codings(request.get("code")))
        if coding.get("system") == codes.CALAIM_SERVICE
        and coding.get("code") is not None
        and coding["code"] not in codes.SERVICES
    ][:MAX_FAULTS]


def _services(request: Resource) -> tuple[str, ...]:
    """The services that `code` may mean: our own code before HCPCS; none for text alone."""
    stated = codings(request.get("code"))
    ours = [
        coding["code"]
        for coding in stated
        if coding.get("system") in (codes.CALAIM_SERVICE, None)
        and coding.get("code") in codes.SERVICES
    ]
    if ours:
        return tuple(dict.fromkeys(ours))
    telling = telling_modifiers(
        str(coding["code"])
        for detail in request.get("orderDetail") or ()
        for coding in codings(detail)
        if coding.get("code")
    )
    billed = dict.fromkeys(
        str(coding["code"]).upper()
        for coding in stated
        if coding.get("system") in codes.HCPCS_SYSTEMS and coding.get("code")
    )
    # Codings of one concept mean the same thing, so a service must fit all that mean anything.
    known = [services for code in billed if (services := services_of(code, telling))]
    common = [s for s in known[0] if all(s in others for others in known)] if known else []
    return tuple(common or dict.fromkeys(s for services in known for s in services))


def _claimed(request: Resource) -> tuple[str, ...]:
    stated = (c for concept in request.get("reasonCode") or () for c in codings(concept))
    found = (c.get("code") for c in stated if c.get("system") == codes.POPULATION)
    return tuple(dict.fromkeys(str(code) for code in found if code))


def _cin(payload: Payload, subscriber: str | None) -> str | None:
    """The CIN: the Patient's identifier, else the Coverage's subscriber, else the subject's."""
    stated = identified_as(payload.subject, codes.CIN)
    found = own_identifier(payload.patient, codes.CIN) or subscriber or stated
    return as_key(found) if found else None


def _identifiers(resource: Resource) -> tuple[Identifier, ...]:
    return tuple(
        (_word(identifier.get("system")) or "", identifier["value"])
        for identifier in resource.get("identifier") or ()
        if _word(identifier.get("value"))
    )


def read_named(reference: Resource) -> NamedTarget:
    """What a Reference outside any payload names."""
    return _named(reference, Payload({}))


def _named(reference: Any, payload: Payload) -> NamedTarget:
    if not reference:
        return NamedTarget()
    stated = identifiers_of(reference)
    target = payload.resolve(reference) or {}
    found = (*_identifiers({"identifier": stated}), *_identifiers(target))
    literal = _word(reference.get("reference"))
    kind = _word(target.get("resourceType")) or _word(reference.get("type"))
    return NamedTarget(
        literal,
        tuple(dict.fromkeys(found)),
        kind or type_in(literal),
        _word(reference.get("display")),
    )


def _all_named(references: Any, payload: Payload) -> tuple[NamedTarget, ...]:
    read = (references or ())[:MOST_REFERENCES]
    return tuple(_named(reference, payload) for reference in read if reference)


def wished_start(request: Resource) -> tuple[str, date] | None:
    """The element that says when the service is wanted to begin, and the first day it may mean.

    A Timing is wanted from the first of its events, else from where its bounds begin.
    """
    timing = request.get("occurrenceTiming") or {}
    bounds = (timing.get("repeat") or {}).get("boundsPeriod") or {}
    stated = [
        ("occurrencePeriod.start", (request.get("occurrencePeriod") or {}).get("start")),
        ("occurrenceDateTime", request.get("occurrenceDateTime")),
        *((f"occurrenceTiming.event[{i}]", at) for i, at in enumerate(timing.get("event") or ())),
        ("occurrenceTiming.repeat.boundsPeriod.start", bounds.get("start")),
    ]
    days = [(element, span.first) for element, at in stated if (span := read_span(at))]
    events = [one for one in days if ".event" in one[0]]
    return min(events, key=lambda one: one[1]) if events else next(iter(days), None)


def start_faults(request: Resource, latest: date, at: str = "ServiceRequest") -> list[Issue]:
    """A wished-for start that lies further ahead than plan data allows (spec.md 7)."""
    wished = wished_start(request)
    if wished is None or wished[1] <= latest:
        return []
    text = f"A service may be wished for from a day up to {latest}. Refer again nearer to it."
    return [Issue("business-rule", text, f"{at}.{wished[0]}")]


def read_received(request: Resource) -> datetime | None:
    """When what came on paper or by phone was received, as the sender states it."""
    for extension in request.get("extension") or ():
        if extension.get("url") == codes.RECEIVED:
            return read_moment(extension.get("valueDateTime"))
    return None


def language_of(patient: Resource) -> str | None:
    """The language to write in: the preferred one, else the first named."""
    spoken = list(patient.get("communication") or ())
    spoken.sort(key=lambda entry: entry.get("preferred") is not True)
    for entry in spoken:
        for coding in codings(entry.get("language")):
            if coding.get("system") in (codes.LANGUAGE, None) and coding.get("code"):
                return str(coding["code"]).lower()
    return None


def name_of(patient: Resource) -> str | None:
    """The name to write to: official or usual before others, never an old one."""
    names = [n for n in patient.get("name") or () if n.get("use") not in ("old", "maiden")]
    names.sort(key=lambda name: name.get("use") not in ("official", "usual", None))
    for name in names:
        text = _word(name.get("text"))
        parts = [*(name.get("given") or ()), name.get("family")]
        spelled = text or " ".join(part for part in parts if part)
        if spelled:
            return spelled
    return None


def address_lines(patient: Resource) -> tuple[str, ...]:
    """The lines of the address to write to: the home's, else the first that is not old."""
    usable = [a for a in patient.get("address") or () if a.get("use") != "old"]
    usable.sort(key=lambda address: address.get("use") != "home")
    for address in usable:
        lines = [line for line in address.get("line") or () if line]
        place = " ".join(part for part in (address.get("state"), address.get("postalCode")) if part)
        town = ", ".join(part for part in (address.get("city"), place) if part)
        written = [*lines, town] if town else lines
        if written or address.get("text"):
            return tuple(written or address["text"].splitlines())
    return ()


def is_reachable(patient: Resource) -> bool:
    """Whether a Patient has an address that a letter can be sent to; a town alone is none."""
    return len(address_lines(patient)) > 1


def _word(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
