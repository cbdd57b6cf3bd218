"""Diagnoses become facts as the table of facts.md 4.1 says."""

from typing import Any

import pytest

from app.fhir import clinical_codes
from app.fhir.clinical_codes import encounter_reason, load_diagnoses
from tests.edge.payloads import facts_of, item, request, response, values_of

ICD = "http://hl7.org/fhir/sid/icd-10-cm"
HCPCS = "https://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"


def condition(code: str, system: str = ICD, **more: Any) -> dict[str, Any]:
    coded = {"coding": [{"system": system, "code": code}]}
    return {"resourceType": "Condition", "code": coded, **more}


def status(code: str) -> dict[str, Any]:
    return {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/x", "code": code}]}


def factors(*codes: str) -> dict[str, Any]:
    return {"complex_social_factors": frozenset(codes)}


def diet(*codes: str) -> dict[str, Any]:
    return {"nutrition_sensitive_conditions": frozenset(codes)}


def incarceration(*codes: str) -> dict[str, Any]:
    return {"ji_conditions": frozenset(codes)}


HOMELESS = {"homeless": True, **factors("housing")}
IDD = {"idd": True, **incarceration("idd")}
CODES: list[tuple[str, dict[str, Any]]] = [
    ("Z59.00", HOMELESS),
    ("Z59.01", HOMELESS),
    ("Z59.02", HOMELESS),
    ("Z59.0", HOMELESS),
    ("Z5902", HOMELESS),
    ("z59.02", HOMELESS),
    ("Z59.811", {"housing_insecure": True, "at_risk_of_homelessness": True, **factors("housing")}),
    ("Z59.812", {"housing_insecure": True, "exited_homelessness_24m": True, **factors("housing")}),
    ("Z59.819", {"housing_insecure": True, **factors("housing")}),
    ("Z59.1", factors("housing")),
    ("Z59.12", factors("housing")),
    ("Z59.89", factors("housing")),
    ("Z59.9", factors("housing")),
    ("Z59.41", factors("food")),
    ("Z59.48", factors("food")),
    ("Z59.82", factors("transportation")),
    ("Z56.0", factors("work")),
    ("Z56.89", factors("work")),
    ("Z65.3", factors("law-enforcement")),
    ("Z62.21", factors("other")),
    ("Z62.819", factors("other")),
    ("Z65.8", factors("other")),
    ("Z60.4", factors("other")),
    ("Z60.2", {"environmental_factors": frozenset({"living-alone"}), **factors("other")}),
    ("Z33.1", {"pregnant": True}),
    ("Z34.03", {"pregnant": True}),
    ("O09.291", {"pregnant": True}),
    ("F10.20", incarceration("sud")),
    ("F16.1", incarceration("sud")),
    ("F17.210", {}),
    ("F19.10", incarceration("sud")),
    ("F20.0", incarceration("mental-illness")),
    ("F48.8", incarceration("mental-illness")),
    ("F50.0", {}),
    ("F70", IDD),
    ("F79", IDD),
    ("F84.0", IDD),
    ("F84.5", {}),
    ("S06.0X0A", incarceration("tbi")),
    ("Z87.820", incarceration("tbi")),
    ("B20", {**incarceration("hiv"), **diet("hiv")}),
    ("Z21", {**incarceration("hiv"), **diet("hiv")}),
    ("J45.901", {"asthma": True}),
    ("E11.9", diet("diabetes")),
    ("E14.9", {}),
    ("I50.9", diet("heart-failure")),
    ("I10", diet("cardiovascular")),
    ("I13.0", diet("cardiovascular")),
    ("I25.10", diet("cardiovascular")),
    ("I26.9", {}),
    ("I63.9", diet("stroke")),
    ("N18.4", diet("renal")),
    ("J44.9", diet("chronic-lung")),
    ("J47.0", diet("chronic-lung")),
    ("J46", {}),
    ("C00.0", diet("cancer")),
    ("C7A.00", diet("cancer")),
    ("C96.9", diet("cancer")),
    ("E43", diet("malnutrition")),
    ("R10.9", {}),
    ("Z59.00X", {}),
    ("", {}),
]


@pytest.mark.parametrize(("code", "expected"), CODES)
def test_a_code_says(code: str, expected: dict[str, Any]) -> None:
    assert values_of(request(condition(code))) == expected
    reason = {"coding": [{"system": ICD, "code": code}]}
    assert values_of(request(reasonCode=[reason])) == expected


@pytest.mark.parametrize(
    ("sent", "counts"),
    [
        (condition("Z59.00"), True),
        (condition("Z59.00", clinicalStatus=status("active")), True),
        (condition("Z59.00", clinicalStatus=status("recurrence")), True),
        (condition("Z59.00", clinicalStatus=status("relapse")), True),
        (condition("Z59.00", clinicalStatus=status("resolved")), False),
        (condition("Z59.00", clinicalStatus=status("inactive")), False),
        (condition("Z59.00", clinicalStatus=status("remission")), False),
        (condition("Z59.00", verificationStatus=status("unconfirmed")), True),
        (condition("Z59.00", verificationStatus=status("refuted")), False),
        (condition("Z59.00", verificationStatus=status("entered-in-error")), False),
        (condition("Z59.00", system="http://hl7.org/fhir/sid/icd-10"), False),
        ({"resourceType": "Condition"}, False),
        ({"resourceType": "Condition", "code": {"text": "homeless"}}, False),
    ],
)
def test_which_conditions_count(sent: dict[str, Any], counts: bool) -> None:
    assert ("homeless" in values_of(request(sent))) is counts


def test_adverse_childhood_experiences_are_a_hcpcs_code() -> None:
    assert values_of(request(condition("G9919", HCPCS))) == factors("aces-4")
    assert values_of(request(condition("G9919"))) == {}


def test_codes_add_up() -> None:
    values = values_of(request(condition("Z59.41"), condition("Z59.82")))
    assert values == factors("food", "transportation")


def test_an_answer_holds_over_a_diagnosis_and_the_conflict_is_named() -> None:
    answer = response(item("homeless", {"valueBoolean": False}))
    facts = facts_of(request(answer, condition("Z59.00")))
    assert facts.values["homeless"].value is False
    assert facts.notes == (
        (
            "homeless: Condition/#r1 and QuestionnaireResponse/#facts differ; "
            "the answer on the form holds"
        ),
    )


def test_none_yields_to_a_diagnosis() -> None:
    none = {"valueCoding": {"code": "none"}}
    facts = facts_of(request(response(item("complex_social_factors", none)), condition("Z59.41")))
    assert facts.values["complex_social_factors"].value == {"food"}
    assert any(note.startswith("complex_social_factors:") for note in facts.notes)


def test_lists_of_form_and_diagnosis_are_united_whatever_form_came_last() -> None:
    food, work = ({"valueCoding": {"code": code}} for code in ("food", "work"))
    first = response(item("complex_social_factors", food), authored="2026-01-01")
    later = response(item("complex_social_factors", work), authored="2026-02-01")
    values = values_of(request(condition("Z59.00"), first, later))
    assert values["complex_social_factors"] == {"work", "housing"}


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("F10.20", "substance-use"),
        ("F17.210", "substance-use"),
        ("F19.1", "substance-use"),
        ("F20.0", "mental-health"),
        ("F99", "mental-health"),
        ("R45.851", "mental-health"),
        ("T14.91XA", "mental-health"),
        ("X71.0", "mental-health"),
        ("X83.8", "mental-health"),
        ("R45.85", "other"),
        ("X84", "other"),
        ("J45.901", "other"),
    ],
)
def test_what_an_encounter_was_for(code: str, reason: str) -> None:
    assert encounter_reason(code) == reason


def test_no_more_of_a_code_is_remembered_than_any_code_has() -> None:
    long = "F10." + "2" * 100_000
    assert encounter_reason(long) == "substance-use"
    before = clinical_codes._reason.cache_info().currsize
    assert encounter_reason(long + "0") == "substance-use"
    assert clinical_codes._reason.cache_info().currsize == before


def test_every_row_has_evidence_and_a_switch() -> None:
    table = load_diagnoses()
    assert all(row.evidence and row.enabled for row in (*table.facts, *table.encounter_reasons))
