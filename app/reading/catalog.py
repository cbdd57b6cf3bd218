"""Which resource types are searched, by which parameters, and where their rows come from.

Columns answer what is asked often (member, status, identifier); the stored JSON answers the rest, and
only for rows that the caller may see anyway. A parameter that is not listed here is not supported.
"""

from app.fhir import codes
from app.reading import match
from app.reading.access import Sight, Statement, plan_keys
from app.reading.parameters import Arm, ColumnRule, Criterion, Parameter
from app.reading.values import Token

_CLOSED = "r.business_status IN ('completed', 'unfulfilled')"
_BODY_STATUS = """(SELECT convert_from(s.body, 'UTF8')::jsonb->>'status' FROM resource_version s
    WHERE s.plan = r.plan AND s.type = 'ServiceRequest' AND s.id = r.id
    ORDER BY s.version DESC LIMIT 1)"""
#: The wire status from our columns (spec.md 7); only a cancelled one needs its body: it may have been
#: withdrawn or sent by mistake.
_REQUEST_STATUS = {
    "active": "(r.state = 'pending' OR r.state = 'approved'"
    " AND r.business_status IS DISTINCT FROM 'completed'"
    " AND r.business_status IS DISTINCT FROM 'unfulfilled')",
    "completed": f"(r.state = 'approved' AND {_CLOSED})",
    "revoked": f"(r.state IN ('denied', 'void') OR r.state = 'cancelled' AND {_BODY_STATUS} = 'revoked')",
    "entered-in-error": f"(r.state = 'cancelled' AND {_BODY_STATUS} = 'entered-in-error')",
}
_REQUEST_CODES = frozenset({*_REQUEST_STATUS, "draft", "on-hold", "unknown"})
_TASK_CODES = frozenset(
    "draft requested received accepted rejected ready cancelled in-progress on-hold failed completed"
    " entered-in-error".split()
)
_FINANCIAL_CODES = frozenset({"active", "cancelled", "draft", "entered-in-error"})
_PRIORITIES = frozenset({"routine", "urgent", "asap", "stat"})


def _ids(asked: Criterion, kind: str) -> list[str]:
    """The ids of references to one type; a reference to another type fits nothing."""
    return [found.id for found in asked.references if found.type in (None, kind)]


def _token_codes(asked: Criterion) -> list[str]:
    return [found.code for found in asked.tokens if found.code is not None]


def _patient(statement: Statement, asked: Criterion, seen: Sight) -> str:
    if asked.modifier == "identifier":
        return _member(statement, asked, seen)
    bound = statement.bind(_ids(asked, "Patient"), "text[]")
    copies = f"r.patient_id = ANY ({bound})"
    if not seen.roster_plans:
        return copies
    plans = statement.bind(list(seen.roster_plans), "text[]")
    known = (
        f"r.cin = ANY (ARRAY(SELECT m.cin FROM member m WHERE m.plan = ANY ({plans})"
        f" AND m.id = ANY ({bound}))) AND r.member_id = ANY ({bound})"
    )
    return f"({copies} OR {known})"


def _member(statement: Statement, asked: Criterion, _seen: Sight) -> str:
    """A CIN from the column; any other identifier from the referral's own copy of the Patient."""
    cins = [
        found.code for found in asked.tokens if found.system in (None, codes.CIN) and found.code
    ]
    other = [found for found in asked.tokens if found.system != codes.CIN]
    conditions = [f"r.cin = ANY ({statement.bind(cins, 'text[]')})"]
    if other:
        sent = " UNION ALL ".join(
            f"SELECT jsonb_path_query(convert_from(p.body, 'UTF8')::jsonb, '{path}') c"
            for path in (
                "$.subject.identifier",
                '$.contained[*] ? (@.resourceType == "Patient").identifier[*]',
                '$ ? (@.resourceType == "Patient").identifier[*]',
            )
        )
        each = [_identifier(statement, "c->>'system'", "c->>'value'", found) for found in other]
        conditions.append(
            "EXISTS (SELECT 1 FROM resource_version p CROSS JOIN LATERAL ("
            f"{sent}) x(c) WHERE p.plan = r.plan AND p.referral_id = r.id"
            f" AND p.type IN ('Patient', 'ServiceRequest') AND {match.any_of(each)})"
        )
    return match.any_of(conditions)


def _identifier(statement: Statement, system: str, value: str, found: Token) -> str:
    parts = []
    if found.code is not None:
        parts.append(f"{value} = {statement.bind(found.code)}")
    if found.system:
        parts.append(f"{system} = {statement.bind(found.system)}")
    elif found.system is not None:
        parts.append(f"coalesce({system}, '') = ''")
    return f"({' AND '.join(parts)})"


def _business_identifier(statement: Statement, asked: Criterion, _seen: Sight) -> str:
    each = [_identifier(statement, "x.system", "x.value", found) for found in asked.tokens]
    own = [found.code for found in asked.tokens if found.system == codes.REFERRAL_ID and found.code]
    return (
        "((r.plan, r.id) IN (SELECT x.plan, x.referral_id FROM referral_business_identifier x"
        f" WHERE x.plan = ANY ({statement.bind(list(plan_keys()), 'text[]')}) AND {match.any_of(each)})"
        f" OR r.id = ANY ({statement.bind(own, 'text[]')}))"
    )


def _request_status(_statement: Statement, asked: Criterion, _seen: Sight) -> str:
    return match.any_of([_REQUEST_STATUS.get(code, "false") for code in _token_codes(asked)])


def _column(column: str) -> ColumnRule:
    """A column that holds the code itself."""

    def rule(statement: Statement, asked: Criterion, _seen: Sight) -> str:
        return f"{column} = ANY ({statement.bind(_token_codes(asked), 'text[]')})"

    return rule


def _to(kind: str, column: str) -> ColumnRule:
    """A column that holds the id of the resource referred to."""

    def rule(statement: Statement, asked: Criterion, _seen: Sight) -> str:
        return f"{column} = ANY ({statement.bind(_ids(asked, kind), 'text[]')})"

    return rule


def _business_status(statement: Statement, asked: Criterion, _seen: Sight) -> str:
    each = []
    for found in asked.tokens:
        code = found.code or ""
        if found.system in (None, codes.REFERRAL_STATE):
            each.append(f"r.state = {statement.bind(code)}" if code else "true")
        if found.system in (None, codes.BUSINESS_STATUS):
            column = "t.business_status"
            each.append(f"{column} = {statement.bind(code)}" if code else f"{column} IS NOT NULL")
    return match.any_of(each)


def _part_of(statement: Statement, asked: Criterion, _seen: Sight) -> str:
    bound = statement.bind(_ids(asked, "Task"), "text[]")
    return f"(t.kind = 'service' AND t.referral_id = ANY ({bound}))"


#: Family and given names, whichever of a person's names they stand in.
_NAMES = '$.name[*].keyvalue() ? (@.key == "family" || @.key == "given").value[*]'

_MEMBER = (
    Parameter("patient", "reference", "the member, as the referrer knows them", column=_patient, by_identifier=True),
    Parameter("subject", "reference", "the same as `patient`", column=_patient, index="patient", by_identifier=True),
    Parameter("patient.identifier", "token", "the member's CIN, `system|value`", column=_member),
    Parameter(
        "subject.identifier",
        "token",
        "the same as `patient.identifier`",
        column=_member,
        index="patient.identifier",
    ),
)
_REFERRAL = Parameter(
    "referral", "reference", "the referral it belongs to", column=_to("ServiceRequest", "r.id")
)


def _plain(name: str, about: str, known: frozenset[str] = frozenset()) -> Parameter:
    return Parameter(name, "token", about, f"$.{name}", code="", codes=known)


def _identifiers(about: str) -> Parameter:
    return Parameter("identifier", "token", about, "$.identifier[*]", code="value")


_SERVICE_REQUEST = (
    *_MEMBER,
    Parameter("identifier", "token", "an identifier of the referral", column=_business_identifier),
    Parameter("status", "token", "the FHIR status", column=_request_status, codes=_REQUEST_CODES),
    Parameter("code", "token", "the service asked for", "$.code.coding[*]"),
    Parameter(
        "service", "token", "our code of the service (`ECM`, `RC` …)", column=_column("r.service")
    ),
    Parameter("category", "token", "ECM or Community Supports", "$.category[*].coding[*]"),
    Parameter("priority", "token", "how urgent", column=_column("r.priority"), codes=_PRIORITIES),
    Parameter("intent", "token", "proposal, plan, order …", column=_column("r.intent")),
    Parameter("authored", "date", "when it was written", "$.authoredOn"),
    Parameter("requester", "reference", "who asks, as sent", "$.requester.reference"),
    Parameter("performer", "reference", "who was asked for, as sent", "$.performer[*].reference"),
    Parameter("based-on", "reference", "the request that it continues", "$.basedOn[*].reference"),
)
_TASK = (
    *_MEMBER,
    _REFERRAL,
    _identifiers("an identifier of the task"),
    Parameter(
        "status", "token", "the task's status", column=_column("t.status"), codes=_TASK_CODES
    ),
    Parameter("business-status", "token", "our state or business status", column=_business_status),
    Parameter("focus", "reference", "the referral", column=_to("ServiceRequest", "t.referral_id")),
    Parameter(
        "owner",
        "reference",
        "who must act",
        column=_to("Organization", "t.owner_id"),
        present="t.owner_id IS NOT NULL",
    ),
    Parameter(
        "requester",
        "reference",
        "the referring organization",
        column=_to("Organization", "r.organization_id"),
        present="r.organization_id IS NOT NULL",
    ),
    Parameter(
        "part-of",
        "reference",
        "the referral's task",
        column=_part_of,
        present="t.kind = 'service'",
    ),
    Parameter("code", "token", "what is to be done", "$.code.coding[*]"),
    Parameter("priority", "token", "how urgent", column=_column("r.priority"), codes=_PRIORITIES),
    Parameter("modified", "date", "when it last changed", "$.lastModified"),
    Parameter("authored-on", "date", "when it was made", "$.authoredOn"),
)
_CLAIM_RESPONSE = (
    *_MEMBER,
    _REFERRAL,
    _identifiers("the authorization's number"),
    _plain("status", "the status", _FINANCIAL_CODES),
    Parameter("created", "date", "when it was authorized", "$.created"),
)
_COPIES = (*_MEMBER, _REFERRAL)

_VERSION = """resource_version v JOIN referral r ON r.plan = v.plan AND r.id = v.referral_id"""
_LATEST = """NOT EXISTS (SELECT 1 FROM resource_version w WHERE w.plan = v.plan AND w.type = v.type
    AND w.id = v.id AND w.version > v.version)"""

_CHILD_ARM = Arm(_VERSION, "v.plan", "v.id", "v.updated_at")
_DIRECTORY_ARM = Arm("resource_version v", "v.plan", "v.id", "v.updated_at", owned=False)
LATEST = _LATEST

#: Types of the directory, which may also stand beside a referral as copies.
DIRECTORY = frozenset({"Patient", "Coverage", "Organization", "HealthcareService"})

ARMS: dict[str, tuple[Arm, ...]] = {
    "ServiceRequest": (Arm("referral r", "r.plan", "r.id", "r.updated_at"),),
    "Task": (
        Arm(
            "task t JOIN referral r ON r.plan = t.plan AND r.id = t.referral_id",
            "t.plan",
            "t.id",
            "t.updated_at",
        ),
    ),
    "ClaimResponse": (
        Arm(
            "service_authorization a JOIN referral r ON r.plan = a.plan AND r.id = a.referral_id",
            "r.plan",
            "r.id",
            "a.updated_at",
        ),
    ),
    "HealthcareService": (_DIRECTORY_ARM,),
    **{kind: (_CHILD_ARM, _DIRECTORY_ARM) for kind in ("Patient", "Coverage", "Organization")},
    "QuestionnaireResponse": (_CHILD_ARM, _DIRECTORY_ARM),
}

PARAMETERS: dict[str, tuple[Parameter, ...]] = {
    "ServiceRequest": _SERVICE_REQUEST,
    "Task": _TASK,
    "ClaimResponse": _CLAIM_RESPONSE,
    "Communication": (
        *_COPIES,
        _identifiers("an identifier"),
        _plain("status", "the status"),
        Parameter("recipient", "reference", "who is told", "$.recipient[*].reference"),
        Parameter("sent", "date", "when it was sent", "$.sent"),
    ),
    "QuestionnaireResponse": (
        *_COPIES,
        _plain("status", "the status"),
        Parameter("authored", "date", "when it was answered", "$.authored"),
        Parameter("questionnaire", "token", "the form's canonical URL", "$.questionnaire", code=""),
    ),
    "Condition": (*_COPIES, Parameter("code", "token", "the diagnosis", "$.code.coding[*]")),
    "Encounter": (
        *_COPIES,
        _plain("status", "the status"),
        Parameter("class", "token", "EMER, IMP …", "$.class"),
        Parameter("date", "date", "the first day", "$.period.start"),
    ),
    "Observation": (
        *_COPIES,
        _plain("status", "the status"),
        Parameter("code", "token", "what was observed", "$.code.coding[*]"),
        Parameter("date", "date", "when", "$.effectiveDateTime"),
    ),
    "DocumentReference": (
        *_COPIES,
        _identifiers("an identifier"),
        _plain("status", "the status"),
        Parameter("type", "token", "the kind of document", "$.type.coding[*]"),
    ),
    "Consent": (*_COPIES, _identifiers("an identifier"), _plain("status", "the status")),
    "Provenance": (
        *_COPIES,
        Parameter("target", "reference", "what it is about", "$.target[*].reference"),
        Parameter("recorded", "date", "when", "$.recorded"),
    ),
    "Patient": (
        _REFERRAL,
        _identifiers("the CIN or another identifier"),
        Parameter("name", "string", "the beginning of a family or given name", _NAMES),
        Parameter("birthdate", "date", "the date of birth", "$.birthDate"),
        _plain("gender", "male, female, other, unknown"),
    ),
    "Coverage": (
        _REFERRAL,
        Parameter("patient", "reference", "the member covered", "$.beneficiary.reference"),
        Parameter(
            "beneficiary",
            "reference",
            "the same as `patient`",
            "$.beneficiary.reference",
            index="patient",
        ),
        Parameter(
            "subscriber-id", "token", "the member's number with the plan", "$.subscriberId", code=""
        ),
        _identifiers("an identifier of the coverage"),
        Parameter("payor", "reference", "the plan", "$.payor[*].reference"),
        _plain("status", "the status", _FINANCIAL_CODES),
    ),
    "Organization": (
        _REFERRAL,
        _identifiers("the NPI, the plan's code or another identifier"),
        Parameter("name", "string", "the beginning of the name", "$.name"),
        _plain("active", "true or false", frozenset({"true", "false"})),
    ),
    "HealthcareService": (
        _identifiers("an identifier of the offer"),
        Parameter("organization", "reference", "whose offer it is", "$.providedBy.reference"),
        Parameter("service-type", "token", "the service", "$.type[*].coding[*]"),
        Parameter(
            "service",
            "token",
            "the same as `service-type`",
            "$.type[*].coding[*]",
            index="service-type",
        ),
        Parameter("program", "token", "the plan it is contracted with", "$.program[*].coding[*]"),
        Parameter(
            "plan", "token", "the same as `program`", "$.program[*].coding[*]", index="program"
        ),
        Parameter(
            "coverage-area", "reference", "`:identifier`: the county", "$.coverageArea[*].reference"
        ),
        Parameter(
            "county",
            "token",
            "the county's code (`san_mateo`)",
            "$.coverageArea[*].identifier",
            code="value",
        ),
        Parameter(
            "population",
            "token",
            "a population of focus it serves",
            "$.eligibility[*].code.coding[*]",
        ),
        Parameter("name", "string", "the beginning of the name", "$.name"),
        _plain("active", "true or false", frozenset({"true", "false"})),
    ),
}


def arms(kind: str) -> tuple[Arm, ...]:
    """Where the rows of a type come from; most stand beside a referral."""
    return ARMS.get(kind, (_CHILD_ARM,))


def parameter(kind: str, name: str) -> Parameter | None:
    """The parameter of a type by its name."""
    return next((known for known in PARAMETERS[kind] if known.name == name), None)
