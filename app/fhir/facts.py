"""Reads every fact that a referral and its resources state, source by source (facts.md 1 and 4).

`read_facts` calls the readers of `facts_answers` (forms) and `facts_clinical` (clinical resources);
this file itself reads Patient, Coverage, Consent and the request (facts.md 1.3, 1.4, 4.3).
Nothing here raises: a value that cannot be read is unknown, and a note says so.
`app.journey.eligibility.merge` decides which source holds where sources differ;
`app.policy.stated` decides which of several Coverages holds on a date.
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
from app.policy.stated import (
    ROSTER,
    CoverageTerms,
    RosterMember,
    SourcedFacts,
    SourceKind,
    bounded,
    noted,
)


def read_facts(
    service_request: Resource, resources: Sequence[tuple[str, Resource]], as_of: date
) -> list[SourcedFacts]:
    """Read the facts: one entry per stating resource, the earliest of a kind first.

    `resources` are the resources sent beside the request, in the order received, each with the
    reference that names it (`Patient/x`). Contained resources are taken from the request itself.
    """
    payload = Payload(service_request, resources)
    stated = [read_request(payload)]
    if payload.patient:
        stated.append(read_patient(payload.patient, "Patient"))
    reasons = read_diagnoses(service_request.get("reasonCode") or (), "ServiceRequest")
    conditions = [read_condition(c, source) for source, c in payload.all("Condition")]
    stated += bounded([one for one in (reasons, *conditions) if one is not None])
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
    """Read the payload's Coverages; those that the request names as its insurance come first."""
    terms = [read_coverage(c, payload, source) for source, c in payload.coverages()]
    if not terms:
        # A request may name its plan by an identifier alone, without a Coverage.
        for reference in payload.request.get("insurance") or ():
            plan = own_identifier({"identifier": [reference.get("identifier")]}, codes.PLAN_ID)
            if plan:
                named = "ServiceRequest.insurance"
                terms.append(CoverageTerms(named, active=True, plan=plan, period_known=False))
    return tuple(terms)


def read_roster_member(
    patient: Resource, coverages: Sequence[Resource], responses: Sequence[Resource]
) -> RosterMember:
    """Read a member as a plan's roster states them; called once, when the roster is loaded."""
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
            SourceKind.ELEMENT,
            ROSTER,
            values,
            birth=of_patient.birth,
            sex=of_patient.sex,
            notes=tuple(notes),
        ),
        terms,
    )


def _responses(payload: Payload) -> list[SourcedFacts]:
    return _in_order(list(payload.all("QuestionnaireResponse")))


def _in_order(responses: Sequence[tuple[str, Resource]]) -> list[SourcedFacts]:
    """Read the responses; the earliest comes first.

    `authored` orders the responses. A response without `authored` counts as written after the
    responses received before it, so only a response authored still later overrules it
    (facts.md 1.1).
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
    """Read birth date, sex, county, race; a district that is no county is unknown, with a note."""
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
    sex = _text(patient.get("gender"))
    return SourcedFacts(
        SourceKind.ELEMENT, source, values, birth=birth, sex=sex, unreadable=unreadable, notes=notes
    )


def read_coverage(coverage: Mapping[str, Any], payload: Payload, source: str) -> CoverageTerms:
    """Read one Coverage as stated; a class or type of another code system is ignored."""
    period = coverage.get("period") or {}
    starts, ends = read_span(period.get("start")), read_span(period.get("end"))
    unclear = not _is_open_or_a_day(starts, period.get("start")) or not _is_open_or_a_day(
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


def _is_open_or_a_day(when: Span | None, stated: object) -> bool:
    """Whether an end of a period is open (not stated), or known to the day."""
    return when.first == when.last if when else not stated


def read_request(payload: Payload) -> SourcedFacts:
    """Read the amount requested, consent, and whether the member refers themselves."""
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
    races = set()
    for extension in patient.get("extension") or ():
        if extension.get("url") != codes.US_CORE_RACE:
            continue
        for part in extension.get("extension") or ():
            if part.get("url") in ("ombCategory", "detailed"):
                races.add(_RACES.get(str((part.get("valueCoding") or {}).get("code"))))
    return frozenset(race for race in races if race)


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
