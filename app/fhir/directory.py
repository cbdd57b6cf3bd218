"""Network and roster between FHIR and our own words: organizations, offers, members.

Encoding: an offer is a HealthcareService (README of the sample network), a member a Patient with
Coverages and, for what has no element of its own, answers to the form `roster` (facts.md 1.3, 3.2).
Base R4 is checked before; here is what this service asks beyond it. Storing is
`app.store.directory.store`.
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
#: Counts beyond this are typing errors; PostgreSQL's integers end at twice as much.
MAX_PLACES = 1_000_000_000


@dataclass(frozen=True, slots=True)
class OrganizationRow:
    """What we keep of an Organization beside its body."""

    id: str
    name: str
    npi: str | None
    plan: str | None
    active: bool
    #: Every NPI that it has in use, as keys: nobody else may have one of them.
    npis: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OfferRow:
    """What we keep of a HealthcareService beside its body. `taken` is as stated."""

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
    """An Organization; without a name its id stands for it."""
    return OrganizationRow(
        id=str(resource["id"]),
        name=str(resource.get("name") or resource["id"]),
        npi=own_identifier(resource, codes.NPI),
        plan=own_identifier(resource, codes.PLAN_ID),
        active=resource.get("active") is not False,
        npis=npis_of(resource),
    )


def npis_of(organization: Resource) -> tuple[str, ...]:
    """The NPIs in use, as keys; one that is `old` counts only where there is no other."""
    named = organization.get("identifier") or ()
    used = [identifier_value(one, codes.NPI) for one in named if one.get("use") != "old"]
    values = [*used, own_identifier(organization, codes.NPI)]
    return tuple(sorted({as_key(value) for value in values if value}))


def read_offer(resource: Resource) -> tuple[OfferRow | None, list[Issue]]:
    """An offer, or everything that keeps it from being one."""
    faults: list[Issue] = []
    service = _one(resource, "type", codes.CALAIM_SERVICE, codes.SERVICES, faults)
    plan = _one(resource, "program", codes.PLAN, None, faults)
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


def _fault(code: str, path: str, said: str, kind: str = "HealthcareService") -> Issue:
    return Issue(code, said, f"{kind}.{path}")


def _one(
    resource: Resource,
    element: str,
    system: str,
    known: Mapping[str, str] | None,
    faults: list[Issue],
) -> str | None:
    found = {
        coding.get("code")
        for concept in resource.get(element) or ()
        for coding in concept.get("coding") or ()
        if coding.get("system") == system
    }
    if len(found) != 1:
        faults.append(_fault("required", element, f"Give exactly one code of the system {system}."))
        return None
    code = found.pop()
    if not isinstance(code, str) or (known is not None and code not in known):
        faults.append(_fault("code-invalid", element, f"Give a code of the system {system}."))
        return None
    return code


def _counties(resource: Resource, faults: list[Issue]) -> tuple[str, ...]:
    found: list[str] = []
    for index, area in enumerate(resource.get("coverageArea") or ()):
        stated = identifier_value(area.get("identifier"), codes.COUNTY_ID) or area.get("display")
        county = county_code(stated) if isinstance(stated, str) else None
        if county is None:
            said = "Name a county of California by identifier or display."
            faults.append(_fault("code-invalid", f"coverageArea[{index}]", said))
        else:
            found.append(county)
    return tuple(sorted(set(found)))


def _populations(resource: Resource, faults: list[Issue]) -> tuple[str, ...]:
    found: set[str] = set()
    for index, eligibility in enumerate(resource.get("eligibility") or ()):
        for coding in (eligibility.get("code") or {}).get("coding") or ():
            if coding.get("system") != codes.POPULATION:
                continue
            code = coding.get("code")
            if code in codes.POPULATIONS:
                found.add(code)
            else:
                said = "Give a code of the populations of focus."
                faults.append(_fault("code-invalid", f"eligibility[{index}].code", said))
    return tuple(sorted(found))


def _capacity(resource: Resource, faults: list[Issue]) -> tuple[int, int, str]:
    parts = {part.get("url"): part.get("valueInteger") for part in _parts(resource, codes.CAPACITY)}
    places, taken = parts.get("places"), parts.get("taken", 0)
    if not (_is_count(places) and _is_count(taken)):
        said = "Give `places` (and `taken`, where places are taken) as integers from 0 on."
        faults.append(_fault("value", f"extension('{codes.CAPACITY}')", said))
        places = taken = 0
    status = "capacity"
    for part in _parts(resource, codes.GRAVITY_CAPACITY):
        for coding in (part.get("valueCodeableConcept") or {}).get("coding") or ():
            status = coding.get("code", status)
    if status not in CAPACITY_STATUSES:
        said = f"The capacity status is one of {', '.join(CAPACITY_STATUSES)}."
        faults.append(_fault("code-invalid", f"extension('{codes.GRAVITY_CAPACITY}')", said))
        status = "capacity"
    return int(places or 0), int(taken or 0), status


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_PLACES


def _parts(resource: Resource, url: str) -> Iterator[Resource]:
    for extension in resource.get("extension") or ():
        if extension.get("url") == url:
            yield from extension.get("extension") or ()


def with_numbers(body: bytes, places: int, taken: int, status: str) -> bytes:
    """An offer as it is served: its numbers as they are now.

    Places are taken and freed by approvals without a new version of the resource, so a current read
    shows them; an older version shows what was stated then.
    """
    return dumps(set_capacity(parse(body), places, taken, status))


def set_capacity(resource: Resource, places: int, taken: int, status: str) -> dict[str, Any]:
    """The offer with these numbers; other extensions and other parts stay."""
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
    word = {
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
    return {**resource, "extension": [numbers, word, *others]}


def local_id(reference: object, kind: str) -> str | None:
    """The id of a relative reference to a type; None for anything else."""
    return id_of(reference, kind)


def plan_named(reference: Resource | None, plans: Mapping[str, str]) -> str | None:
    """The plan that a reference names by identifier, or by an Organization that is a plan."""
    if not reference:
        return None
    stated = identifier_value(reference.get("identifier"), codes.PLAN_ID)
    return stated or plans.get(local_id(reference.get("reference"), "Organization") or "")


def cin_of(patient: Resource) -> str | None:
    """The member's CIN."""
    found = own_identifier(patient, codes.CIN)
    return None if found is None else as_key(found)


def read_member(
    patient: Resource, coverages: Sequence[Resource], responses: Sequence[Resource], plan: str
) -> RosterMember:
    """All that the roster of `plan` states of one member, put together once, when it is loaded."""
    ordered = sorted(coverages, key=lambda one: str(one["id"]))
    member = read_roster_member(patient, ordered, responses)
    terms = tuple(replace(one, plan=plan) for one in member.coverages)
    return replace(member, plan=plan, coverages=terms)
