"""Every fact that a referral and its resources state, source by source (facts.md 1 and 4).

Which source holds where they differ is left to `app.journey.eligibility.merge`; which Coverage
counts to `app.policy.stated`. Nothing here raises: what cannot be read is unknown, and noted.

What a Patient, a Coverage, a Consent and the request itself say (facts.md 1.3, 1.4, 4.3).

Which of several Coverages holds on a date is left to `app.policy.stated`.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from app.fhir.dates import read_moment, read_span
from app.fhir.facts_answers import read_dollars, read_quantity, read_response, unread_note
from app.fhir.facts_clinical import (
    read_condition,
    read_diagnoses,
    read_encounters,
    read_observations,
)
from app.fhir.payload import Payload, Resource, code_of, identified_as, own_identifier
from app.fhir.r4 import codes
from app.policy.counties import county_code
from app.policy.dictionary import load_dictionary
from app.policy.model import Fact, FactValue, Span
from app.policy.stated import CoverageTerms, RosterMember, SourcedFacts, SourceKind, bounded, noted

ROSTER = "roster"


def read_facts(
    service_request: Resource, resources: Sequence[tuple[str, Resource]], as_of: date
) -> list[SourcedFacts]:
    """One entry per resource that states something; of one kind, the later said is the later.

    `resources` are those beside the request, each with the reference that names it (`Patient/x`),
    in the order received. Contained ones are found in the request.
    """
    payload = Payload(service_request, resources)
    stated = [read_request(payload)]
    if payload.patient:
        stated.append(read_patient(payload.patient, "Patient"))
    reasons = read_diagnoses(service_request.get("reasonCode") or (), "ServiceRequest")
    conditions = [read_condition(c, source) for source, c in payload.all("Condition")]
    stated += bounded([found for found in (reasons, *conditions) if found is not None])
    stated += read_encounters(payload, as_of)
    stated += read_observations(payload, as_of)
    stated += _responses(payload)
    if payload.strangers:
        notes = noted(
            [f"{s}: is about somebody else, so it was not read" for s in payload.strangers]
        )
        stated.append(SourcedFacts(SourceKind.DERIVED, "ServiceRequest", notes=notes))
    return stated


def read_coverages(payload: Payload) -> tuple[CoverageTerms, ...]:
    """The payload's Coverages, those that the request names as its insurance first."""
    found = [read_coverage(c, payload, source) for source, c in payload.coverages()]
    if not found:
        # A plan may be named by a logical reference alone.
        for reference in payload.request.get("insurance") or ():
            plan = own_identifier({"identifier": [reference.get("identifier")]}, codes.PLAN_ID)
            if plan:
                named = "ServiceRequest.insurance"
                found.append(CoverageTerms(named, active=True, plan=plan, period_known=False))
    return tuple(found)


def read_roster_member(
    patient: Resource, coverages: Sequence[Resource], responses: Sequence[Resource]
) -> RosterMember:
    """A member as a plan's roster states them: to be read once, when the roster is loaded."""
    pairs = [(f"Coverage/{c.get('id')}", c) for c in coverages]
    payload = Payload({"subject": {}})
    terms = tuple(read_coverage(c, payload, ROSTER) for _, c in pairs)
    of_patient = read_patient(patient, ROSTER)
    values: dict[str, Fact] = dict(of_patient.values)
    notes = list(of_patient.notes)
    for response in _in_order([(ROSTER, r) for r in responses]):
        values.update(response.values)
        notes += response.notes
    managing = (patient.get("managingOrganization") or {}).get("identifier")
    plan = next((t.plan for t in terms if t.plan), None)
    return RosterMember(
        own_identifier(patient, codes.CIN) or next((t.subscriber for t in terms), None),
        plan or own_identifier({"identifier": [managing]}, codes.PLAN_ID),
        _birth_date(patient),
        SourcedFacts(
            SourceKind.ELEMENT, ROSTER, values, birth=of_patient.birth, notes=tuple(notes)
        ),
        terms,
    )


def _responses(payload: Payload) -> list[SourcedFacts]:
    return _in_order(list(payload.all("QuestionnaireResponse")))


def _in_order(responses: Sequence[tuple[str, Resource]]) -> list[SourcedFacts]:
    """What the responses state, the earliest said first.

    `authored` orders them; one without it counts as said after those received before it, and so
    yields only to what was authored later still (facts.md 1.1).
    """
    dated: list[tuple[Any, SourcedFacts]] = []
    latest = None
    for source, response in responses:
        stated = read_response(response, source)
        moment = read_moment(response.get("authored")) or latest
        if moment is not None and (latest is None or moment > latest):
            latest = moment
        if stated is not None:
            dated.append((moment, stated))
    if len(dated) > 1:
        dated.sort(key=lambda entry: (entry[0] is not None, entry[0] or 0))
    return [stated for _, stated in dated]


def _birth_date(patient: Resource) -> str | None:
    value = patient.get("birthDate")
    return value if isinstance(value, str) else None


#: CDC race and ethnicity codes of the US Core extension; `UNK` and `ASKU` are in neither list.
_RACES = {
    "2054-5": "black",
    "1002-5": "american-indian",
    "1004-1": "american-indian",
    "1735-0": "alaska-native",
    "2076-8": "pacific-islander",
    "2079-2": "pacific-islander",
    "2500-7": "pacific-islander",
    "2028-9": "asian",
    "2106-3": "white",
    "2131-1": "other",
}
_UNITS = {"h": "requested_hours", "d": "requested_days", "wk": "requested_weeks"}


def read_patient(patient: Mapping[str, Any], source: str) -> SourcedFacts:
    """Birth date, county and race. A district that is no county is unknown, and noted."""
    values: dict[str, Fact] = {}
    unreadable: frozenset[str] = frozenset()
    district = _district(patient)
    county = county_code(district) if district else None
    if county:
        values["county"] = Fact(county, source)
    elif district:
        unreadable = frozenset({"county"})
    races = _races(patient)
    if races:
        values["race"] = Fact(races, source)
    birth = read_span(patient.get("birthDate"))
    notes = tuple(unread_note(name) for name in unreadable)
    return SourcedFacts(
        SourceKind.ELEMENT, source, values, birth=birth, unreadable=unreadable, notes=notes
    )


def read_coverage(coverage: Mapping[str, Any], payload: Payload, source: str) -> CoverageTerms:
    """One Coverage as stated; a class or type of a foreign system says nothing."""
    period = coverage.get("period") or {}
    starts, ends = read_span(period.get("start")), read_span(period.get("end"))
    unclear = not _to_the_day(starts, period.get("start")) or not _to_the_day(
        ends, period.get("end")
    )
    line = code_of(coverage.get("type"), codes.LINE_OF_BUSINESS)
    listed = load_dictionary()["line_of_business"].codes
    plan, payor = _payor(coverage, payload)
    return CoverageTerms(
        source,
        active=coverage.get("status") == "active",
        first=starts.first if starts else None,
        last=ends.last if ends else None,
        plan=plan,
        payor=payor,
        line_of_business=line if line in listed else None,
        delegate=_delegate(coverage),
        subscriber=_text(coverage.get("subscriberId")),
        period_known=not unclear,
    )


def _to_the_day(when: Span | None, stated: object) -> bool:
    """Whether an end of a period is open, or known to the day."""
    return when.first == when.last if when else not stated


def read_request(payload: Payload) -> SourcedFacts:
    """The amount requested, and who refers where the request itself shows it."""
    source = "ServiceRequest"
    values: dict[str, FactValue] = {}
    quantity = payload.request.get("quantityQuantity") or {}
    amount = read_quantity(quantity)
    name = _UNITS.get(str(quantity.get("code")))
    notes: tuple[str, ...] = ()
    if name and amount is not None and quantity.get("system") in (codes.UCUM, None):
        if amount == amount.to_integral_value():
            values[name] = int(amount)
        else:
            notes = (unread_note(name),)
    dollars = read_dollars(quantity)
    if dollars is not None:
        values["requested_usd"] = dollars
    if asks_for_oneself(payload):
        values["referral_source"] = "member"
    for _, consent in payload.all("Consent"):
        denied = (consent.get("provision") or {}).get("type") == "deny"
        if consent.get("status") == "active" and not denied:
            values["consent_attested"] = True
    facts = {name: Fact(value, source) for name, value in values.items()}
    return SourcedFacts(SourceKind.DERIVED, source, facts, notes=notes)


def asks_for_oneself(payload: Payload) -> bool:
    """Whether the requester is the member."""
    requester = payload.request.get("requester") or {}
    literal = requester.get("reference")
    if literal and literal == payload.subject.get("reference"):
        return True
    cin = identified_as(requester, codes.CIN)
    return cin is not None and cin == payload.cin


def _district(patient: Mapping[str, Any]) -> str | None:
    stated = [a for a in patient.get("address") or () if _text(a.get("district"))]
    home = [a for a in stated if a.get("use") == "home"]
    return _text((home or stated)[0]["district"]) if stated else None


def _races(patient: Mapping[str, Any]) -> frozenset[str]:
    found = set()
    for extension in patient.get("extension") or ():
        if extension.get("url") != codes.US_CORE_RACE:
            continue
        for part in extension.get("extension") or ():
            if part.get("url") in ("ombCategory", "detailed"):
                found.add(_RACES.get(str((part.get("valueCoding") or {}).get("code"))))
    return frozenset(race for race in found if race)


def _payor(coverage: Mapping[str, Any], payload: Payload) -> tuple[str | None, str | None]:
    reference = None
    for payor in coverage.get("payor") or ():
        organization = payload.resolve(payor)
        plan = identified_as(payor, codes.PLAN_ID)
        plan = plan or (payload.own(organization, codes.PLAN_ID) if organization else None)
        if plan:
            return plan, None
        reference = reference or _text(payor.get("reference"))
    return None, reference


def _delegate(coverage: Mapping[str, Any]) -> str | None:
    for klass in coverage.get("class") or ():
        for coding in (klass.get("type") or {}).get("coding") or ():
            if coding.get("system") == codes.COVERAGE_CLASS and coding.get("code") == "delegate":
                value = _text(klass.get("value"))
                return value.upper() if value else None
    return None


def _text(value: Any) -> str | None:
    return (value.strip() or None) if isinstance(value, str) else None
