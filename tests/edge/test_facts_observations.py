"""Observations become facts as facts.md 4.3 says."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from app.policy.model import Span
from tests.edge.payloads import OURS, facts_of, item, request, response, values_of

FACT = f"{OURS}CodeSystem/fact"


def observation(name: str, **more: Any) -> dict[str, Any]:
    coded = {"coding": [{"system": FACT, "code": name}]}
    return {"resourceType": "Observation", "status": "final", "code": coded, **more}


def concept(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": f"{OURS}CodeSystem/{system}", "code": code}]}


def factor(code: str, **more: Any) -> dict[str, Any]:
    stated = concept("complex-social-factors", code)
    return observation("complex_social_factors", valueCodeableConcept=stated, **more)


USD = {"value": 7000, "system": "urn:iso:std:iso:4217", "code": "USD"}


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (observation("homeless", valueBoolean=True), {"homeless": True}),
        (observation("homeless", valueBoolean=False), {"homeless": False}),
        (observation("homeless", valueString="yes"), {}),
        (observation("homeless"), {}),
        (observation("homeless", valueBoolean=True, status="amended"), {"homeless": True}),
        (observation("homeless", valueBoolean=True, status="corrected"), {"homeless": True}),
        (observation("homeless", valueBoolean=True, status="preliminary"), {}),
        (observation("homeless", valueBoolean=True, status="entered-in-error"), {}),
        (observation("nf_days", valueInteger=60), {"nf_days": 60}),
        (observation("cs_used_ar_usd", valueQuantity=USD), {"cs_used_ar_usd": Decimal(7000)}),
        (
            observation("residence", valueCodeableConcept=concept("residence", "snf")),
            {"residence": "snf"},
        ),
        (observation("residence", valueCodeableConcept={"text": "at home"}), {}),
        (factor("food"), {"complex_social_factors": {"food"}}),
        (factor("none"), {"complex_social_factors": frozenset()}),
        (observation("social_information", valueString="x"), {"social_information": "x"}),
        (
            observation("release_date", valueDateTime="2026-02-01"),
            {"release_date": Span(date(2026, 2, 1), date(2026, 2, 1))},
        ),
        (observation("utilization", valueInteger=5), {}),
        (observation("utilization.avoidable", valueBoolean=True), {}),
        (observation("shoe_size", valueInteger=9), {}),
        ({"resourceType": "Observation", "status": "final"}, {}),
    ],
)
def test_what_an_observation_states(sent: dict[str, Any], expected: dict[str, Any]) -> None:
    assert values_of(request(sent)) == expected


def score(value: int, **more: Any) -> dict[str, Any]:
    return observation("asthma_control_test_score", valueInteger=value, **more)


@pytest.mark.parametrize(
    ("sent", "value"),
    [
        (
            [score(10, effectiveDateTime="2026-03-01"), score(20, effectiveDateTime="2026-02-01")],
            10,
        ),
        (
            [score(10, effectiveDateTime="2026-11-20"), score(20, effectiveDateTime="2026-11-21")],
            10,
        ),
        ([score(10, effectiveDateTime="2026-11-20T23:00:00-08:00")], 10),
        ([score(10, effectiveDateTime="2026-11-21T09:00:00Z")], None),
        ([score(10), score(20, effectiveDateTime="1990-01-01")], 20),
        (
            [
                score(10, effectivePeriod={"start": "2026-03-01"}),
                score(20, effectiveInstant="2026-02-01T00:00:00Z"),
            ],
            10,
        ),
        ([score(10), score(20)], 20),
    ],
)
def test_the_latest_until_the_date_holds(sent: list[dict[str, Any]], value: int | None) -> None:
    assert values_of(request(*sent)).get("asthma_control_test_score") == value


@pytest.mark.parametrize(
    ("sent", "codes"),
    [
        ([factor("food"), factor("work")], {"food", "work"}),
        (
            [
                factor("food", effectiveDateTime="2026-01-01"),
                factor("work", effectiveDateTime="2026-02-01"),
            ],
            {"food", "work"},
        ),
        ([factor("none"), factor("work")], {"work"}),
        (
            [
                factor("food", effectiveDateTime="2026-01-01"),
                factor("none", effectiveDateTime="2026-02-01"),
            ],
            set(),
        ),
    ],
)
def test_one_observation_per_code_of_a_list(sent: list[dict[str, Any]], codes: set[str]) -> None:
    assert values_of(request(*sent))["complex_social_factors"] == codes


@pytest.mark.parametrize(
    ("answer", "pregnant"), [("77386006", True), ("60001007", False), ("152231000119106", None)]
)
def test_pregnancy_status(answer: str, pregnant: bool | None) -> None:
    sent = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "82810-3"}]},
        "valueCodeableConcept": {"coding": [{"system": "http://snomed.info/sct", "code": answer}]},
    }
    assert values_of(request(sent)).get("pregnant") is pregnant


def test_a_form_holds_over_an_observation_and_that_over_a_diagnosis() -> None:
    coded = {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "Z59.00"}]}
    diagnosis = {"resourceType": "Condition", "code": coded}
    no = observation("homeless", valueBoolean=False)
    yes = response(item("homeless", {"valueBoolean": True}))
    assert values_of(request(diagnosis, no))["homeless"] is False
    assert values_of(request(yes, diagnosis, no))["homeless"] is True


def test_completeness_may_be_observed() -> None:
    sent = observation("utilization_complete", valueBoolean=True)
    assert facts_of(request(sent)).events_complete is True
