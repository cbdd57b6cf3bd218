"""Every example vector, asked over HTTP as `$check`."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.edge.test_facts_vectors import answers, written
from tests.journeys.payloads import OURS, POPULATION, SERVICE, coded
from tests.policies.vectors import events_complete, load_vectors, to_question

LOCAL = ZoneInfo("America/Los_Angeles")
LINE, DELEGATE = f"{OURS}CodeSystem/line-of-business", f"{OURS}CodeSystem/coverage-class"
FROM_COVERAGE = {"line_of_business", "coverage_active", "delegated_to"}


def a_question(vector: Mapping[str, Any]) -> dict[str, Any]:
    """The vector as a ServiceRequest: no CIN is sent, so it is taken at its word."""
    body: dict[str, Any] = {
        "resourceType": "ServiceRequest",
        "status": "active",
        "intent": "order",
        "priority": vector.get("priority", "routine"),
        "contained": [a_patient(vector), the_coverage(vector), the_facts(vector)],
        "subject": {"reference": "#patient"},
        "insurance": [{"reference": "#coverage"}],
        "supportingInfo": [{"reference": "#facts"}],
    }
    if vector["service"]:
        body["code"] = coded(SERVICE, vector["service"])
    if vector.get("claimed"):
        body["reasonCode"] = [coded(POPULATION, code) for code in vector["claimed"]]
    return body


def a_patient(vector: Mapping[str, Any]) -> dict[str, Any]:
    patient: dict[str, Any] = {"resourceType": "Patient", "id": "patient"}
    if vector.get("birthDate"):
        patient["birthDate"] = vector["birthDate"]
    if vector["county"]:
        patient["address"] = [{"use": "home", "district": vector["county"]}]
    return patient


def the_coverage(vector: Mapping[str, Any]) -> dict[str, Any]:
    said = vector.get("coverage", {})
    coverage: dict[str, Any] = {
        "resourceType": "Coverage",
        "id": "coverage",
        "status": said.get("status", "active"),
        "type": coded(LINE, said.get("type", "MEDI-CAL")),
        "beneficiary": {"reference": "#patient"},
        "payor": [{"identifier": {"system": f"{OURS}sid/plan", "value": vector["plan"]}}],
    }
    if period := {name: str(said[name]) for name in ("start", "end") if said.get(name)}:
        coverage["period"] = period
    if "delegate" in said:
        coverage["class"] = [{"type": coded(DELEGATE, "delegate"), "value": said["delegate"]}]
    return coverage


def the_facts(vector: Mapping[str, Any]) -> dict[str, Any]:
    facts = to_question(vector).facts
    items = [
        {"linkId": name, "answer": answers(name, fact.value)}
        for name, fact in facts.values.items()
        if name not in FROM_COVERAGE
    ]
    items += [an_event(event) for event in facts.events]
    if (complete := events_complete(vector)) is not None:
        items.append({"linkId": "utilization_complete", "answer": [{"valueBoolean": complete}]})
    response = {"resourceType": "QuestionnaireResponse", "id": "facts", "status": "completed"}
    return {**response, "item": items} if items else response


def an_event(event: Any) -> dict[str, Any]:
    stated = {
        "type": event.type,
        "avoidable": event.avoidable,
        "unplanned": event.unplanned,
        "led_to_admission": event.led_to_admission,
        "reason": event.reason,
    }
    items = [
        {"linkId": f"utilization.{name}", "answer": answers(f"utilization.{name}", value)}
        for name, value in stated.items()
        if value is not None
    ]
    if event.when:
        day = [{"valueDate": written(event.when)}]
        items.append({"linkId": "utilization.date", "answer": day})
    return {"linkId": "utilization", "item": items}


@pytest.mark.parametrize("priority", ["routine", "urgent"])
@pytest.mark.parametrize("on", ["0001-01-01", "1883-11-17", "2000-02-29", "9999-12-31"])
async def test_any_day_of_the_calendar_may_be_asked_about(service, on, priority):
    vector = {**load_vectors()[0], "asOf": on, "priority": priority, "facts": {}}
    said = await service.check(a_question(vector), on=on)
    due = said.one("decisionDue", "valueDateTime")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", due)


@pytest.mark.parametrize("on", ["2024", "2024-02-30", "2024-03-04T00:00:00Z", "1709510400", ""])
async def test_a_day_is_written_as_a_date(service, on):
    path = "/fhir/ServiceRequest/$check"
    question = a_question(load_vectors()[0])
    answer = await service.ask("hospital", "POST", path, question, params={"asOf": on})
    assert (answer.status_code, answer.json()["resourceType"]) == (400, "OperationOutcome")


@pytest.mark.parametrize("vector", load_vectors(), ids=lambda vector: vector["id"])
async def test_a_vector_is_answered_over_http(service, vector):
    said = await service.check(a_question(vector), on=vector["asOf"])
    expect = vector["expect"]
    reasons, missing = set(said.codes("reason")), set(said.missing)
    assert said.outcome == expect["outcome"], (reasons, missing)
    assert reasons >= set(expect.get("reasons", ()))
    assert not reasons & set(expect.get("notReasons", ()))
    if "populations" in expect:
        assert set(said.codes("population")) == set(expect["populations"])
    assert missing >= set(expect.get("missing", ()))
    assert not missing & set(expect.get("notMissing", ()))
    if "decisionDue" in expect:
        due = datetime.fromisoformat(said.one("decisionDue", "valueDateTime"))
        assert due.astimezone(LOCAL).date().isoformat() == str(expect["decisionDue"])
