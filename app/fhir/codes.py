"""Every system, extension and value-set address that we read or write: the only place that spells a URL.

Beside our own code systems stand their words, which `display` elements and letters use. What a code
means for a decision is left to `app.policy`.
"""

from collections.abc import Mapping
from typing import Final

BASE: Final = "https://nowrongdoor.example/fhir/"
_CODE_SYSTEM = BASE + "CodeSystem/"
_STRUCTURE = BASE + "StructureDefinition/"
_SID = BASE + "sid/"
QUESTIONNAIRE: Final = BASE + "Questionnaire/"

# Identifier systems.
CIN: Final = _SID + "cin"
PLAN_ID: Final = _SID + "plan"
COUNTY_ID: Final = _SID + "county"
REFERRAL_ID: Final = _SID + "referral"
AUTHORIZATION_ID: Final = _SID + "authorization"
NPI: Final = "http://hl7.org/fhir/sid/us-npi"

# Our code systems.
CALAIM_SERVICE: Final = _CODE_SYSTEM + "calaim-service"
SERVICE_CATEGORY: Final = _CODE_SYSTEM + "service-category"
POPULATION: Final = _CODE_SYSTEM + "ecm-population-of-focus"
PLAN: Final = _CODE_SYSTEM + "plan"
LINE_OF_BUSINESS: Final = _CODE_SYSTEM + "line-of-business"
COVERAGE_CLASS: Final = _CODE_SYSTEM + "coverage-class"
FACT: Final = _CODE_SYSTEM + "fact"
REFERRAL_STATE: Final = _CODE_SYSTEM + "referral-state"
BUSINESS_STATUS: Final = _CODE_SYSTEM + "referral-business-status"
DETERMINATION_REASON: Final = _CODE_SYSTEM + "determination-reason"
TASK_OUTPUT: Final = _CODE_SYSTEM + "task-output"
ERROR_DETAIL: Final = _CODE_SYSTEM + "error-detail"

# Our extensions.
RECEIVED: Final = _STRUCTURE + "received"
ENCOUNTER_AVOIDABLE: Final = _STRUCTURE + "encounter-avoidable"
CAPACITY: Final = _STRUCTURE + "capacity"
AUTHORIZED_REFERRAL: Final = _STRUCTURE + "authorized-referral"
DETERMINATION: Final = _STRUCTURE + "determination"

# Other people's extensions.
US_CORE_RACE: Final = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race"
REQUEST_STATUS_REASON: Final = "http://hl7.org/fhir/StructureDefinition/request-statusReason"
GRAVITY: Final = "http://hl7.org/fhir/us/sdoh-clinicalcare/"
GRAVITY_CAPACITY: Final = (
    GRAVITY + "StructureDefinition/SDOHCC-ExtensionHealthcareServiceCapacityStatus"
)
GRAVITY_CODES: Final = GRAVITY + "CodeSystem/SDOHCC-CodeSystemTemporaryCodes"

# Other people's code systems.
_HL7 = "http://terminology.hl7.org/CodeSystem/"
ICD_10_CM: Final = "http://hl7.org/fhir/sid/icd-10-cm"
HCPCS: Final = "https://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
#: The same code system as other senders spell it: HL7's former address and the OIDs.
HCPCS_SYSTEMS: Final = frozenset(
    {HCPCS, HCPCS.replace("https:", "http:"), "urn:oid:2.16.840.1.113883.6.285"}
)
ICD_SYSTEMS: Final = frozenset({ICD_10_CM, "urn:oid:2.16.840.1.113883.6.90"})
LOINC: Final = "http://loinc.org"
SNOMED: Final = "http://snomed.info/sct"
UCUM: Final = "http://unitsofmeasure.org"
CURRENCY: Final = "urn:iso:std:iso:4217"
LANGUAGE: Final = "urn:ietf:bcp:47"
RACE: Final = "urn:oid:2.16.840.1.113883.6.238"
ACT_CODE: Final = _HL7 + "v3-ActCode"
ACT_PRIORITY: Final = _HL7 + "v3-ActPriority"
ADMIT_SOURCE: Final = _HL7 + "admit-source"
IDENTIFIER_TYPE: Final = _HL7 + "v2-0203"
ORGANIZATION_TYPE: Final = _HL7 + "organization-type"
TASK_CODE: Final = "http://hl7.org/fhir/CodeSystem/task-code"

CLAIM_TYPE: Final = _HL7 + "claim-type"
ADJUDICATION: Final = _HL7 + "adjudication"
COMMUNICATION_CATEGORY: Final = _HL7 + "communication-category"
PAS: Final = "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/"
PAS_REVIEW_ACTION: Final = PAS + "extension-reviewAction"
PAS_REVIEW_ACTION_CODE: Final = PAS + "extension-reviewActionCode"
PAS_AUTHORIZED_PROVIDER: Final = PAS + "extension-itemAuthorizedProvider"
X12_306: Final = "https://codesystem.x12.org/005010/306"

#: LOINC "Pregnancy status", and its two SNOMED CT answers that say yes or no.
PREGNANCY_STATUS: Final = "82810-3"
PREGNANT: Final = "77386006"
NOT_PREGNANT: Final = "60001007"

SERVICES: Final = {
    "ECM": "Enhanced Care Management",
    "HTNS": "Housing Transition Navigation Services",
    "HD": "Housing Deposits",
    "HTSS": "Housing Tenancy and Sustaining Services",
    "STPHH": "Short-Term Post-Hospitalization Housing",
    "RC": "Recuperative Care (Medical Respite)",
    "MTM": "Medically Tailored Meals / Medically Supportive Food",
    "SC": "Sobering Center",
    "AR": "Asthma Remediation",
    "EAA": "Environmental Accessibility Adaptations (Home Modifications)",
    "DH": "Day Habilitation",
    "PCHS": "Personal Care and Homemaker Services",
    "RESP": "Respite Services",
    "NFTD": "Nursing Facility Transition/Diversion to Assisted Living",
    "CTS": "Community Transition Services / Nursing Facility Transition to a Home",
    "TR": "Transitional Rent",
}

POPULATIONS: Final = {
    "POF1A": "Adults experiencing homelessness",
    "POF1B": "Homeless families or unaccompanied children and youth",
    "POF2": "At risk for avoidable hospital or emergency department use",
    "POF3": "Serious mental health or substance use disorder needs",
    "POF4": "Transitioning from incarceration",
    "POF5": "Adults in the community at risk for long-term care institutionalization",
    "POF6": "Adult nursing facility residents transitioning to the community",
    "POF7": "Children and youth in California Children's Services with further needs",
    "POF8": "Children and youth involved in child welfare",
    "POF9": "Birth equity",
    "HPSJ_IDD": "Adults with an intellectual or developmental disability",
    "HPSJ_PREG": "Pregnant and postpartum members",
}

STATES: Final = {
    "pending": "Pending",
    "approved": "Approved",
    "denied": "Denied",
    "void": "Void",
    "cancelled": "Cancelled",
}

BUSINESS_STATUSES: Final = {
    "in-review": "In review",
    "information-needed": "Information needed",
    "assigned": "Assigned",
    "alternate": "Assigned to another than the one asked for",
    "waitlisted": "On a waiting list",
    "unassigned": "No organization found yet",
    "accepted": "Accepted by the organization",
    "on-hold": "On hold",
    "in-service": "In service",
    "completed": "Service completed",
    "unfulfilled": "Service could not be given",
}

REASONS: Final = {
    "population-met": "A population of focus is met",
    "service-criteria-met": "The criteria of the service are met",
    "no-population": "No population of focus is met",
    "service-criteria-not-met": "The criteria of the service are not met",
    "plan-gate-not-met": "The plan's conditions for Community Supports are not met",
    "not-yet-live": "Not available on this date yet",
    "not-offered": "The plan does not offer this service in the county",
    "not-a-member": "Not covered by the plan on this date",
    "line-of-business": "Not part of the member's line of business",
    "excluded-1915c": "Enrolled in a 1915(c) waiver",
    "excluded-program": "Enrolled in a program that excludes this service",
    "delegated-plan": "The member is delegated to another plan",
    "limit-reached": "The limit of the service is reached",
    "population-missing": "No population of focus is named",
    "facts-missing": "Information is missing",
    "member-unidentified": "The member could not be identified",
    "partial-availability": "The service is available in part only",
    "already-authorized": "The service is authorized already",
    "review-required": "A person has to decide",
    "exception-granted": "Approved as an exception",
    "information-not-received": "The information asked for did not arrive in time",
    "withdrawn": "Withdrawn by the requester",
    "declined-by-member": "Declined by the member",
}

COUNTIES: Final = {
    "san_joaquin": "San Joaquin",
    "stanislaus": "Stanislaus",
    "san_mateo": "San Mateo",
    "merced": "Merced",
    "monterey": "Monterey",
    "santa_cruz": "Santa Cruz",
}

#: The other counties of California: a district that is none of these 58 is a word we cannot read.
OTHER_COUNTIES: Final = frozenset(
    "alameda alpine amador butte calaveras colusa contra_costa del_norte el_dorado fresno glenn"
    " humboldt imperial inyo kern kings lake lassen los_angeles madera marin mariposa mendocino"
    " modoc mono napa nevada orange placer plumas riverside sacramento san_benito san_bernardino"
    " san_diego san_francisco san_luis_obispo santa_barbara santa_clara shasta sierra siskiyou"
    " solano sonoma sutter tehama trinity tulare tuolumne ventura yolo yuba".split()
)

CATEGORIES: Final = {
    "ecm": "Enhanced Care Management",
    "community-supports": "Community Supports",
}
LINES_OF_BUSINESS: Final = {"MEDI-CAL": "Medi-Cal", "CAREADVANTAGE": "CareAdvantage"}


def fact_system(name: str) -> str:
    """The code system of a fact's answers (facts.md 1.1): the name with `_` and `.` as `-`."""
    if name == "current_authorizations":
        return CALAIM_SERVICE
    return _CODE_SYSTEM + name.replace("_", "-").replace(".", "-")


def county_code(district: str) -> str | None:
    """`San Mateo`, `SAN MATEO COUNTY` or `san_mateo` → `san_mateo`; None: no county of California."""
    words = district.lower().replace("_", " ").replace("-", " ").split()
    if words and words[-1] == "county":
        words.pop()
    code = "_".join(words)
    return code if code in COUNTIES or code in OTHER_COUNTIES else None


def coding(system: str, code: str, words: Mapping[str, str]) -> dict[str, str]:
    """One Coding of ours, with its display where we have a word for it."""
    made = {"system": system, "code": code}
    if code in words:
        made["display"] = words[code]
    return made
