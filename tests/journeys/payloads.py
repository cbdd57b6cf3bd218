"""Referrals, members and parameters: a test names only what it is about.

A referral that says nothing else is one that the rules approve: five avoidable visits in six
months, of a member whom the plan's roster knows.
"""

import itertools
import uuid
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from tests.edge.test_facts_vectors import answers
from tests.policies.vectors import stated_facts

OURS = "https://nowrongdoor.example/fhir/"
CIN = OURS + "sid/cin"
PLAN_ID = OURS + "sid/plan"
NPI = "http://hl7.org/fhir/sid/us-npi"
SERVICE = OURS + "CodeSystem/calaim-service"
POPULATION = OURS + "CodeSystem/ecm-population-of-focus"
REASON = OURS + "CodeSystem/determination-reason"
LINE = OURS + "CodeSystem/line-of-business"
EXAMPLES = Path(__file__).parents[1] / "examples"

#: Members that tests may use up, one referral each, beside those of the roster (HPSM, San Mateo).
EXTRA = tuple(f"91000{number:02}XA" for number in range(40))


def births() -> dict[str, str]:
    """CIN → the birth date that the example roster has."""
    people = map(orjson.loads, (EXAMPLES / "roster.ndjson").read_bytes().splitlines())
    return {
        one["identifier"][0]["value"]: one["birthDate"]
        for one in people
        if one["resourceType"] == "Patient"
    }


#: The birth date of the members that tests add themselves.
BORN = "1980-02-03"
_BIRTHS = births()
VISITS = ("2026-06-10", "2026-07-02", "2026-08-14", "2026-09-20", "2026-10-30")
_numbers = itertools.count(1)


def example(name: str) -> dict[str, Any]:
    """A shared example by the beginning of its name."""
    (path,) = EXAMPLES.glob(f"{name}*.json")
    return orjson.loads(path.read_bytes())


def coded(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}


def answer(name: str, value: Any) -> dict[str, Any]:
    """One fact as an item: booleans, whole numbers, codes and lists of codes."""
    system = SERVICE if name == "current_authorizations" else None
    system = system or f"{OURS}CodeSystem/{name.replace('_', '-').replace('.', '-')}"
    if isinstance(value, bool):
        said = [{"valueBoolean": value}]
    elif isinstance(value, int):
        said = [{"valueInteger": value}]
    elif isinstance(value, list):
        said = [{"valueCoding": {"system": system, "code": code}} for code in value or ["none"]]
    elif name.endswith("date"):
        said = [{"valueDate": value}]
    else:
        said = [{"valueCoding": {"system": system, "code": value}}]
    return {"linkId": name, "answer": said}


def visit(date: str, **more: Any) -> dict[str, Any]:
    """One avoidable ED visit, unless it says something else."""
    parts = {"type": "ed-visit", "date": date, "avoidable": True, **more}
    items = [answer(f"utilization.{name}", value) for name, value in parts.items()]
    return {"linkId": "utilization", "item": items}


def responses(facts: dict[str, Any], visits: tuple[str, ...] = ()) -> dict[str, Any]:
    """A QuestionnaireResponse that states facts."""
    return {
        "resourceType": "QuestionnaireResponse",
        "id": "facts",
        "status": "completed",
        "item": [*map(visit, visits), *(answer(name, value) for name, value in facts.items())],
    }


def visits_before(now: datetime) -> tuple[str, ...]:
    """Five visits in the six months before a moment."""
    return tuple((now - timedelta(days=30 * each)).date().isoformat() for each in range(1, 6))


def performer(organization: str) -> list[dict[str, Any]]:
    return [{"reference": f"Organization/{organization}"}]


def a_referral(
    cin: str | None = EXTRA[0],
    *,
    plan: str | None = "HPSM",
    service: str | None = "ECM",
    facts: dict[str, Any] | None = None,
    visits: tuple[str, ...] = VISITS,
    items: list[dict[str, Any]] | None = None,
    asks_for: str | None = None,
    identifier: str | None = None,
    born: str | None = None,
    **more: Any,
) -> dict[str, Any]:
    """A ServiceRequest with what it states contained."""
    patient: dict[str, Any] = {"resourceType": "Patient", "id": "patient"}
    if cin:
        patient["identifier"] = [{"system": CIN, "value": cin}]
        patient["birthDate"] = born or _BIRTHS.get(cin, BORN)
    stated = responses(facts or {}, visits)
    stated["item"] += items or []
    if not stated["item"]:
        del stated["item"]
    contained = [patient, stated]
    body: dict[str, Any] = {
        "resourceType": "ServiceRequest",
        "contained": contained,
        "status": "active",
        "intent": "order",
        "subject": {"reference": "#patient"},
        "supportingInfo": [{"reference": "#facts"}],
        **more,
    }
    if plan:
        contained.append(a_coverage(plan))
        body["insurance"] = [{"reference": "#coverage"}]
    if service:
        body["code"] = coded(SERVICE, service)
    if asks_for:
        body["performer"] = performer(asks_for)
    if identifier:
        body["identifier"] = [{"system": "https://referrer.example/ids", "value": identifier}]
    return body


def incomplete(cin: str | None = EXTRA[0], **more: Any) -> dict[str, Any]:
    """A referral that the rules cannot decide: nothing is stated."""
    return a_referral(cin, visits=(), **more)


def hopeless(cin: str | None = EXTRA[0], **more: Any) -> dict[str, Any]:
    """A referral against whose criteria everything speaks, so that a person looks at it."""
    return a_referral(cin, facts={"utilization_complete": True}, visits=(), items=no(), **more)


def no() -> list[dict[str, Any]]:
    """Every fact that a population asks for, answered with no."""
    stated = stated_facts({"service": "ECM", "facts": {}})
    return [{"linkId": name, "answer": answers(name, value)} for name, value in stated]


def a_coverage(plan: str, **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Coverage",
        "id": "coverage",
        "status": "active",
        "type": coded(LINE, "MEDI-CAL"),
        "beneficiary": {"reference": "#patient"},
        "payor": [{"identifier": {"system": PLAN_ID, "value": plan}}],
        **more,
    }


def a_bundle(
    request: dict[str, Any], *others: dict[str, Any], urns: list[str] | None = None
) -> dict[str, Any]:
    """A transaction with the request and what goes with it, named by fresh `urn:uuid`s."""
    resources = [*others, request]
    names = urns or [f"urn:uuid:{uuid.uuid4()}" for _ in resources]
    entries = [
        {
            "fullUrl": name,
            "resource": resource,
            "request": {"method": "POST", "url": resource["resourceType"]},
        }
        for name, resource in zip(names, resources, strict=True)
    ]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def a_member(cin: str, plan: str = "HPSM", county: str = "San Mateo") -> list[dict[str, Any]]:
    """A member as a roster has them: Patient and Coverage."""
    id_ = f"member-{cin.lower()}"
    patient = {
        "resourceType": "Patient",
        "id": id_,
        "identifier": [{"system": CIN, "value": cin}],
        "birthDate": BORN,
        "address": [
            {"use": "home", "line": ["1 Roster Street"], "district": county, "state": "CA"}
        ],
        "managingOrganization": {"identifier": {"system": PLAN_ID, "value": plan}},
    }
    coverage = a_coverage(plan, id=f"coverage-{cin.lower()}", period={"start": "2022-01-01"})
    coverage |= {"beneficiary": {"reference": f"Patient/{id_}"}, "subscriberId": cin}
    return [patient, coverage]


def parameters(**named: Any) -> dict[str, Any]:
    """`Parameters`: text as strings, dictionaries as they are, lists as one part each."""
    parts = []
    for name, values in named.items():
        for value in values if isinstance(values, list) else [values]:
            said = {"valueString": value} if isinstance(value, str) else value
            parts.append({"name": name.rstrip("_"), **said})
    return {"resourceType": "Parameters", "parameter": parts}


def adding(*resources: dict[str, Any]) -> dict[str, Any]:
    """The parameters of `$add-information`."""
    parts = [{"name": "resource", "resource": resource} for resource in resources]
    return {"resourceType": "Parameters", "parameter": parts}


def because(code: str) -> dict[str, Any]:
    return {"valueCodeableConcept": coded(REASON, code)}


def to(reference: str) -> dict[str, Any]:
    return {"valueReference": {"reference": reference}}


def unique() -> str:
    """A number that no other call gives."""
    return f"N-{next(_numbers)}"
