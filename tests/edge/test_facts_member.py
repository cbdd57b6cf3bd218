"""Patient, Coverage and the request itself (facts.md 1.3, 1.4, 4.3); which resources count."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from app.policy.model import Span
from tests.edge.payloads import OURS, facts_of, item, request, response, values_of

CIN = f"{OURS}sid/cin"
PLAN = f"{OURS}sid/plan"
RACE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race"


def patient(cin: str | None = "9000001XA", **more: Any) -> dict[str, Any]:
    known = {"identifier": [{"system": CIN, "value": cin}]} if cin else {}
    return {"resourceType": "Patient", "id": "me", **known, **more}


def coverage(**more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Coverage",
        "status": "active",
        "beneficiary": {"reference": "#me"},
        "payor": [{"identifier": {"system": PLAN, "value": "HPSM"}}],
        **more,
    }


def of_me(*resources: dict[str, Any], **more: Any) -> dict[str, Any]:
    return request(*resources, subject={"reference": "#me"}, **more)


@pytest.mark.parametrize(
    ("addresses", "county"),
    [
        ([{"district": "San Mateo"}], "san_mateo"),
        ([{"district": "SAN MATEO COUNTY"}], "san_mateo"),
        ([{"district": "san_mateo"}], "san_mateo"),
        ([{"district": " Santa Cruz "}], "santa_cruz"),
        ([{"district": "Alameda"}], "alameda"),
        ([{"district": "Atlantis"}], None),
        (
            [{"use": "work", "district": "Merced"}, {"use": "home", "district": "Monterey"}],
            "monterey",
        ),
        ([{"use": "home"}, {"use": "work", "district": "Merced"}], "merced"),
        ([{"use": "temp", "district": "Merced"}, {"district": "Monterey"}], "merced"),
        ([{"city": "Merced"}], None),
    ],
)
def test_county(addresses: list[dict[str, Any]], county: str | None) -> None:
    facts = facts_of(of_me(patient(address=addresses)))
    assert (facts.values["county"].value if "county" in facts.values else None) == county


def test_a_district_that_is_no_county_is_noted() -> None:
    facts = facts_of(of_me(patient(address=[{"district": "Atlantis"}])))
    assert [note.partition(":")[0] for note in facts.notes] == ["county"]


@pytest.mark.parametrize(
    ("text", "birth"),
    [
        ("1979-01-15", Span(date(1979, 1, 15), date(1979, 1, 15))),
        ("2003-05", Span(date(2003, 5, 1), date(2003, 5, 31))),
        ("2003", Span(date(2003, 1, 1), date(2003, 12, 31))),
        (None, None),
    ],
)
def test_birth_date(text: str | None, birth: Span | None) -> None:
    assert facts_of(of_me(patient(birthDate=text))).birth == birth


def test_an_answered_age_counts_only_without_a_birth_date() -> None:
    answer = response(item("age", {"valueInteger": 30}))
    assert values_of(of_me(patient(), answer))["age"] == 30
    assert "age" not in values_of(of_me(patient(birthDate="1979"), answer))


def race(*codes: str, part: str = "ombCategory") -> dict[str, Any]:
    parts = [{"url": part, "valueCoding": {"code": code}} for code in codes]
    return {
        "extension": [{"url": RACE, "extension": [*parts, {"url": "text", "valueString": "x"}]}]
    }


@pytest.mark.parametrize(
    ("sent", "races"),
    [
        (race("2054-5"), {"black"}),
        (race("1002-5"), {"american-indian"}),
        (race("1004-1", part="detailed"), {"american-indian"}),
        (race("1735-0", part="detailed"), {"alaska-native"}),
        (race("2076-8"), {"pacific-islander"}),
        (race("2079-2", part="detailed"), {"pacific-islander"}),
        (race("2500-7", part="detailed"), {"pacific-islander"}),
        (race("2028-9"), {"asian"}),
        (race("2106-3"), {"white"}),
        (race("2131-1"), {"other"}),
        (race("2106-3", "2054-5"), {"white", "black"}),
        (race("UNK"), None),
        (race("ASKU"), None),
        ({}, None),
        (race(), None),
    ],
)
def test_race(sent: dict[str, Any], races: set[str] | None) -> None:
    assert values_of(of_me(patient(**sent))).get("race") == races


@pytest.mark.parametrize(
    ("more", "active"),
    [
        ({"period": {"start": "2023-01-01"}}, True),
        ({}, True),
        ({"period": {"start": "2026-11-20", "end": "2026-11-20"}}, True),
        ({"period": {"start": "2026-11-21"}}, False),
        ({"period": {"end": "2026-11-19"}}, False),
        ({"period": {"end": "2026-11-20T23:00:00-08:00"}}, True),
        ({"period": {"end": "2026-11"}}, None),
        ({"period": {"end": "2026-10"}}, False),
        ({"period": {"end": "2025"}}, False),
        ({"period": {"start": "2027"}}, False),
        ({"period": {"start": "2026", "end": "2026-11-20"}}, None),
        ({"status": "cancelled"}, False),
        ({"status": "draft"}, False),
    ],
)
def test_coverage_on_the_date(more: dict[str, Any], active: bool | None) -> None:
    assert values_of(of_me(patient(), coverage(**more))).get("coverage_active") is active


def line(code: str, system: str = "line-of-business") -> dict[str, Any]:
    return {"type": {"coding": [{"system": f"{OURS}CodeSystem/{system}", "code": code}]}}


def delegate(value: str, code: str = "delegate") -> dict[str, Any]:
    kind = {"coding": [{"system": f"{OURS}CodeSystem/coverage-class", "code": code}]}
    return {"class": [{"type": kind, "value": value}]}


@pytest.mark.parametrize(
    ("more", "name", "value"),
    [
        (line("MEDI-CAL"), "line_of_business", "MEDI-CAL"),
        (line("CAREADVANTAGE"), "line_of_business", "CAREADVANTAGE"),
        (line("MEDI-CAL", "other"), "line_of_business", None),
        (line("DENTAL"), "line_of_business", None),
        ({}, "line_of_business", None),
        (delegate("KAISER"), "delegated_to", "KAISER"),
        (delegate("Kaiser"), "delegated_to", "KAISER"),
        (delegate("KAISER", "group"), "delegated_to", "none"),
        ({}, "delegated_to", "none"),
    ],
)
def test_coverage_terms(more: dict[str, Any], name: str, value: str | None) -> None:
    assert values_of(of_me(patient(), coverage(**more))).get(name) == value


def test_of_several_coverages_the_one_in_force_holds() -> None:
    ended = coverage(period={"end": "2025-12-31"}, **line("CAREADVANTAGE"))
    values = values_of(of_me(patient(), ended, coverage(**line("MEDI-CAL"))))
    assert (values["coverage_active"], values["line_of_business"]) == (True, "MEDI-CAL")


def test_a_coverage_of_an_unknown_payor_counts_as_none() -> None:
    foreign = coverage(payor=[{"display": "Some insurer"}], status="cancelled")
    assert "coverage_active" not in values_of(of_me(patient(), foreign))


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [
        ({"value": 30, "system": "http://unitsofmeasure.org", "code": "d"}, {"requested_days": 30}),
        ({"value": 6, "system": "http://unitsofmeasure.org", "code": "h"}, {"requested_hours": 6}),
        (
            {"value": 12.0, "system": "http://unitsofmeasure.org", "code": "wk"},
            {"requested_weeks": 12},
        ),
        ({"value": 2.5, "system": "http://unitsofmeasure.org", "code": "d"}, {}),
        ({"value": 30, "system": "http://x.example", "code": "d"}, {}),
        (
            {"value": 5000, "system": "urn:iso:std:iso:4217", "code": "USD"},
            {"requested_usd": Decimal(5000)},
        ),
        ({"unit": "days", "value": 30}, {}),
        ({"code": "d", "system": "http://unitsofmeasure.org"}, {}),
    ],
)
def test_requested_amount(quantity: dict[str, Any], expected: dict[str, Any]) -> None:
    assert values_of(request(quantityQuantity=quantity)) == expected


def test_consent_and_self_referral() -> None:
    values = values_of(of_me(patient(), {"resourceType": "Consent", "status": "active"}))
    assert values == {"consent_attested": True}
    assert values_of(of_me(patient(), requester={"reference": "#me"})) == {
        "referral_source": "member"
    }


YES = response(item("homeless", {"valueBoolean": True}))


def about(reference: str | None = None, cin: str | None = None) -> dict[str, Any]:
    pointed: dict[str, Any] = {"reference": reference} if reference else {}
    if cin:
        pointed["identifier"] = {"system": CIN, "value": cin}
    return {**YES, "subject": pointed}


ME, OTHER = ("Patient/1", patient()), ("Patient/2", patient("9000002XA"))


@pytest.mark.parametrize(
    ("form", "named", "counts"),
    [
        (about("Patient/1"), False, True),
        (about(cin="9000001XA"), False, True),
        (YES, False, True),
        (about("Patient/2"), False, False),
        (about("Patient/2"), True, False),
        (about(cin="9000002XA"), False, False),
        (about("Patient/77"), False, False),
        (about("Patient/77"), True, True),
    ],
)
def test_which_entries_of_a_bundle_count(form: dict[str, Any], named: bool, counts: bool) -> None:
    info = {"supportingInfo": [{"reference": "QuestionnaireResponse/1"}]} if named else {}
    sent = request(subject={"reference": "Patient/1"}, **info)
    facts = facts_of(sent, ME, OTHER, ("QuestionnaireResponse/1", form))
    assert ("homeless" in facts.values) is counts
    assert any("somebody else" in note for note in facts.notes) is not counts


def test_a_member_named_by_identifier_is_the_patient_of_that_identifier() -> None:
    sent = request(subject={"identifier": {"system": CIN, "value": "9000001XA"}})
    born = ("Patient/1", patient(birthDate="1979-01-15"))
    assert facts_of(sent, born, OTHER).birth == Span(date(1979, 1, 15), date(1979, 1, 15))
