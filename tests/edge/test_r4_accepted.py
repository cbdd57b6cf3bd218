"""What base R4 allows, however unusual, is taken: the examples and the corners of its JSON."""

from decimal import Decimal
from pathlib import Path

import pytest

from app.fhir.r4.check import check_resource
from app.fhir.r4.service import find_unsupported
from app.fhir.r4.strict_json import dumps, parse
from tests.edge.resources import DIV, PATIENT, REQUEST

EXAMPLES = Path(__file__).parent.parent / "examples"
MALFORMED = {"09-malformed-wrong-type.json", "10-malformed-unknown-code.json"}
PAYLOADS = sorted(path.name for path in EXAMPLES.glob("*.json") if path.name not in MALFORMED)

WHY = {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}


@pytest.mark.parametrize("name", PAYLOADS)
def test_the_example_is_valid_and_is_given_back_as_sent(name):
    body = (EXAMPLES / name).read_bytes()
    resource = parse(body)
    assert check_resource(resource) == []
    assert find_unsupported(resource) == []
    assert parse(dumps(resource)) == resource


def test_there_are_ten_valid_examples():
    assert len(PAYLOADS) == 10


@pytest.mark.parametrize("name", ["network.ndjson", "roster.ndjson"])
def test_every_line_of_the_demonstration_data_is_valid(name):
    lines = (EXAMPLES / name).read_bytes().splitlines()
    assert len(lines) > 50
    assert [fault for line in lines for fault in check_resource(parse(line))] == []


DATES = [
    "2026", "2026-11", "2026-11-20", "2024-02-29", "0001-01-01", "9999-12-31",
    "2026-11-20T10:00:00Z", "2026-11-20T10:00:00.123456789Z", "2026-11-20T10:00:00+14:00",
    "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "2016-12-31T23:59:60Z",
]  # fmt: skip


@pytest.mark.parametrize("value", DATES)
def test_dates_at_the_edges(value):
    assert check_resource({**REQUEST, "authoredOn": value}) == []


PERIODS = [
    ("2026-11", "2026-11-01"), ("2026-11-20", "2026"), ("2026-11-20", "2026-11-20"),
    ("2026-11-20T23:00:00-08:00", "2026-11-20"), ("2026-11-21", "2026-11-20T23:00:00-08:00"),
    ("9999-12-31T23:59:60-12:00", "9999"), ("0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00Z"),
    ("2026-11-20T10:00:00+01:00", "2026-11-20T09:00:00Z"),
]  # fmt: skip


@pytest.mark.parametrize(("start", "end"), PERIODS)
def test_a_period_is_refused_only_when_it_certainly_ends_before_it_starts(start, end):
    assert check_resource({**REQUEST, "occurrencePeriod": {"start": start, "end": end}}) == []


VALID = [
    # A required primitive may be absent with a reason; extensions may stand beside values in lists.
    {**REQUEST, "status": "active", "_status": {"extension": [WHY]}},
    {**{k: v for k, v in REQUEST.items() if k != "status"}, "_status": {"extension": [WHY]}},
    {**PATIENT, "name": [{"given": ["Ana", None], "_given": [None, {"extension": [WHY]}]}]},
    {**PATIENT, "name": [{"_given": [{"extension": [WHY]}]}]},
    {**PATIENT, "_birthDate": {"extension": [WHY]}},
    {**PATIENT, "birthDate": "1979", "_birthDate": {"id": "b1"}},
    {**REQUEST, "asNeededBoolean": True, "_asNeededBoolean": {"id": "a"}},
    # Extensions of any depth and kind, known or not.
    {**REQUEST, "extension": [{"url": "urn:a", "extension": [{"url": "b", "valueMoney":
        {"value": Decimal("12.50"), "currency": "USD"}}]}]},
    {**REQUEST, "extension": [{"url": "urn:a", "valueMeta": {"tag": [{"code": "x"}]}}]},
    {**REQUEST, "extension": [{"url": "urn:a", "_valueString": {"extension": [WHY]}}]},
    # References: logical, by name, absolute, with a version, by urn, to what is no type of R4.
    {**REQUEST, "subject": {"identifier": {"value": "9000010XA"}}},
    {**REQUEST, "subject": {"display": "somebody"}},
    {**REQUEST, "subject": {"id": "only-an-id"}},
    {**REQUEST, "subject": {"reference": "https://a.example/fhir/Patient/1/_history/2"}},
    {**REQUEST, "subject": {"reference": "urn:uuid:0d1e4ba5-4a2c-4b0f-9a2c-5f0b6f2f8c11"}},
    {**REQUEST, "subject": {"reference": "https://a.example/Files/1"}},
    {**REQUEST, "supportingInfo": [{"reference": "Anything/1"}, {"reference": "Basic/1"}]},
    # Contained resources that are referred to, from each other, or that refer to their container.
    {**REQUEST, "subject": {"reference": "#p"}, "contained": [PATIENT]},
    {**REQUEST, "contained": [{"resourceType": "Task", "id": "t", "status": "requested",
        "intent": "order", "focus": {"reference": "#"}}]},
    {**REQUEST, "instantiatesCanonical": ["#d"], "contained": [
        {"resourceType": "ActivityDefinition", "id": "d", "status": "active"}]},
    {**REQUEST, "subject": {"reference": "#p"}, "contained": [
        {**PATIENT, "managingOrganization": {"reference": "#o"}},
        {"resourceType": "Organization", "id": "o", "name": "Open Gate"}]},
    # Narrative with formatting.
    {**REQUEST, "text": {"status": "additional", "div": DIV.format(
        '<p class="a" style="color: red">a &amp; &#160;b<br/>'
        '<a href="https://a.example/?b=1&amp;c=2">c</a>'
        '<img src="#i" alt="i"/></p><table><tr><td colspan="2">x</td></tr></table>')}},
    # Text that is strange and harmless.
    {**REQUEST, "note": [{"text": "'; DROP TABLE referral; -- %s {{7*7}} \u202e\u200b =1+1"}]},
    {**REQUEST, "patientInstruction": " \n"},
    {**REQUEST, "quantityQuantity": {"value": Decimal("1E+2"), "system": "urn:s", "code": "h"}},
    {"resourceType": "Condition", "subject": {"display": "x"}, "clinicalStatus": {"coding": [
        {"system": "urn:local", "code": "1"},
        {"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]}},
    {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": PATIENT}] * 3},
    {"resourceType": "Parameters"},
    {"resourceType": "Parameters", "parameter": [{"name": "resource", "resource": REQUEST}]},
    {"resourceType": "Binary", "contentType": "application/pdf", "data": "YQ =\n="},
    {"resourceType": "DocumentReference", "status": "current", "content": [
        {"attachment": {"contentType": "text/plain; charset=utf-8", "data": "YQ=="}}]},
]  # fmt: skip


@pytest.mark.parametrize("resource", VALID)
def test_valid_r4_is_taken(resource):
    assert check_resource(resource) == []


def test_a_caller_may_check_a_tree_that_python_made():
    assert check_resource({**REQUEST, "quantityQuantity": {"value": 1.5}}) == []
