"""Every address of a system, extension or value set that we read or write; a test keeps them here.

The words of our own code systems (`display`) are data, in words.yaml and `app.policy.vocabulary`.
`app.policy` decides the effect of a code on a decision.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from app.policy.vocabulary import words_of

BASE: Final = "https://nowrongdoor.example/fhir/"
_CODE_SYSTEM = BASE + "CodeSystem/"
_STRUCTURE = BASE + "StructureDefinition/"
_SID = BASE + "sid/"
#: Addresses of our own operations, search parameters and forms; the name follows.
OPERATION: Final = BASE + "OperationDefinition/"
SEARCH_PARAMETER: Final = BASE + "SearchParameter/"
QUESTIONNAIRE: Final = BASE + "Questionnaire/"

# Identifier systems.
CIN: Final = _SID + "cin"
PLAN_ID: Final = _SID + "plan"
COUNTY_ID: Final = _SID + "county"
REFERRAL_ID: Final = _SID + "referral"
AUTHORIZATION_ID: Final = _SID + "authorization"
CLIENT_ID: Final = _SID + "client"
NPI: Final = "http://hl7.org/fhir/sid/us-npi"
#: The system of an identifier whose value is an address, as `urn:uuid:…`.
ADDRESS: Final = "urn:ietf:rfc:3986"

# Our code systems.
CALAIM_SERVICE: Final = _CODE_SYSTEM + "calaim-service"
POPULATION: Final = _CODE_SYSTEM + "ecm-population-of-focus"
PLAN: Final = _CODE_SYSTEM + "plan"
LINE_OF_BUSINESS: Final = _CODE_SYSTEM + "line-of-business"
COVERAGE_CLASS: Final = _CODE_SYSTEM + "coverage-class"
FACT: Final = _CODE_SYSTEM + "fact"
REFERRAL_STATE: Final = _CODE_SYSTEM + "referral-state"
REFERRAL_EVENT: Final = _CODE_SYSTEM + "referral-event"
BUSINESS_STATUS: Final = _CODE_SYSTEM + "referral-business-status"
DETERMINATION_REASON: Final = _CODE_SYSTEM + "determination-reason"
TASK_OUTPUT: Final = _CODE_SYSTEM + "task-output"
CORRESPONDENCE_OUTCOME: Final = _CODE_SYSTEM + "correspondence-outcome"
TASK_INPUT: Final = _CODE_SYSTEM + "task-input"
ISSUE_DETAIL: Final = _CODE_SYSTEM + "issue-detail"
#: What an AuditEvent says was done, where R4 has no interaction of that name.
AUDIT_INTERACTION: Final = _CODE_SYSTEM + "audit-interaction"

# The systems of plain codes (FHIR R4), implied where a resource has the code without a system.
_R4 = "http://hl7.org/fhir/"
REQUEST_STATUS: Final = _R4 + "request-status"
REQUEST_INTENT: Final = _R4 + "request-intent"
REQUEST_PRIORITY: Final = _R4 + "request-priority"
TASK_STATUS: Final = _R4 + "task-status"
FM_STATUS: Final = _R4 + "fm-status"
EVENT_STATUS: Final = _R4 + "event-status"
ANSWERS_STATUS: Final = _R4 + "questionnaire-answers-status"
ENCOUNTER_STATUS: Final = _R4 + "encounter-status"
OBSERVATION_STATUS: Final = _R4 + "observation-status"
DOCUMENT_STATUS: Final = _R4 + "document-reference-status"
CONSENT_STATUS: Final = _R4 + "consent-state-codes"
GENDER: Final = _R4 + "administrative-gender"
SPECIAL_VALUES: Final = "http://terminology.hl7.org/CodeSystem/special-values"

# Our extensions.
RECEIVED: Final = _STRUCTURE + "received"
#: Only in the answer to a post: the decision about the referral.
REFERRAL_DECISION: Final = _STRUCTURE + "referral-decision"
ENCOUNTER_AVOIDABLE: Final = _STRUCTURE + "encounter-avoidable"
CAPACITY: Final = _STRUCTURE + "capacity"
AUTHORIZED_REFERRAL: Final = _STRUCTURE + "authorized-referral"
#: On a question of a CommunicationRequest: the `linkId` of the form's item that answers it.
REQUESTED_FACT: Final = _STRUCTURE + "requested-fact"
#: On a Subscription: the key that verifies the `v1a` signature of every notification.
WEBHOOK_PUBLIC_KEY: Final = _STRUCTURE + "webhook-public-key"

# Other people's extensions.
US_CORE_RACE: Final = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race"
REQUEST_STATUS_REASON: Final = "http://hl7.org/fhir/StructureDefinition/request-statusReason"
TRANSLATION: Final = "http://hl7.org/fhir/StructureDefinition/translation"
#: The type of a client's assertion at the token endpoint (RFC 7523 2.2).
JWT_BEARER: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
#: On an Address: its further uses, such as CONF, a confidential one.
ADDRESS_USE: Final = "http://hl7.org/fhir/StructureDefinition/iso21090-AD-use"
OAUTH_URIS: Final = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
#: Beginnings of the extensions by which R4 carries elements of another FHIR version.
CROSS_VERSION: Final = tuple(f"{_R4}{version}/" for version in ("5.0", "4.3", "6.0"))
#: Extensions of a ServiceRequest that only this service writes; senders' copies are ignored.
OURS: Final = frozenset({REQUEST_STATUS_REASON, REFERRAL_DECISION})
GRAVITY: Final = "http://hl7.org/fhir/us/sdoh-clinicalcare/"
GRAVITY_CAPACITY: Final = (
    GRAVITY + "StructureDefinition/SDOHCC-ExtensionHealthcareServiceCapacityStatus"
)
GRAVITY_CODES: Final = GRAVITY + "CodeSystem/SDOHCC-CodeSystemTemporaryCodes"

# Other people's code systems.
_HL7 = "http://terminology.hl7.org/CodeSystem/"
ICD_10_CM: Final = "http://hl7.org/fhir/sid/icd-10-cm"
HCPCS: Final = "https://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
#: HCPCS in every spelling that senders use: also HL7's former address and the OID.
HCPCS_SYSTEMS: Final = frozenset(
    {HCPCS, HCPCS.replace("https:", "http:"), "urn:oid:2.16.840.1.113883.6.285"}
)
ICD_SYSTEMS: Final = frozenset({ICD_10_CM, "urn:oid:2.16.840.1.113883.6.90"})
LOINC: Final = "http://loinc.org"
SNOMED: Final = "http://snomed.info/sct"
UCUM: Final = "http://unitsofmeasure.org"
CURRENCY: Final = "urn:iso:std:iso:4217"
LANGUAGE: Final = "urn:ietf:bcp:47"
ACT_CODE: Final = _HL7 + "v3-ActCode"
ACT_PRIORITY: Final = _HL7 + "v3-ActPriority"
ACT_REASON: Final = _HL7 + "v3-ActReason"
AUDIT_EVENT_TYPE: Final = _HL7 + "audit-event-type"
AUDIT_ENTITY_TYPE: Final = _HL7 + "audit-entity-type"
AUDIT_SOURCE_TYPE: Final = _HL7 + "security-source-type"
OBJECT_ROLE: Final = _HL7 + "object-role"
LIFECYCLE: Final = _HL7 + "iso-21089-lifecycle"
AUDIT_ACTION: Final = _R4 + "audit-event-action"
AUDIT_OUTCOME: Final = _R4 + "audit-event-outcome"
RESTFUL_INTERACTION: Final = _R4 + "restful-interaction"
DICOM: Final = "http://dicom.nema.org/resources/ontology/DCM"
#: IHE BALP: the entity that carries an X-Request-ID.
BALP_ENTITY_TYPE: Final = "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType"
ADMIT_SOURCE: Final = _HL7 + "admit-source"
ALLERGY_VERIFICATION: Final = _HL7 + "allergyintolerance-verification"
CONDITION_CLINICAL: Final = _HL7 + "condition-clinical"
CONFIDENTIALITY: Final = _HL7 + "v3-Confidentiality"
CONDITION_VERIFICATION: Final = _HL7 + "condition-ver-status"
OBSERVATION_VALUE: Final = _HL7 + "v3-ObservationValue"
PROVENANCE_PARTICIPANT: Final = _HL7 + "provenance-participant-type"
SECURITY_SERVICE: Final = _HL7 + "restful-security-service"
SUBSCRIPTION_ERROR: Final = _HL7 + "subscription-error"
TASK_CODE: Final = "http://hl7.org/fhir/CodeSystem/task-code"
USAGE_CONTEXT: Final = _HL7 + "usage-context-type"

CLAIM_TYPE: Final = _HL7 + "claim-type"
ADJUDICATION: Final = _HL7 + "adjudication"
COMMUNICATION_CATEGORY: Final = _HL7 + "communication-category"
PARTICIPATION_MODE: Final = _HL7 + "v3-ParticipationMode"
_DAVINCI_PAS = "http://hl7.org/fhir/us/davinci-pas/"
PAS: Final = _DAVINCI_PAS + "StructureDefinition/"
PAS_TOPIC: Final = _DAVINCI_PAS + "SubscriptionTopic/PASSubscriptionTopic"
PAS_SUBMIT: Final = _DAVINCI_PAS + "OperationDefinition/Claim-submit"
PAS_INQUIRE: Final = _DAVINCI_PAS + "OperationDefinition/Claim-inquiry"
PAS_REVIEW_ACTION: Final = PAS + "extension-reviewAction"
PAS_REVIEW_ACTION_CODE: Final = PAS + "extension-reviewActionCode"
PAS_AUTHORIZED_PROVIDER: Final = PAS + "extension-itemAuthorizedProvider"
X12_306: Final = "https://codesystem.x12.org/005010/306"

# The Subscriptions R5 Backport.
_BACKPORT = "http://hl7.org/fhir/uv/subscriptions-backport/"
BACKPORT: Final = _BACKPORT + "StructureDefinition/"
BACKPORT_STATUS: Final = _BACKPORT + "OperationDefinition/backport-subscription-status"
BACKPORT_EVENTS: Final = _BACKPORT + "OperationDefinition/backport-subscription-events"
BACKPORT_SERVER: Final = _BACKPORT + "CapabilityStatement/backport-subscription-server-r4"

# Namespaces of XML.
XHTML: Final = "http://www.w3.org/1999/xhtml"
XML: Final = "http://www.w3.org/XML/1998/namespace"

#: LOINC "Pregnancy status".
PREGNANCY_STATUS: Final = "82810-3"

_words: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("words.yaml").read_text("utf-8"))

#: Code → display, for each of our own code systems.
SERVICES: Final[Mapping[str, str]] = _words["services"]
POPULATIONS: Final[Mapping[str, str]] = _words["populations"]
STATES: Final = words_of("states")
BUSINESS_STATUSES: Final = words_of("statuses")
REASONS: Final = words_of("reasons")
COUNTIES: Final[Mapping[str, str]] = _words["counties"]


def fact_system(name: str) -> str:
    """The code system of a fact's answers (facts.md 1.1): its name with `_` and `.` as `-`."""
    if name == "current_authorizations":
        return CALAIM_SERVICE
    return _CODE_SYSTEM + name.replace("_", "-").replace(".", "-")


def uuid_address(id_: str) -> str:
    """Write a UUID as an address: `urn:uuid:01a2…`."""
    return f"urn:uuid:{id_}"


def uuid_identifier(id_: str) -> dict[str, str]:
    """Write a UUID as a FHIR identifier."""
    return {"system": ADDRESS, "value": uuid_address(id_)}


def coding(system: str, code: str, words: Mapping[str, str]) -> dict[str, str]:
    """Write one Coding, with its display if `words` has one."""
    made = {"system": system, "code": code}
    if code in words:
        made["display"] = words[code]
    return made
