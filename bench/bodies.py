"""Referrals of about 2 KB that the rules approve by themselves, each for another member."""

from datetime import UTC, date, datetime
from typing import Any

import orjson

BASE = "https://nowrongdoor.example/fhir"
NPI = "http://hl7.org/fhir/sid/us-npi"
CIN = f"{BASE}/sid/cin"
#: How many organizations offer the service: about as many as one county contracts.
PERFORMERS = 16
#: Their organizations, as `enlarge` makes them.
PERFORMING = tuple(f"org-bench-{number}" for number in range(PERFORMERS))

_FACTS = ("homeless", "complex_need", "unable_self_manage", "coordination_benefit")


def cin(number: int) -> str:
    """The member's number on the enlarged roster."""
    return f"{9_100_000 + number}XA"


def npi(performer: int) -> str:
    """A performer of the enlarged network."""
    return str(9_100_000_000 + performer)


def referral(
    number: int, *, member: int | None = None, asks_for: str | None = None, stated: bool = True
) -> bytes:
    """The `number`-th referral, for the member of that number unless another is named, to the
    performer with this NPI (or to each in turn); one that states no facts is asked for them.
    """
    performer = asks_for or npi(number % PERFORMERS)
    body = _referral(number, number if member is None else member, performer)
    if not stated:
        body["contained"].pop()
        del body["supportingInfo"]
    return orjson.dumps(body)


def _coding(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": f"{BASE}/CodeSystem/{system}", "code": code}]}


def _referral(number: int, member: int, performer: str) -> dict[str, Any]:
    return {
        "resourceType": "ServiceRequest",
        "contained": [_patient(member), _coverage(member), _answers()],
        "identifier": [{"system": "https://bench.example/referrals", "value": f"bench-{number}"}],
        "status": "active",
        "intent": "order",
        "priority": "routine",
        "code": _coding("calaim-service", "ECM"),
        "subject": {"reference": "#patient"},
        "authoredOn": datetime.now(UTC).isoformat(timespec="seconds"),
        "requester": {"identifier": {"system": NPI, "value": "9000000101"}},
        "performer": [
            {
                "identifier": {"system": NPI, "value": performer},
                "display": f"Performer {performer} (generated)",
            }
        ],
        "reasonCode": [_coding("ecm-population-of-focus", "POF1A")],
        "insurance": [{"reference": "#coverage"}],
        "supportingInfo": [{"reference": "#facts"}],
        "note": [{"text": "Asks to be called, not written to."}],
    }


def _patient(member: int) -> dict[str, Any]:
    return {
        "resourceType": "Patient",
        "id": "patient",
        "identifier": [{"use": "official", "system": CIN, "value": cin(member)}],
        "name": [{"family": "Generated", "given": ["Member"]}],
        "gender": "female",
        "birthDate": "1979-01-15",
        "address": [{"city": "Redwood City", "district": "San Mateo", "state": "CA"}],
    }


def _coverage(member: int) -> dict[str, Any]:
    return {
        "resourceType": "Coverage",
        "id": "coverage",
        "status": "active",
        "type": _coding("line-of-business", "MEDI-CAL"),
        "subscriberId": cin(member),
        "beneficiary": {"reference": "#patient"},
        "payor": [{"identifier": {"system": f"{BASE}/sid/plan", "value": "HPSM"}}],
    }


def _answers() -> dict[str, Any]:
    return {
        "resourceType": "QuestionnaireResponse",
        "id": "facts",
        "questionnaire": f"{BASE}/Questionnaire/ecm",
        "status": "completed",
        "subject": {"reference": "#patient"},
        "authored": f"{date.today().isoformat()}T00:00:00-08:00",  # noqa: DTZ011 a plausible day
        "item": [{"linkId": fact, "answer": [{"valueBoolean": True}]} for fact in _FACTS],
    }
