"""Small resources for the tables of this folder: only what a case is about is spelled out."""

from datetime import date
from typing import Any

from app.fhir.facts import read_coverages, read_facts
from app.fhir.payload import Payload
from app.journey.eligibility.merge import merge
from app.policy.model import Facts

ON = date(2026, 11, 20)
OURS = "https://nowrongdoor.example/fhir/"


def coding(name: str, code: str) -> dict[str, Any]:
    return {"valueCoding": {"system": f"{OURS}CodeSystem/{name}", "code": code}}


def item(name: str, *answers: dict[str, Any]) -> dict[str, Any]:
    return {"linkId": name, "answer": list(answers)}


def response(*items: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "QuestionnaireResponse",
        "id": "facts",
        "status": "completed",
        "item": list(items),
        **more,
    }


def event(**parts: Any) -> dict[str, Any]:
    """A `utilization` group: type and reason by code, date as text, the rest as yes or no."""
    items = []
    for name, value in parts.items():
        if name in ("type", "reason"):
            answer = coding(f"utilization-{name}", value)
        else:
            answer = {"valueDate": value} if name == "date" else {"valueBoolean": value}
        items.append(item(f"utilization.{name}", answer))
    return {"linkId": "utilization", "item": items}


def request(*contained: dict[str, Any], **more: Any) -> dict[str, Any]:
    listed = [{"id": f"r{index}", **one} for index, one in enumerate(contained)]
    return {
        "resourceType": "ServiceRequest",
        "status": "active",
        "intent": "order",
        **({"contained": listed} if listed else {}),
        **more,
    }


def facts_of(
    service_request: dict[str, Any], *resources: tuple[str, dict[str, Any]], on: date = ON
) -> Facts:
    """The facts of a request alone, without a roster."""
    coverages = read_coverages(Payload(service_request, resources))
    return merge(read_facts(service_request, resources, on), None, coverages, on)


def values_of(service_request: dict[str, Any], on: date = ON) -> dict[str, Any]:
    return {name: fact.value for name, fact in facts_of(service_request, on=on).values.items()}
