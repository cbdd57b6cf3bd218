"""Reads a ServiceRequest as a referral in our own model (`ReferralRequest`).

Reads only: `facts.py` reads the facts about the member's condition, the `render_*` modules write
a referral as FHIR.
"""

from collections.abc import Container, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from app.base.errors import Issue
from app.base.text import as_key
from app.fhir.clinical_codes import services_of, telling_modifiers
from app.fhir.dates import read_moment, read_span
from app.fhir.facts import read_coverages
from app.fhir.facts_answers import read_claims
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

#: Limit of identifiers: each costs one lookup, since an identifier belongs to one referral only.
_MOST_IDENTIFIERS = 100
#: Of a Patient so many names are compared with a roster's, and so many letters of each.
_MOST_NAMES, _LONGEST_NAME = 20, 200
INTENTS = ("proposal", "plan", "order", "original-order", "filler-order")


def to_domain(
    service_request: Resource,
    resources: Sequence[tuple[str, Resource]],
    as_of: date,
    plans: Container[str] | None = None,
    at: str = "ServiceRequest",
    contact_only: Mapping[str, str] | None = None,
) -> tuple[ReferralRequest | None, list[Issue]]:
    """Read the referral asked for, or every rule of this service that the request breaks (422).

    `resources` has the form described in `app.fhir.facts.read_facts`. `as_of` and `plans` are for
    `app.policy.stated.choose_coverage`. `at` is the FHIRPath at which the sender wrote the request.
    `contact_only`: service that takes no referral → whom to call instead.
    """
    faults = [
        *_request_faults(service_request, at),
        *_code_faults(service_request, at, contact_only or {}),
    ]
    if faults:
        return None, faults
    return read_referral(service_request, resources, as_of, plans), []


def read_referral(
    service_request: Resource,
    resources: Sequence[tuple[str, Resource]],
    as_of: date,
    plans: Container[str] | None = None,
) -> ReferralRequest:
    """Read the referral of a new or stored request, whatever its status and intent."""
    payload = Payload(service_request, resources)
    patient = payload.patient
    candidates = _services(service_request)
    coverages = read_coverages(payload)
    chosen = choose_coverage(coverages, as_of, plans)
    subscriber = next((c.subscriber for c in (chosen, *coverages) if c and c.subscriber), None)
    wished = wished_start(service_request)
    return ReferralRequest(
        intent=_text_of(service_request.get("intent")) or "order",
        priority=_text_of(service_request.get("priority")) or "routine",
        service=candidates[0] if len(candidates) == 1 else None,
        claimed=_claimed(service_request, payload),
        identifiers=_identifiers(service_request),
        cin=_cin(payload, subscriber),
        birth_date=_text_of(patient.get("birthDate")),
        families=families_of(patient),
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


def _code_faults(request: Resource, at: str, contact_only: Mapping[str, str]) -> list[Issue]:
    text = "Use a code of the code system calaim-service, or leave `code` out if it is not known."
    return [
        Issue(
            "code-invalid",
            contact_only.get(str(coding["code"]), text),
            f"{at}.code.coding[{index}].code",
        )
        for index, coding in enumerate(codings(request.get("code")))
        if coding.get("system") == codes.CALAIM_SERVICE
        and coding.get("code") is not None
        and coding["code"] not in codes.SERVICES
    ][:MAX_FAULTS]


def _services(request: Resource) -> tuple[str, ...]:
    """The services that `code` may mean, our own codes before HCPCS; empty for a text alone."""
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
    # All codings of a concept mean one thing, so a service must fit every code that is known.
    known = [services for code in billed if (services := services_of(code, telling))]
    common = [s for s in known[0] if all(s in others for others in known)] if known else []
    return tuple(common or dict.fromkeys(s for services in known for s in services))


def _claimed(request: Resource, payload: Payload) -> tuple[str, ...]:
    """The populations of focus that the request claims, then those that the answers on forms do."""
    stated = [c for concept in request.get("reasonCode") or () for c in codings(concept)]
    claimed = [c.get("code") for c in stated if c.get("system") == codes.POPULATION]
    for _, response in payload.all("QuestionnaireResponse"):
        claimed += read_claims(response)
    return tuple(dict.fromkeys(str(code) for code in claimed if code))


def _cin(payload: Payload, subscriber: str | None) -> str | None:
    """The CIN: the Patient's identifier, else the Coverage's subscriber, else that of `subject`."""
    stated = identified_as(payload.subject, codes.CIN)
    cin = own_identifier(payload.patient, codes.CIN) or subscriber or stated
    return as_key(cin) if cin else None


def _identifiers(resource: Resource) -> tuple[Identifier, ...]:
    return tuple(
        (_text_of(identifier.get("system")) or "", identifier["value"])
        for identifier in resource.get("identifier") or ()
        if _text_of(identifier.get("value"))
    )


def read_named(reference: Resource) -> NamedTarget:
    """Read the target of a Reference that stands outside any payload."""
    return _named(reference, Payload({}))


def _named(reference: Any, payload: Payload) -> NamedTarget:
    if not reference:
        return NamedTarget()
    stated = identifiers_of(reference)
    target = payload.resolve(reference) or {}
    values = (*_identifiers({"identifier": stated}), *_identifiers(target))
    literal = _text_of(reference.get("reference"))
    kind = _text_of(target.get("resourceType")) or _text_of(reference.get("type"))
    return NamedTarget(
        literal,
        tuple(dict.fromkeys(values)),
        kind or type_in(literal),
        _text_of(reference.get("display")),
    )


def _all_named(references: Any, payload: Payload) -> tuple[NamedTarget, ...]:
    read = (references or ())[:MOST_REFERENCES]
    return tuple(_named(reference, payload) for reference in read if reference)


def wished_start(request: Resource) -> tuple[str, date] | None:
    """Read the wished-for start: the element that states it, and the first day it may mean.

    A Timing starts with the first of its events, else with the start of its bounds.
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
    """Find a wished-for start later than plan data allows (`latest`; spec.md 7)."""
    wished = wished_start(request)
    if wished is None or wished[1] <= latest:
        return []
    text = f"A service may be wished for from a day up to {latest}. Refer again nearer to it."
    return [Issue("business-rule", text, f"{at}.{wished[0]}")]


def read_received(request: Resource) -> datetime | None:
    """Read when a referral on paper or by phone was received, as the sender states it."""
    for extension in request.get("extension") or ():
        if extension.get("url") == codes.RECEIVED:
            return read_moment(extension.get("valueDateTime"))
    return None


def language_of(patient: Resource) -> str | None:
    """Read the language for letters: the preferred language, else the first named."""
    spoken = list(patient.get("communication") or ())
    spoken.sort(key=lambda entry: entry.get("preferred") is not True)
    for entry in spoken:
        for coding in codings(entry.get("language")):
            if coding.get("system") in (codes.LANGUAGE, None) and coding.get("code"):
                return str(coding["code"]).lower()
    return None


def name_of(patient: Resource) -> str | None:
    """Read the name for letters: official or usual before others, never an old or maiden name."""
    names = [n for n in patient.get("name") or () if n.get("use") not in ("old", "maiden")]
    names.sort(key=lambda name: name.get("use") not in ("official", "usual", None))
    for name in names:
        text = _text_of(name.get("text"))
        parts = [*(name.get("given") or ()), name.get("family")]
        spelled = text or " ".join(part for part in parts if part)
        if spelled:
            return spelled
    return None


def families_of(patient: Resource) -> tuple[str, ...]:
    """Read the family names by which a Patient is or was known, old and maiden ones too; of each
    the first letters, so that to compare them takes no time.
    """
    names = [_text_of(name.get("family")) for name in (patient.get("name") or ())[:_MOST_NAMES]]
    return tuple(dict.fromkeys(name[:_LONGEST_NAME] for name in names if name))


def address_lines(patient: Resource) -> tuple[str, ...]:
    """Read the lines of the address for letters: home, else the first address that is not old."""
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
    """Whether a letter can be sent to a Patient: the address has more lines than the town."""
    return len(address_lines(patient)) > 1


def _text_of(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
