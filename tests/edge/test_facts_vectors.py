"""Every vector, written as FHIR, reads as the very facts that the rules are asked with."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from app.fhir.r4 import codes
from app.policy.dictionary import load_dictionary
from app.policy.model import EligibilityQuestion, FactValue, Span
from tests.edge.payloads import OURS, event, facts_of, item, request, response
from tests.policies.vectors import load_vectors, to_question

FROM_COVERAGE = {"line_of_business", "coverage_active", "delegated_to"}


def answers(name: str, value: FactValue) -> list[dict[str, Any]]:
    system = codes.fact_system(name)
    if isinstance(value, frozenset):
        listed = sorted(value) or ["none"]
        return [{"valueCoding": {"system": system, "code": code}} for code in listed]
    if isinstance(value, bool):
        return [{"valueBoolean": value}]
    if isinstance(value, Decimal) or load_dictionary()[name].type == "money":
        return [{"valueDecimal": float(value)}]  # type: ignore[arg-type]
    if isinstance(value, int):
        return [{"valueInteger": value}]
    if isinstance(value, Span):
        return [{"valueDate": written(value)}]
    if load_dictionary()[name].type == "text":
        return [{"valueString": value}]
    return [{"valueCoding": {"system": system, "code": value}}]


def written(span: Span) -> str:
    if span.first == span.last:
        return span.first.isoformat()
    whole_year = span.first.month != span.last.month
    return str(span.first.year) if whole_year else span.first.isoformat()[:7]


def as_payload(vector: Mapping[str, Any], question: EligibilityQuestion) -> dict[str, Any]:
    facts = question.facts
    items = [
        item(name, *answers(name, fact.value))
        for name, fact in facts.values.items()
        if name not in FROM_COVERAGE
    ]
    for one in facts.events:
        parts = {
            "type": one.type,
            "date": written(one.when) if one.when else None,
            "avoidable": one.avoidable,
            "unplanned": one.unplanned,
            "led_to_admission": one.led_to_admission,
            "reason": one.reason,
        }
        items.append(event(**{name: value for name, value in parts.items() if value is not None}))
    if facts.events_complete is not None:
        items.append(item("utilization_complete", {"valueBoolean": facts.events_complete}))
    return request(
        {"resourceType": "Patient", "id": "me", "birthDate": vector.get("birthDate")},
        coverage(vector),
        response(*items),
        subject={"reference": "#me"},
    )


def coverage(vector: Mapping[str, Any]) -> dict[str, Any]:
    said = vector.get("coverage", {})
    line = {"system": codes.LINE_OF_BUSINESS, "code": said.get("type", "MEDI-CAL")}
    period = {name: str(said[name]) for name in ("start", "end") if said.get(name)}
    delegate = {"coding": [{"system": codes.COVERAGE_CLASS, "code": "delegate"}]}
    return {
        "resourceType": "Coverage",
        "status": said.get("status", "active"),
        "type": {"coding": [line]},
        "period": period,
        "payor": [{"identifier": {"system": f"{OURS}sid/plan", "value": vector["plan"]}}],
        "class": [{"type": delegate, "value": said["delegate"]}] if "delegate" in said else [],
    }


@pytest.mark.parametrize("vector", load_vectors(), ids=lambda vector: vector["id"])
def test_a_vector_reads_as_its_facts(vector: Mapping[str, Any]) -> None:
    question = to_question(vector)
    read = facts_of(as_payload(vector, question), on=question.as_of)
    asked = question.facts
    expected = {name: fact.value for name, fact in asked.values.items()}
    expected.setdefault("delegated_to", "none")
    if asked.birth:
        expected.pop("age", None)
    assert {name: fact.value for name, fact in read.values.items()} == expected
    assert (read.birth, read.events_complete, read.notes) == (
        asked.birth,
        asked.events_complete,
        (),
    )
    told = [(e.type, e.when, e.avoidable, e.unplanned, e.reason) for e in read.events]
    assert told == [(e.type, e.when, e.avoidable, e.unplanned, e.reason) for e in asked.events]
