"""Every fact that a referral and its resources state, source by source (facts.md 1 and 4).

Which source holds where they differ is left to `app.journey.eligibility.merge`; which Coverage
counts to `app.policy.coverage`. Nothing here raises: what cannot be read is unknown, and noted.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any

from app.fhir import codes
from app.fhir.dates import read_moment
from app.fhir.facts_answers import read_response
from app.fhir.facts_conditions import read_condition, read_diagnoses
from app.fhir.facts_encounters import read_encounters
from app.fhir.facts_member import read_coverage, read_patient, read_request
from app.fhir.facts_observations import read_observations
from app.fhir.payload import Payload, Resource, own_identifier
from app.policy.model import Fact
from app.policy.stated import CoverageTerms, Kind, RosterMember, SourcedFacts
from app.policy.told import bounded, noted

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
        stated.append(SourcedFacts(Kind.DERIVED, "ServiceRequest", notes=notes))
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
        SourcedFacts(Kind.ELEMENT, ROSTER, values, birth=of_patient.birth, notes=tuple(notes)),
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
