"""Encounters become utilization events as facts.md 4.2 says, line by line."""

from datetime import date
from typing import Any

import pytest

from app.policy.model import Span
from tests.edge.payloads import event, facts_of, item, request, response, values_of

ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
PRIORITY = "http://terminology.hl7.org/CodeSystem/v3-ActPriority"
SOURCE = "http://terminology.hl7.org/CodeSystem/admit-source"
ICD = "http://hl7.org/fhir/sid/icd-10-cm"
AVOIDABLE = "https://nowrongdoor.example/fhir/StructureDefinition/encounter-avoidable"


def coded(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}


def encounter(klass: str, start: str | None = "2026-05-01", **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Encounter",
        "status": "finished",
        "class": {"system": ACT, "code": klass},
        **({"period": {"start": start}} if start else {}),
        **more,
    }


EMERGENCY_ROOM = {"admitSource": coded(SOURCE, "emd")}


def kinds(*sent: dict[str, Any]) -> list[tuple[str, bool | None]]:
    return [(e.type, e.led_to_admission) for e in facts_of(request(*sent)).events]


@pytest.mark.parametrize(
    ("klass", "kind"),
    [
        ("EMER", "ed-visit"),
        ("IMP", "inpatient"),
        ("ACUTE", "inpatient"),
        ("NONAC", "snf-short"),
        ("AMB", None),
        ("OBSENC", None),
        ("VR", None),
    ],
)
def test_class(klass: str, kind: str | None) -> None:
    assert [k for k, _ in kinds(encounter(klass))] == ([kind] if kind else [])


@pytest.mark.parametrize(
    ("status", "counts"),
    [
        ("finished", True),
        ("in-progress", True),
        ("onleave", True),
        ("planned", False),
        ("cancelled", False),
        ("entered-in-error", False),
        ("arrived", False),
        ("unknown", False),
    ],
)
def test_status(status: str, counts: bool) -> None:
    assert bool(kinds(encounter("EMER", status=status))) is counts


def test_a_class_of_a_foreign_system_is_no_event() -> None:
    assert (
        kinds(encounter("EMER", **{"class": {"system": "http://x.example", "code": "EMER"}})) == []
    )


@pytest.mark.parametrize(
    ("start", "when"),
    [
        ("2026-05-01", Span(date(2026, 5, 1), date(2026, 5, 1))),
        ("2026-05-01T23:30:00-07:00", Span(date(2026, 5, 1), date(2026, 5, 1))),
        ("2026-05-02T05:00:00Z", Span(date(2026, 5, 1), date(2026, 5, 1))),
        ("2026-05-01T23:59:60-07:00", Span(date(2026, 5, 1), date(2026, 5, 1))),
        ("2026-05", Span(date(2026, 5, 1), date(2026, 5, 31))),
        ("0001-01-01T00:00:00+14:00", None),
        (None, None),
    ],
)
def test_the_date_is_local(start: str | None, when: Span | None) -> None:
    assert facts_of(request(encounter("EMER", start))).events[0].when == when


@pytest.mark.parametrize(
    ("more", "avoidable"),
    [
        ({}, None),
        ({"extension": [{"url": AVOIDABLE, "valueBoolean": True}]}, True),
        ({"extension": [{"url": AVOIDABLE, "valueBoolean": False}]}, False),
        ({"extension": [{"url": AVOIDABLE}]}, None),
    ],
)
def test_avoidable(more: dict[str, Any], avoidable: bool | None) -> None:
    assert facts_of(request(encounter("EMER", **more))).events[0].avoidable is avoidable


@pytest.mark.parametrize(
    ("more", "unplanned"),
    [
        ({"priority": coded(PRIORITY, "EM")}, True),
        ({"priority": coded(PRIORITY, "UR")}, True),
        ({"priority": coded(PRIORITY, "EL")}, False),
        ({"priority": coded(PRIORITY, "R")}, None),
        ({}, None),
        ({"hospitalization": EMERGENCY_ROOM}, True),
        ({"hospitalization": {"admitSource": coded(SOURCE, "gp")}}, None),
    ],
)
def test_unplanned(more: dict[str, Any], unplanned: bool | None) -> None:
    assert facts_of(request(encounter("IMP", **more))).events[0].unplanned is unplanned


DEPRESSION = {"resourceType": "Condition", "id": "why", "code": coded(ICD, "F32.9")}


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"reasonCode": [coded(ICD, "F11.20")]}, "substance-use"),
        ({"reasonCode": [coded(ICD, "F32.9")]}, "mental-health"),
        ({"reasonCode": [coded(ICD, "R10.9")]}, "other"),
        ({"reasonCode": [coded(ICD, "R10.9"), coded(ICD, "F11.20")]}, "substance-use"),
        ({"reasonCode": [{"text": "overdose"}]}, None),
        ({}, None),
        ({"diagnosis": [{"condition": {"reference": "#why"}}]}, "mental-health"),
        ({"reasonReference": [{"reference": "#why"}]}, "mental-health"),
        ({"diagnosis": [{"condition": {"reference": "#nowhere"}}]}, None),
    ],
)
def test_reason(more: dict[str, Any], reason: str | None) -> None:
    assert facts_of(request(DEPRESSION, encounter("EMER", **more))).events[0].reason == reason


VISIT = encounter("EMER", "2026-05-01", id="visit")


@pytest.mark.parametrize(
    ("stay", "led"),
    [
        (encounter("IMP", "2026-05-02", partOf={"reference": "#visit"}), True),
        (encounter("IMP", "2026-05-01", hospitalization=EMERGENCY_ROOM), True),
        (encounter("IMP", "2026-05-02", hospitalization=EMERGENCY_ROOM), True),
        (encounter("IMP", "2026-05-03", hospitalization=EMERGENCY_ROOM), None),
        (encounter("IMP", "2026-04-30", hospitalization=EMERGENCY_ROOM), None),
        (encounter("IMP", "2026-05-02"), None),
        (encounter("NONAC", "2026-05-02", partOf={"reference": "#visit"}), None),
        (encounter("IMP", "2026-05-02", partOf={"reference": "#nowhere"}), None),
    ],
)
def test_the_visit_that_led_to_a_stay(stay: dict[str, Any], led: bool | None) -> None:
    assert dict(kinds(VISIT, stay))["ed-visit"] is led


def test_a_visit_leads_to_one_stay_only() -> None:
    stay = encounter("IMP", "2026-05-01", hospitalization=EMERGENCY_ROOM)
    earlier = encounter("EMER", "2026-04-30")
    assert kinds(earlier, VISIT, stay) == [
        ("ed-visit", None),
        ("ed-visit", True),
        ("inpatient", None),
    ]
    assert kinds(earlier, VISIT, stay, stay)[:2] == [("ed-visit", True), ("ed-visit", True)]


def test_a_visit_days_before_its_stay_is_within_the_stay() -> None:
    visit = {**VISIT, "extension": [{"url": AVOIDABLE, "valueBoolean": True}]}
    stay = encounter("IMP", "2026-05-05", partOf={"reference": "#visit"})
    (only,) = facts_of(request(visit, stay)).events
    assert (only.type, only.avoidable) == ("inpatient", True)


@pytest.mark.parametrize(
    ("sent", "days"),
    [
        (encounter("NONAC", "2026-09-21", status="in-progress"), 60),
        (encounter("NONAC", "2026-09-21"), None),
        (encounter("NONAC", "2026-09", status="in-progress"), None),
        (encounter("NONAC", "2026-12-01", status="in-progress"), None),
        (encounter("IMP", "2026-09-21", status="in-progress"), None),
    ],
)
def test_days_in_a_nursing_facility(sent: dict[str, Any], days: int | None) -> None:
    assert values_of(request(sent)).get("nf_days") == days


def test_an_event_told_twice_is_one_and_the_form_holds() -> None:
    form = response(event(type="ed-visit", date="2026-05-01", avoidable=False))
    avoidable = {"extension": [{"url": AVOIDABLE, "valueBoolean": True}]}
    sent = encounter("EMER", reasonCode=[coded(ICD, "F11.20")], **avoidable)
    facts = facts_of(request(form, sent))
    (only,) = facts.events
    assert (only.avoidable, only.reason) == (False, "substance-use")
    [conflict] = facts.notes
    assert conflict.startswith("utilization.avoidable: ")
    assert conflict.endswith("the answer on the form holds")


@pytest.mark.parametrize(
    ("on_form", "sent", "count"),
    [
        (["2026-05-01"], ["2026-05-01", "2026-05-01"], 2),
        (["2026-05-01", "2026-05-01"], ["2026-05-01"], 2),
        (["2026-05-01", "2026-05-01"], ["2026-05-01", "2026-05-01"], 2),
        (["2026-05-01"], ["2026-05-02"], 2),
        (["2026-05"], ["2026-05-01"], 2),
        ([], ["2026-05-01", "2026-05-01"], 2),
        ([None], [None], 2),
    ],
)
def test_how_many_events(on_form: list[str | None], sent: list[str | None], count: int) -> None:
    groups = [event(type="ed-visit", **({"date": day} if day else {})) for day in on_form]
    payload = request(response(*groups), *(encounter("EMER", day) for day in sent))
    assert len(facts_of(payload).events) == count


def test_another_type_on_the_same_day_is_another_event() -> None:
    form = response(event(type="inpatient", date="2026-05-01"))
    assert len(facts_of(request(form, encounter("EMER"))).events) == 2


def test_encounters_never_complete_a_list() -> None:
    complete = item("utilization_complete", {"valueBoolean": True})
    assert facts_of(request(encounter("EMER"))).events_complete is None
    assert facts_of(request(encounter("EMER"), response(complete))).events_complete is True
