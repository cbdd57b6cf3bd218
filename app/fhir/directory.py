"""Reads organizations, offers and roster members from FHIR, and writes the numbers of an offer.

An offer is a HealthcareService (README of the sample network). A member is a Patient with
Coverages; values that have no element in these are answers to the form `roster` (facts.md 1.3,
3.2). Resources have passed the base R4 check; the functions here check the rules that this service
adds. `app.store.directory.store` stores the rows.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.base.errors import Issue
from app.base.text import as_key
from app.fhir.facts import read_roster_member
from app.fhir.payload import Resource, identifier_value, own_identifier
from app.fhir.r4 import codes
from app.fhir.r4.strict_json import dumps, parse
from app.fhir.reference import id_of
from app.policy.counties import county_code
from app.policy.stated import RosterMember

CAPACITY_STATUSES = ("capacity", "no-capacity", "waitlist", "additional-assessment-required")
#: A larger count is a typing error; PostgreSQL's integers end at about twice this number.
MAX_PLACES = 1_000_000_000


@dataclass(frozen=True, slots=True)
class OrganizationRow:
    """The columns of an Organization, stored beside its body."""

    id: str
    name: str
    npi: str | None
    plan: str | None
    active: bool
    #: Every NPI in use, as keys; no other organization may have one of these NPIs.
    npis: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OfferRow:
    """The columns of a HealthcareService, stored beside its body; `taken` is the stated number."""

    id: str
    plan: str
    organization_id: str
    service: str
    counties: tuple[str, ...]
    populations: tuple[str, ...]
    places: int
    taken: int
    status: str
    active: bool


def read_organization(resource: Resource) -> OrganizationRow:
    """Read an Organization; one without a name gets its id as name."""
    return OrganizationRow(
        id=str(resource["id"]),
        name=str(resource.get("name") or resource["id"]),
        npi=own_identifier(resource, codes.NPI),
        plan=own_identifier(resource, codes.PLAN_ID),
        active=resource.get("active") is not False,
        npis=npis_of(resource),
    )


def npis_of(organization: Resource) -> tuple[str, ...]:
    """Read the NPIs in use, as keys; an `old` NPI counts only if there is no other."""
    named = organization.get("identifier") or ()
    used = [identifier_value(one, codes.NPI) for one in named if one.get("use") != "old"]
    values = [*used, own_identifier(organization, codes.NPI)]
    return tuple(sorted({as_key(value) for value in values if value}))


def read_offer(resource: Resource) -> tuple[OfferRow | None, list[Issue]]:
    """Read an offer, or every fault for which the HealthcareService is refused."""
    faults: list[Issue] = []
    service = _single_code(resource, "type", codes.CALAIM_SERVICE, codes.SERVICES, faults)
    plan = _single_code(resource, "program", codes.PLAN, None, faults)
    owner = local_id((resource.get("providedBy") or {}).get("reference"), "Organization")
    if owner is None:
        faults.append(
            _fault("required", "providedBy", "Name the organization: `Organization/` and its id.")
        )
    counties = _counties(resource, faults)
    populations = _populations(resource, faults)
    places, taken, status = _capacity(resource, faults)
    if faults or service is None or plan is None or owner is None:
        return None, faults
    active = resource.get("active") is not False
    row = OfferRow(
        str(resource["id"]),
        plan,
        owner,
        service,
        counties,
        populations,
        places,
        taken,
        status,
        active,
    )
    return row, []


def _fault(code: str, path: str, text: str, kind: str = "HealthcareService") -> Issue:
    return Issue(code, text, f"{kind}.{path}")


def _single_code(
    resource: Resource,
    element: str,
    system: str,
    known: Mapping[str, str] | None,
    faults: list[Issue],
) -> str | None:
    stated = {
        coding.get("code")
        for concept in resource.get(element) or ()
        for coding in concept.get("coding") or ()
        if coding.get("system") == system
    }
    if len(stated) != 1:
        faults.append(_fault("required", element, f"Give exactly one code of the system {system}."))
        return None
    code = stated.pop()
    if not isinstance(code, str) or (known is not None and code not in known):
        faults.append(_fault("code-invalid", element, f"Give a code of the system {system}."))
        return None
    return code


def _counties(resource: Resource, faults: list[Issue]) -> tuple[str, ...]:
    counties: list[str] = []
    for index, area in enumerate(resource.get("coverageArea") or ()):
        stated = identifier_value(area.get("identifier"), codes.COUNTY_ID) or area.get("display")
        county = county_code(stated) if isinstance(stated, str) else None
        if county is None:
            text = "Name a county of California by identifier or display."
            faults.append(_fault("code-invalid", f"coverageArea[{index}]", text))
        else:
            counties.append(county)
    return tuple(sorted(set(counties)))


def _populations(resource: Resource, faults: list[Issue]) -> tuple[str, ...]:
    populations: set[str] = set()
    for index, eligibility in enumerate(resource.get("eligibility") or ()):
        for coding in (eligibility.get("code") or {}).get("coding") or ():
            if coding.get("system") != codes.POPULATION:
                continue
            code = coding.get("code")
            if code in codes.POPULATIONS:
                populations.add(code)
            else:
                text = "Give a code of the populations of focus."
                faults.append(_fault("code-invalid", f"eligibility[{index}].code", text))
    return tuple(sorted(populations))


def _capacity(resource: Resource, faults: list[Issue]) -> tuple[int, int, str]:
    parts = {part.get("url"): part.get("valueInteger") for part in _parts(resource, codes.CAPACITY)}
    places, taken = parts.get("places"), parts.get("taken", 0)
    if not (_is_count(places) and _is_count(taken)):
        text = "Give `places` (and `taken`, where places are taken) as integers from 0 on."
        faults.append(_fault("value", f"extension('{codes.CAPACITY}')", text))
        places = taken = 0
    status = "capacity"
    for part in _parts(resource, codes.GRAVITY_CAPACITY):
        for coding in (part.get("valueCodeableConcept") or {}).get("coding") or ():
            status = coding.get("code", status)
    if status not in CAPACITY_STATUSES:
        text = f"The capacity status is one of {', '.join(CAPACITY_STATUSES)}."
        faults.append(_fault("code-invalid", f"extension('{codes.GRAVITY_CAPACITY}')", text))
        status = "capacity"
    return int(places or 0), int(taken or 0), status


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_PLACES


def _parts(resource: Resource, url: str) -> Iterator[Resource]:
    for extension in resource.get("extension") or ():
        if extension.get("url") == url:
            yield from extension.get("extension") or ()


def with_numbers(body: bytes, places: int, taken: int, status: str) -> bytes:
    """Write the current numbers into an offer that is read.

    Approvals take and free places without a new version of the resource, so a current read shows
    the current numbers; an older version shows the numbers that were stated then.
    """
    return dumps(set_capacity(parse(body), places, taken, status))


def set_capacity(resource: Resource, places: int, taken: int, status: str) -> dict[str, Any]:
    """Set the numbers of an offer; other extensions and elements stay."""
    others = [
        extension
        for extension in resource.get("extension") or ()
        if extension.get("url") not in (codes.CAPACITY, codes.GRAVITY_CAPACITY)
    ]
    numbers = {
        "url": codes.CAPACITY,
        "extension": [
            {"url": "places", "valueInteger": places},
            {"url": "taken", "valueInteger": taken},
        ],
    }
    availability = {
        "url": codes.GRAVITY_CAPACITY,
        "extension": [
            {
                "url": "capacityStatus",
                "valueCodeableConcept": {
                    "coding": [{"system": codes.GRAVITY_CODES, "code": status}]
                },
            }
        ],
    }
    return {**resource, "extension": [numbers, availability, *others]}


def local_id(reference: object, kind: str) -> str | None:
    """Read the id of a relative reference to a type; None for anything else."""
    return id_of(reference, kind)


def plan_named(reference: Resource | None, plans: Mapping[str, str]) -> str | None:
    """Read the plan that a reference names by identifier, or by an Organization that is a plan."""
    if not reference:
        return None
    stated = identifier_value(reference.get("identifier"), codes.PLAN_ID)
    return stated or plans.get(local_id(reference.get("reference"), "Organization") or "")


def cin_of(patient: Resource) -> str | None:
    """Read the member's CIN."""
    cin = own_identifier(patient, codes.CIN)
    return None if cin is None else as_key(cin)


def read_member(
    patient: Resource, coverages: Sequence[Resource], responses: Sequence[Resource], plan: str
) -> RosterMember:
    """Read all that the roster of `plan` states of one member; called once, at the load."""
    ordered = sorted(coverages, key=lambda one: str(one["id"]))
    member = read_roster_member(patient, ordered, responses)
    terms = tuple(replace(one, plan=plan) for one in member.coverages)
    return replace(member, plan=plan, coverages=terms)
