"""Lists the resource types that can be searched, and their search parameters.

Columns answer the frequent parameters (member, status, identifier). The words stored beside each
version (`app.store.reading.words`) answer all others, and only for rows that the caller may see. A
parameter that is not listed here is not supported. `app.store.reading.search` says where the rows
of each type come from.
"""

from collections.abc import Mapping
from functools import cache

from app.fhir.r4 import codes
from app.policy.counties import county_code
from app.policy.deadlines import URGENT
from app.store.reading import columns
from app.store.reading.columns import (
    business_identifier,
    business_status,
    holds,
    member,
    part_of,
    patient,
    refers,
    request_status,
)
from app.store.reading.parameters import Parameter
from app.store.reading.tables import REFERRAL, TASK
from app.store.statement import constant

_REQUEST_CODES = frozenset(
    {"draft", "active", "on-hold", "revoked", "completed", "entered-in-error", "unknown"}
)
_TASK_CODES = frozenset(
    {"draft", "requested", "received", "accepted", "rejected", "ready", "cancelled"}
    | {"in-progress", "on-hold", "failed", "completed", "entered-in-error"}
)
_FINANCIAL_CODES = frozenset({"active", "cancelled", "draft", "entered-in-error"})
_PRIORITIES = URGENT | {"routine"}


#: The elements with any part of a person's name.
_NAMES = "name.family | name.given | name.text | name.prefix | name.suffix"

_MEMBER = (
    Parameter(
        "patient",
        "reference",
        "the member, as the referrer knows them",
        column=patient,
        by_identifier=True,
        targets=("Patient",),
    ),
    Parameter(
        "subject",
        "reference",
        "the same as `patient`",
        column=patient,
        index="patient",
        by_identifier=True,
        targets=("Patient",),
    ),
    Parameter("patient.identifier", "token", "the member's CIN, `system|value`", column=member),
    Parameter(
        "subject.identifier",
        "token",
        "the same as `patient.identifier`",
        column=member,
        index="patient.identifier",
    ),
)
_REFERRAL = Parameter(
    "referral",
    "reference",
    "the referral it belongs to",
    column=refers("ServiceRequest", REFERRAL.c.id),
    targets=("ServiceRequest",),
    ours=True,
)


def _plain(name: str, about: str, system: str, known: frozenset[str] = frozenset()) -> Parameter:
    return Parameter(name, "token", about, name, system=system, codes=known)


def _based_on(about: str) -> Parameter:
    return Parameter("based-on", "reference", about, "basedOn", targets=("ServiceRequest",))


def _identifiers(about: str) -> Parameter:
    return Parameter("identifier", "token", about, "identifier")


_SERVICE_REQUEST = (
    *_MEMBER,
    Parameter("identifier", "token", "an identifier of the referral", column=business_identifier),
    Parameter("status", "token", "the FHIR status", column=request_status, codes=_REQUEST_CODES),
    Parameter("code", "token", "the service asked for", "code.coding"),
    Parameter(
        "service",
        "token",
        "our code of the service (`ECM`, `RC` …)",
        column=holds(REFERRAL.c.service, codes.CALAIM_SERVICE),
        ours=True,
    ),
    Parameter("category", "token", "ECM or Community Supports", "category.coding"),
    Parameter(
        "priority",
        "token",
        "how urgent",
        column=holds(REFERRAL.c.priority, codes.REQUEST_PRIORITY),
        codes=_PRIORITIES,
    ),
    Parameter(
        "intent",
        "token",
        "proposal, plan, order …",
        column=holds(REFERRAL.c.intent, codes.REQUEST_INTENT),
    ),
    Parameter("authored", "date", "when it was written", "authoredOn"),
    Parameter("requester", "reference", "who asks, as sent", "requester"),
    Parameter("performer", "reference", "who was asked for, as sent", "performer"),
    _based_on("the request that it continues"),
    Parameter(
        "instantiates-canonical",
        "canonical",
        "the protocol that it follows: its address for any version, `address|version` for one",
        "instantiatesCanonical",
    ),
    Parameter(
        "instantiates-uri", "uri", "the protocol that it follows, elsewhere", "instantiatesUri"
    ),
)
_TASK = (
    *_MEMBER,
    _REFERRAL,
    _identifiers("an identifier of the task"),
    Parameter(
        "status",
        "token",
        "the task's status",
        column=holds(TASK.c.status, codes.TASK_STATUS),
        codes=_TASK_CODES,
    ),
    Parameter("business-status", "token", "our state or business status", column=business_status),
    Parameter(
        "focus",
        "reference",
        "the referral",
        column=refers("ServiceRequest", TASK.c.referral_id),
        targets=("ServiceRequest",),
    ),
    Parameter(
        "owner",
        "reference",
        "who must act",
        column=refers("Organization", TASK.c.owner_id),
        present=TASK.c.owner_id.is_not(None),
        targets=("Organization",),
    ),
    Parameter(
        "requester",
        "reference",
        "who asks for it: the referring organization, or of a service the plan",
        "requester",
    ),
    Parameter(
        "part-of",
        "reference",
        "the referral's task",
        column=part_of,
        present=TASK.c.kind == constant("service"),
        targets=("Task",),
    ),
    Parameter("code", "token", "what is to be done", "code.coding"),
    Parameter(
        "priority",
        "token",
        "how urgent",
        column=holds(REFERRAL.c.priority, codes.REQUEST_PRIORITY),
        codes=_PRIORITIES,
    ),
    Parameter("modified", "date", "when it last changed", "lastModified"),
    Parameter("authored-on", "date", "when it was made", "authoredOn"),
)
_CLAIM_RESPONSE = (
    *_MEMBER,
    _REFERRAL,
    _identifiers("the authorization's number"),
    _plain("status", "the status", codes.FM_STATUS, _FINANCIAL_CODES),
    Parameter("created", "date", "when it was authorized", "created"),
)
_COPIES = (*_MEMBER, _REFERRAL)

#: Types of the directory, which may also stand beside a referral as copies.
DIRECTORY = frozenset({"Patient", "Coverage", "Organization", "HealthcareService"})

PARAMETERS: dict[str, tuple[Parameter, ...]] = {
    "ServiceRequest": _SERVICE_REQUEST,
    "Task": _TASK,
    "ClaimResponse": _CLAIM_RESPONSE,
    "Communication": (
        *_COPIES,
        _identifiers("an identifier"),
        _plain("status", "the status", codes.EVENT_STATUS),
        _based_on("the referral that it is about"),
        Parameter("recipient", "reference", "who is told", "recipient"),
        Parameter("sent", "date", "when it was sent", "sent"),
    ),
    "CommunicationRequest": (
        *_COPIES,
        _plain("status", "active, completed or revoked", codes.REQUEST_STATUS),
        _based_on("the referral that it is about"),
        Parameter("recipient", "reference", "who is asked", "recipient"),
        Parameter("authored", "date", "when it was asked", "authoredOn"),
        Parameter(
            "occurrence", "date", "from when on it waits", "occurrencePeriod | occurrenceDateTime"
        ),
    ),
    "QuestionnaireResponse": (
        *_COPIES,
        Parameter("author", "reference", "who wrote it down, as sent", "author"),
        _plain("status", "the status", codes.ANSWERS_STATUS),
        _based_on("the request that it answers for, as sent"),
        Parameter("authored", "date", "when it was answered", "authored"),
        Parameter(
            "questionnaire",
            "canonical",
            "the form: its address for any version, `address|version` for one",
            "questionnaire",
        ),
    ),
    "Condition": (
        *_COPIES,
        Parameter("code", "token", "the diagnosis", "code.coding"),
        Parameter("category", "token", "what kind of condition it is", "category.coding"),
    ),
    "Encounter": (
        *_COPIES,
        _plain("status", "the status", codes.ENCOUNTER_STATUS),
        Parameter("class", "token", "EMER, IMP …", "class"),
        Parameter("date", "date", "when it was: any part of it", "period"),
    ),
    "Observation": (
        *_COPIES,
        _plain("status", "the status", codes.OBSERVATION_STATUS),
        _based_on("the request that it was made for, as sent"),
        Parameter("code", "token", "what was observed", "code.coding"),
        Parameter("category", "token", "what kind of observation it is", "category.coding"),
        Parameter(
            "date",
            "date",
            "when",
            "effectiveDateTime | effectivePeriod | effectiveInstant | effectiveTiming",
        ),
    ),
    "DocumentReference": (
        *_COPIES,
        _identifiers("an identifier"),
        _plain("status", "the status", codes.DOCUMENT_STATUS),
        Parameter("type", "token", "the kind of document", "type.coding"),
    ),
    "Consent": (
        *_COPIES,
        _identifiers("an identifier"),
        _plain("status", "the status", codes.CONSENT_STATUS),
        Parameter("source-reference", "reference", "the document that holds it", "sourceReference"),
    ),
    "Provenance": (
        *_COPIES,
        Parameter(
            "target",
            "reference",
            "the referral it is about",
            column=refers("ServiceRequest", REFERRAL.c.id),
            targets=("ServiceRequest",),
        ),
        Parameter("recorded", "date", "when", "recorded"),
        Parameter("agent", "reference", "who did it", "agent.who"),
    ),
    "Patient": (
        _REFERRAL,
        _identifiers("the CIN or another identifier"),
        Parameter(
            "name",
            "string",
            "the beginning of a word of a name, whatever its case and accents",
            _NAMES,
        ),
        Parameter("birthdate", "date", "the date of birth", "birthDate"),
        _plain("gender", "male, female, other, unknown", codes.GENDER),
    ),
    "Coverage": (
        _REFERRAL,
        Parameter(
            "patient", "reference", "the member covered", "beneficiary", targets=("Patient",)
        ),
        Parameter(
            "beneficiary",
            "reference",
            "the same as `patient`",
            "beneficiary",
            index="patient",
            targets=("Patient",),
        ),
        Parameter(
            "subscriber-id",
            "token",
            "the member's number with the plan",
            "subscriberId",
            ours=True,
        ),
        _identifiers("an identifier of the coverage"),
        Parameter("payor", "reference", "the plan", "payor"),
        _plain("status", "the status", codes.FM_STATUS, _FINANCIAL_CODES),
    ),
    "Organization": (
        _REFERRAL,
        _identifiers("the NPI, the plan's code or another identifier"),
        Parameter("name", "string", "the beginning of the name", "name"),
        _plain("active", "true or false", codes.SPECIAL_VALUES, frozenset({"true", "false"})),
    ),
    "HealthcareService": (
        _identifiers("an identifier of the offer"),
        Parameter(
            "organization",
            "reference",
            "whose offer it is",
            "providedBy",
            targets=("Organization",),
        ),
        Parameter("service-type", "token", "the service", "type.coding"),
        Parameter(
            "service",
            "token",
            "the same as `service-type`",
            "type.coding",
            index="service-type",
            ours=True,
        ),
        Parameter("program", "token", "the plan it is contracted with", "program.coding"),
        Parameter(
            "plan", "token", "the same as `program`", "program.coding", index="program", ours=True
        ),
        Parameter(
            "coverage-area",
            "reference",
            "`:identifier`: the county",
            "coverageArea",
            offer=columns.county,
            read=county_code,
        ),
        Parameter(
            "county",
            "token",
            "a county of California (`San Mateo`, `san_mateo`) that it serves",
            "coverageArea.identifier",
            offer=columns.county,
            read=county_code,
            ours=True,
        ),
        Parameter(
            "population",
            "token",
            "a population of focus it serves",
            "eligibility.code.coding",
            ours=True,
        ),
        Parameter(
            "has-room",
            "token",
            "whether it can take a referral now: it is active, its status is `capacity` or "
            "`additional-assessment-required`, and fewer places are taken than it has",
            offer=columns.has_room,
            codes=frozenset({"true", "false"}),
            ours=True,
        ),
        Parameter("name", "string", "the beginning of the name", "name"),
        Parameter("location", "reference", "where it is given, as sent", "location"),
        _plain("active", "true or false", codes.SPECIAL_VALUES, frozenset({"true", "false"})),
    ),
}


@cache
def referring(kind: str) -> Mapping[str, tuple[str, Parameter]]:
    """Maps each `_revinclude` of a type (`Task:focus`) to the referring type and its parameter."""
    return {
        f"{source}:{known.name}": (source, known)
        for source, parameters in PARAMETERS.items()
        for known in parameters
        if kind in known.targets
    }


_NAMED = {kind: {known.name: known for known in listed} for kind, listed in PARAMETERS.items()}


def parameter(kind: str, name: str) -> Parameter | None:
    """Finds a parameter of a type by its name."""
    return _NAMED[kind].get(name)
