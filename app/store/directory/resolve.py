"""Finds the plan of each resource of a batch, and checks that the resources it refers to exist.

PURE: works on the stored data (`StoredDirectory`) and on the batch itself, in any order. Finds
every fault, not only the first one. `app.store.directory.store` writes the batch.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from app.base.errors import Issue
from app.base.ids import is_id_of_part
from app.fhir.directory import (
    OfferRow,
    OrganizationRow,
    cin_of,
    local_id,
    plan_named,
    read_offer,
    read_organization,
)
from app.fhir.payload import Resource
from app.store.directory.record import DirectoryRefused, Key, key
from app.store.reading.access import NO_PLAN


@dataclass(frozen=True, slots=True)
class StoredDirectory:
    """The stored data about everything that a batch names."""

    #: (type, id) → (plan, whether the resource belongs to a referral).
    located: Mapping[Key, tuple[str, bool]]
    #: Organization id → (NPI, plan code).
    organizations: Mapping[str, tuple[str | None, str | None]]
    #: (plan, CIN) → Patient id.
    cins: Mapping[tuple[str, str], str]
    #: NPI → the id of the Organization that has it.
    npis: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Batch:
    """The plan of each resource, and the rows to write beside the resources."""

    plans: dict[Key, str] = field(default_factory=dict)
    organizations: dict[str, OrganizationRow] = field(default_factory=dict)
    offers: dict[str, OfferRow] = field(default_factory=dict)
    npis: dict[str, str] = field(default_factory=dict)
    #: Coverages and QuestionnaireResponses → the Patient that they are about.
    patients: dict[Key, str] = field(default_factory=dict)
    faults: list[tuple[Key, Issue]] = field(default_factory=list)

    def fault(self, resource: Resource, code: str, path: str, text: str) -> None:
        kind = resource["resourceType"]
        self.faults.append((key(resource), Issue(code, text, f"{kind}.{path}" if path else kind)))


def patient_of(resource: Resource) -> str | None:
    """Returns the id of the Patient that a Coverage or a response is about."""
    about = resource.get("beneficiary") or resource.get("subject") or {}
    return local_id(about.get("reference"), "Patient")


def resolve(resources: Sequence[Resource], known: StoredDirectory, by: str | None = None) -> Batch:
    """Makes the batch to write. Raises `DirectoryRefused` with every fault.

    If the client of a plan writes (`by`), members of another plan count as unknown.
    """
    batch = Batch()
    _organizations(batch, resources, known)
    plans = {row.id: row.plan for row in batch.organizations.values() if row.plan}
    plans = {
        **{id_: plan for id_, (_, plan) in known.organizations.items() if plan},
        **plans,
    }
    _offers(batch, resources, known)
    _patients(batch, resources, known, plans)
    _about_patients(batch, resources, known, plans, by)
    _check_ids(batch, resources, known)
    if batch.faults:
        raise DirectoryRefused(batch.faults)
    return batch


def _of(resources: Iterable[Resource], *kinds: str) -> list[Resource]:
    return [resource for resource in resources if resource["resourceType"] in kinds]


def _organizations(batch: Batch, resources: Sequence[Resource], known: StoredDirectory) -> None:
    codes = {plan: id_ for id_, (_, plan) in known.organizations.items() if plan}
    for resource in _of(resources, "Organization"):
        row = read_organization(resource)
        if row.plan and codes.setdefault(row.plan, row.id) != row.id:
            text = "Another organization is this plan already. Update that one."
            batch.fault(resource, "duplicate", "identifier", text)
        batch.organizations[row.id] = row
        batch.plans[key(resource)] = NO_PLAN
    _npis(batch, resources, known)


def _npis(batch: Batch, resources: Sequence[Resource], known: StoredDirectory) -> None:
    """Checks that one organization only has each NPI; those of the batch may swap theirs."""
    held = {npi: id_ for npi, id_ in known.npis.items() if id_ not in batch.organizations}
    for resource in _of(resources, "Organization"):
        for npi in batch.organizations[resource["id"]].npis:
            other = held.setdefault(npi, resource["id"])
            if other != resource["id"]:
                text = f"Organization/{other} has this NPI. Use that one, or correct the number."
                batch.fault(resource, "duplicate", "identifier", text)


def _offers(batch: Batch, resources: Sequence[Resource], known: StoredDirectory) -> None:
    for resource in _of(resources, "HealthcareService"):
        row, faults = read_offer(resource)
        batch.faults += [(key(resource), fault) for fault in faults]
        if row is None:
            continue
        loaded = batch.organizations.get(row.organization_id)
        if loaded is None and row.organization_id not in known.organizations:
            text = "The organization is not known here. Load it first, or with the offer."
            batch.fault(resource, "not-found", "providedBy", text)
            continue
        npi = loaded.npi if loaded else known.organizations[row.organization_id][0]
        batch.npis[row.id] = npi or ""
        batch.offers[row.id] = row
        batch.plans[key(resource)] = row.plan


def _patients(
    batch: Batch, resources: Sequence[Resource], known: StoredDirectory, plans: Mapping[str, str]
) -> None:
    payors = _payors(resources, plans)
    taken = dict(known.cins)
    for resource in _of(resources, "Patient"):
        plan = plan_named(resource.get("managingOrganization"), plans)
        plan = plan or payors.get(resource["id"]) or known.located.get(key(resource), (None,))[0]
        cin = cin_of(resource)
        if plan is None:
            text = "Name the plan by identifier, here or as the payor of the member's Coverage."
            batch.fault(resource, "required", "managingOrganization", text)
        if cin is None:
            batch.fault(resource, "required", "identifier", "Give the member's CIN.")
        if plan is None or cin is None:
            continue
        if taken.setdefault((plan, cin), resource["id"]) != resource["id"]:
            text = "Another member of the plan has this CIN. Update that one."
            batch.fault(resource, "duplicate", "identifier", text)
        batch.plans[key(resource)] = plan


def _payors(resources: Sequence[Resource], plans: Mapping[str, str]) -> dict[str, str]:
    plan_by_patient: dict[str, str] = {}
    for resource in _of(resources, "Coverage"):
        patient, plan = patient_of(resource), _payor(resource, plans)
        if patient and plan:
            plan_by_patient.setdefault(patient, plan)
    return plan_by_patient


def _payor(coverage: Resource, plans: Mapping[str, str]) -> str | None:
    named = (plan_named(payor, plans) for payor in coverage.get("payor") or ())
    return next((plan for plan in named if plan), None)


def _about_patients(
    batch: Batch,
    resources: Sequence[Resource],
    known: StoredDirectory,
    plans: Mapping[str, str],
    by: str | None,
) -> None:
    for resource in _of(resources, "Coverage", "QuestionnaireResponse"):
        coverage = resource["resourceType"] == "Coverage"
        element = "beneficiary" if coverage else "subject"
        patient = patient_of(resource)
        plan = batch.plans.get(("Patient", patient or ""))
        if plan is None:
            plan, copy = known.located.get(("Patient", patient or ""), (None, False))
            plan = None if copy else plan
        if patient is None or plan is None or by not in (None, plan):
            text = "Name a member of the roster: `Patient/` and the id."
            batch.fault(resource, "not-found", element, text)
            continue
        if coverage and _payor(resource, plans) not in (None, plan):
            text = "The member belongs to another plan."
            batch.fault(resource, "business-rule", "payor", text)
        batch.patients[key(resource)] = patient
        batch.plans[key(resource)] = plan


def _check_ids(batch: Batch, resources: Sequence[Resource], known: StoredDirectory) -> None:
    """Checks that no id exists under another plan or belongs to a referral: it is not free."""
    for resource in resources:
        located, plan = known.located.get(key(resource)), batch.plans.get(key(resource))
        elsewhere = located and plan and located != (plan, False)
        if elsewhere or is_id_of_part(resource["id"]):
            batch.fault(resource, "conflict", "id", "This id is not free. Choose another.")
