"""A ServiceRequest becomes a referral in our own words, or every rule that it breaks."""

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from app.fhir.bundle import read_bundle
from app.fhir.clinical_codes import load_hcpcs
from app.fhir.facts import read_facts, read_roster_member
from app.fhir.r4 import codes
from app.fhir.reference import rewrite_references
from app.fhir.service_request import (
    _services,
    address_lines,
    language_of,
    name_of,
    read_received,
    to_domain,
)
from app.journey.eligibility.merge import merge
from app.model.request import ReferralRequest
from app.policy.model import Facts
from app.policy.stated import RosterMember
from tests.edge.payloads import ON, OURS, request

EXAMPLES = Path(__file__).parents[1] / "examples"
HCPCS = "https://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
CIN = f"{OURS}sid/cin"
NPI = "http://hl7.org/fhir/sid/us-npi"


def ours(*found: str) -> dict[str, Any]:
    return {"coding": [{"system": codes.CALAIM_SERVICE, "code": code} for code in found]}


def billed(*found: str) -> dict[str, Any]:
    return {"coding": [{"system": HCPCS, "code": code} for code in found]}


def read(*contained: dict[str, Any], **more: Any) -> ReferralRequest:
    referral, faults = to_domain(request(*contained, **more), (), ON)
    assert referral is not None
    assert faults == []
    return referral


@pytest.mark.parametrize("code", list(codes.SERVICES))
def test_every_service_is_known_by_its_code(code: str) -> None:
    assert read(code=ours(code)).service == code


@pytest.mark.parametrize(
    ("code", "modifiers", "candidates"),
    [
        (None, [], ()),
        ({"text": "a care manager"}, [], ()),
        ({"coding": [{"code": "ECM"}]}, [], ("ECM",)),
        ({"coding": [{"system": "http://x.example", "code": "ECM"}]}, [], ()),
        ({"coding": [{"system": codes.CALAIM_SERVICE}]}, [], ()),
        (ours("ECM", "ECM"), [], ("ECM",)),
        (ours("HD", "HTNS"), [], ("HD", "HTNS")),
        (billed("G9008"), [], ("ECM",)),
        (billed("G9012"), ["U8", "GQ"], ("ECM",)),
        (billed("H0043"), [], ("HTNS", "STPHH", "TR")),
        (billed("H0043"), ["U6"], ("HTNS",)),
        (billed("H0043"), ["U3"], ("STPHH",)),
        (billed("H0043"), ["U2"], ("TR",)),
        (billed("H0043"), ["u6", "GQ"], ("HTNS",)),
        (billed("H0043"), ["GQ"], ("HTNS", "STPHH", "TR")),
        (billed("H0043"), ["U9"], ()),
        (billed("H0044"), ["U2"], ("HD",)),
        (billed("H0044"), ["U5"], ("CTS",)),
        (billed("S5165"), ["U5"], ("AR",)),
        (billed("S5165"), ["U6"], ("EAA",)),
        (billed("T2038"), ["U4"], ("NFTD",)),
        (billed("h2016"), [], ("HTNS",)),
        (billed("H0043", "H2016"), [], ("HTNS",)),
        (billed("99999"), [], ()),
        ({"coding": [*ours("HD")["coding"], *billed("H0043")["coding"]]}, [], ("HD",)),
    ],
)
def test_which_service_is_meant(
    code: dict[str, Any] | None, modifiers: list[str], candidates: tuple[str, ...]
) -> None:
    detail = [billed(modifier) for modifier in modifiers]
    more = {"code": code, "orderDetail": detail} if code else {}
    assert _services(request(**more)) == candidates
    assert read(**more).service == (candidates[0] if len(candidates) == 1 else None)


def test_every_pair_of_code_and_modifier_means_one_service() -> None:
    for row in load_hcpcs():
        for modifier in row.modifiers:
            meant = read(code=billed(row.code), orderDetail=[billed(modifier)])
            assert meant.service == row.service


@pytest.mark.parametrize(
    ("more", "faults"),
    [
        ({"status": "draft"}, [("business-rule", "ServiceRequest.status")]),
        ({"status": None}, [("business-rule", "ServiceRequest.status")]),
        ({"intent": "option"}, [("business-rule", "ServiceRequest.intent")]),
        ({"intent": "reflex-order"}, [("business-rule", "ServiceRequest.intent")]),
        ({"doNotPerform": True}, [("business-rule", "ServiceRequest.doNotPerform")]),
        ({"code": ours("CARE-COORD")}, [("code-invalid", "ServiceRequest.code.coding[0].code")]),
        (
            {"code": {"coding": [*billed("X1")["coding"], *ours("ecm")["coding"]]}},
            [("code-invalid", "ServiceRequest.code.coding[1].code")],
        ),
        (
            {"status": "revoked", "intent": "directive", "code": ours("X")},
            [
                ("business-rule", "ServiceRequest.status"),
                ("business-rule", "ServiceRequest.intent"),
                ("code-invalid", "ServiceRequest.code.coding[0].code"),
            ],
        ),
        ({"doNotPerform": False}, []),
        *[
            ({"intent": intent}, [])
            for intent in ("proposal", "plan", "order", "original-order", "filler-order")
        ],
    ],
)
def test_rules_of_this_service(more: dict[str, Any], faults: list[tuple[str, str]]) -> None:
    referral, told = to_domain(request(**more), (), ON)
    assert [(fault.code, fault.expression) for fault in told] == faults
    assert (referral is None) is bool(faults)


def cin(value: str, **more: str) -> dict[str, Any]:
    return {"system": CIN, "value": value, **more}


def patient(*identifiers: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": "me", "identifier": list(identifiers), **more}


COVERAGE = {
    "resourceType": "Coverage",
    "id": "coverage",
    "status": "active",
    "subscriberId": "C",
    "payor": [{"identifier": {"system": f"{OURS}sid/plan", "value": "HPSM"}}],
}
TO_ME = {"reference": "#me"}


@pytest.mark.parametrize(
    ("contained", "subject", "found"),
    [
        ([patient(cin("P")), COVERAGE], TO_ME, "P"),
        ([patient(), COVERAGE], TO_ME, "C"),
        ([patient()], {**TO_ME, "identifier": cin("S")}, "S"),
        ([COVERAGE], {"identifier": cin("S")}, "C"),
        ([], {"identifier": cin("S")}, "S"),
        ([], {"identifier": {"system": "http://x.example", "value": "S"}}, None),
        ([patient(cin("old", use="old"), cin("P"))], TO_ME, "P"),
        ([patient({"system": CIN})], TO_ME, None),
        ([patient()], TO_ME, None),
        ([], {"reference": "Patient/1"}, None),
        ([], None, None),
    ],
)
def test_where_the_cin_is_found(
    contained: list[dict[str, Any]], subject: dict[str, Any] | None, found: str | None
) -> None:
    assert read(*contained, **({"subject": subject} if subject else {})).cin == found


def test_how_a_member_is_written_to() -> None:
    me = patient(
        name=[{"use": "old", "family": "Was"}, {"given": ["Ada", "B"], "family": "Is"}],
        address=[
            {
                "use": "home",
                "line": ["1 Street"],
                "city": "Here",
                "district": "Merced",
                "state": "CA",
                "postalCode": "95340",
            }
        ],
        communication=[
            {"language": {"coding": [{"code": "en"}]}},
            {"language": {"coding": [{"code": "ES"}]}, "preferred": True},
        ],
    )
    assert (name_of(me), language_of(me)) == ("Ada B Is", "es")
    assert address_lines(me) == ("1 Street", "Here, CA 95340")


def test_when_paper_was_received() -> None:
    stated = {
        "url": f"{OURS}StructureDefinition/received",
        "valueDateTime": "2026-11-18T09:00:00-08:00",
    }
    received = read_received(request(extension=[stated]))
    assert received == datetime(2026, 11, 18, 17, 0, tzinfo=UTC)
    assert read_received(request()) is None


def test_all_that_a_full_referral_says() -> None:
    organization = {
        "resourceType": "Organization",
        "id": "org",
        "identifier": [{"system": NPI, "value": "9"}],
    }
    me = patient(
        cin("P"),
        birthDate="1979-01",
        generalPractitioner=[{"identifier": {"system": NPI, "value": "7"}}],
    )
    found = read(
        me,
        COVERAGE,
        organization,
        subject=TO_ME,
        priority="asap",
        identifier=[{"system": "https://a.example", "value": "1"}, {"value": "2"}, {"system": "x"}],
        performer=[
            {"reference": "HealthcareService/h"},
            {"reference": "#org"},
            {"identifier": {"system": NPI, "value": "8"}},
        ],
        basedOn=[{"reference": "https://h.example/fhir/ServiceRequest/1/_history/2"}],
        reasonCode=[
            {"coding": [{"system": codes.POPULATION, "code": "POF2"}]},
            {"coding": [{"system": codes.POPULATION, "code": "POF2"}]},
            {"text": "x"},
        ],
        occurrencePeriod={"start": "2026-12"},
    )
    assert [p.type for p in found.performers] == ["HealthcareService", "Organization", None]
    assert [p.value(NPI) for p in found.performers] == [None, "9", "8"]
    assert found.identifiers == (("https://a.example", "1"), ("", "2"))
    assert found.based_on[0].type == "ServiceRequest"
    assert found.general_practitioners[0].value(NPI) == "7"
    assert (found.claimed, found.plan) == (("POF2",), "HPSM")
    assert (found.urgent, found.birth_date) == (True, "1979-01")
    assert found.occurrence_start == date(2026, 12, 1)


@pytest.mark.parametrize(("plans", "plan"), [(None, "BLUE"), ({"HPSM"}, "HPSM"), ({"CCAH"}, None)])
def test_a_coverage_of_a_plan_not_served_counts_as_none(
    plans: set[str] | None, plan: str | None
) -> None:
    payor = [{"identifier": {"system": f"{OURS}sid/plan", "value": "BLUE"}}]
    blue = {**COVERAGE, "id": "blue", "payor": payor}
    insured = [{"reference": "#blue"}, {"reference": "#coverage"}]
    referral, _ = to_domain(request(COVERAGE, blue, insurance=insured), (), ON, plans)
    assert referral is not None
    assert referral.plan == plan


@pytest.mark.parametrize(
    ("priority", "urgent"),
    [(None, False), ("routine", False), ("urgent", True), ("asap", True), ("stat", True)],
)
def test_urgency(priority: str | None, urgent: bool) -> None:
    assert read(**({"priority": priority} if priority else {})).urgent is urgent


def _roster() -> dict[str, RosterMember]:
    by_patient: dict[str, dict[str, list[Any]]] = {}
    for text in (EXAMPLES / "roster.ndjson").read_text("utf-8").splitlines():
        resource = json.loads(text)
        kind = resource["resourceType"]
        whom = resource.get("beneficiary") or resource.get("subject") or {}
        key = whom.get("reference") or f"Patient/{resource['id']}"
        by_patient.setdefault(key, {}).setdefault(kind, []).append(resource)
    members = [
        read_roster_member(m["Patient"][0], m["Coverage"], m.get("QuestionnaireResponse", []))
        for m in by_patient.values()
    ]
    return {member.cin or "": member for member in members}


ROSTER = _roster()


def example(number: str) -> tuple[ReferralRequest, Facts]:
    (path,) = EXAMPLES.glob(f"{number}-*.json")
    tree, beside = json.loads(path.read_text("utf-8")), []
    if tree["resourceType"] == "Bundle":
        found, _ = read_bundle(tree)
        assert found is not None
        names = {e.index: f"{e.type}/{e.index}" for e in found.entries}
        rewritten = [rewrite_references(e.resource, found.mapping(e, names)) for e in found.entries]
        tree = rewritten.pop(found.service_request.index)
        beside = list(zip(names.values(), rewritten, strict=False))
    referral, faults = to_domain(tree, beside, ON)
    assert referral is not None
    assert faults == []
    roster = ROSTER.get(referral.cin or "")
    return referral, merge(read_facts(tree, beside, ON), roster, referral.coverages, ON)


@pytest.mark.parametrize(
    ("number", "service", "cin_", "plan", "urgent", "expected"),
    [
        ("01", "ECM", "9000001XA", "HPSM", True, {"homeless": True, "county": "san_mateo"}),
        ("02", "ECM", "9000001XA", "HPSM", True, {"homeless": True, "county": "san_mateo"}),
        (
            "03",
            "RC",
            "9000019XA",
            "CCAH",
            True,
            {
                "requested_days": 30,
                "homeless": True,
                "complex_social_factors": {"housing"},
                "county": "monterey",
            },
        ),
        ("04", "HD", "9000012XA", "HPSJ", False, {"current_authorizations": {"HTNS"}}),
        ("05", "ECM", None, None, False, {"referral_source": "member"}),
        (
            "06",
            "DH",
            "9000010XA",
            None,
            False,
            {"delegated_to": "KAISER", "delegate_offers_service": False},
        ),
        ("07", "ECM", "9000002XA", None, False, {"line_of_business": "CAREADVANTAGE"}),
        ("08", "ECM", "9000001XA", None, False, {"current_authorizations": frozenset()}),
        ("12", None, "9000021XA", None, False, {"homeless": True, "county": "merced"}),
    ],
)
def test_the_examples(
    number: str,
    service: str | None,
    cin_: str | None,
    plan: str | None,
    urgent: bool,
    expected: dict[str, Any],
) -> None:
    referral, facts = example(number)
    assert (referral.service, referral.cin, referral.plan) == (service, cin_, plan)
    assert referral.urgent is urgent
    values = {name: fact.value for name, fact in facts.values.items()}
    assert values == {**values, **expected}


@pytest.mark.parametrize("number", ["01", "02"])
def test_six_visits_of_which_the_last_led_to_the_stay(number: str) -> None:
    referral, facts = example(number)
    assert referral.claimed == ("POF2", "POF1A")
    assert [event.led_to_admission for event in facts.events] == [None] * 5 + [True, None]
    assert [event.type for event in facts.events] == ["ed-visit"] * 6 + ["inpatient"]
    assert facts.events_complete is False


def test_the_roster_of_the_examples() -> None:
    assert len(ROSTER) == 25
    ended = merge((), ROSTER["9000006XA"], (), ON)
    assert ended.values["coverage_active"].value is False
    assert merge((), ROSTER["9000003XA"], (), ON).values["race"].value == {"black"}
    assert merge((), ROSTER["9000014XA"], (), ON).values["programs_enrolled"].value == {"pace"}
