"""Types, codes and formats that base R4 refuses: one fault a row (security.md 11 and 15)."""

from pathlib import Path

import pytest

from app.fhir.r4.check import check_resource
from app.fhir.r4.service import find_unsupported
from app.fhir.r4.strict_json import parse
from tests.edge.resources import (
    CLAIM,
    CONDITION,
    COVERAGE,
    DIV,
    DOCTYPE,
    PATIENT,
    REQUEST,
    RESPONSE,
    TASK,
    TRANSACTION,
    VERIFIED,
    changed,
    found,
    narrative,
)

EXAMPLES = Path(__file__).parent.parent / "examples"

#: Base, what is changed (None takes out), issue code, expression below the base's type.
ONE_FAULT = [
    # JSON types and cardinality
    (REQUEST, {"subject": "Patient/1"}, "structure", "subject"),
    (REQUEST, {"subject": [{"reference": "Patient/1"}]}, "structure", "subject"),
    (REQUEST, {"subject": None}, "required", "subject"),
    (REQUEST, {"status": None}, "required", "status"),
    (REQUEST, {"intent": None}, "required", "intent"),
    (REQUEST, {"status": ["active"]}, "structure", "status"),
    (REQUEST, {"status": 1}, "structure", "status"),
    (REQUEST, {"authoredOn": 20261120}, "structure", "authoredOn"),
    (REQUEST, {"reasonCode": {"text": "x"}}, "structure", "reasonCode"),
    (REQUEST, {"reasonCode": [[{"text": "x"}]]}, "structure", "reasonCode[0]"),
    (REQUEST, {"reasonCode": ["x"]}, "structure", "reasonCode[0]"),
    (REQUEST, {"reasonCode": [None]}, "structure", "reasonCode[0]"),
    (REQUEST, {"code": [{"text": "x"}]}, "structure", "code"),
    (REQUEST, {"code": {"text": True}}, "structure", "code.text"),
    (REQUEST, {"doNotPerform": "false"}, "structure", "doNotPerform"),
    (REQUEST, {"doNotPerform": 0}, "structure", "doNotPerform"),
    (REQUEST, {"quantityQuantity": {"value": "12"}}, "structure", "quantityQuantity.value"),
    (REQUEST, {"note": [{"text": "x"}, {"time": "2026-11-20"}]}, "required", "note[1].text"),
    (CLAIM, {"insurance": None}, "required", "insurance"),
    (CLAIM, {"insurance": []}, "value", "insurance"),
    (CLAIM, {"created": None}, "required", "created"),
    (COVERAGE, {"payor": None}, "required", "payor"),
    (TASK, {"input": [{"type": {"text": "x"}}]}, "required", "input[0].value"),
    # Unknown elements: the error names where they stand, never them
    (REQUEST, {"statuss": "active"}, "structure", ""),
    (REQUEST, {"Status": "active"}, "structure", ""),
    (REQUEST, {"reason": [{"concept": {"text": "x"}}]}, "structure", ""),
    (REQUEST, {"code": {"concept": {"text": "x"}}}, "structure", "code"),
    (REQUEST, {"_subject": {"id": "x"}}, "structure", ""),
    (REQUEST, {"_id": {"id": "x"}}, "structure", ""),
    (
        REQUEST,
        {"extension": [{"url": "urn:x", "_url": {"id": "x"}, "valueCode": "a"}]},
        "structure",
        "extension[0]",
    ),
    (REQUEST, {"fhir_comments": ["x"]}, "structure", ""),
    (REQUEST, {"resource_type": "ServiceRequest"}, "structure", ""),
    (REQUEST, {"occurrence": "2026-11-20"}, "structure", ""),
    (REQUEST, {"quantityInteger": 1}, "structure", ""),
    (REQUEST, {"extension": [{"url": "urn:x", "valueRatioRange": {}}]},
     "structure", "extension[0]"),
    # Empty things
    (REQUEST, {"identifier": []}, "value", "identifier"),
    (REQUEST, {"code": {}}, "value", "code"),
    (REQUEST, {"patientInstruction": ""}, "value", "patientInstruction"),
    (REQUEST, {"reasonCode": [{}]}, "value", "reasonCode[0]"),
    (REQUEST, {"_authoredOn": {}}, "value", "authoredOn"),
    (REQUEST, {"authoredOn": None, "_authoredOn": {"id": "x"}}, "value", "authoredOn"),
    # Codes
    (REQUEST, {"status": "Active"}, "code-invalid", "status"),
    (REQUEST, {"status": ""}, "code-invalid", "status"),
    (REQUEST, {"intent": "request"}, "code-invalid", "intent"),
    (REQUEST, {"priority": "high"}, "code-invalid", "priority"),
    (REQUEST, {"identifier": [{"use": "main"}]}, "code-invalid", "identifier[0].use"),
    (REQUEST, {"quantityQuantity": {"comparator": "="}},
     "code-invalid", "quantityQuantity.comparator"),
    (REQUEST, {"text": {"status": "made", "div": DIV.format("x")}}, "code-invalid", "text.status"),
    (TASK, {"status": "received-by-us"}, "code-invalid", "status"),
    (TASK, {"intent": "directive"}, "code-invalid", "intent"),
    (CLAIM, {"use": "authorization"}, "code-invalid", "use"),
    (COVERAGE, {"status": "ended"}, "code-invalid", "status"),
    (PATIENT, {"gender": "F"}, "code-invalid", "gender"),
    (PATIENT, {"name": [{"use": "legal"}]}, "code-invalid", "name[0].use"),
    (PATIENT, {"address": [{"type": "home"}]}, "code-invalid", "address[0].type"),
    (PATIENT, {"telecom": [{"system": "cell", "value": "1"}]}, "code-invalid", "telecom[0].system"),
    (RESPONSE, {"status": "final"}, "code-invalid", "status"),
    (TRANSACTION, {"type": "upload"}, "code-invalid", "type"),
    (CONDITION, {"clinicalStatus": {"text": "active"}}, "code-invalid", "clinicalStatus"),
    (CONDITION, {"clinicalStatus": {"coding": [{"system": "urn:x", "code": "active"}]}},
     "code-invalid", "clinicalStatus"),
    (CONDITION, {"verificationStatus": {"coding": [{"system": VERIFIED, "code": "sure"}]}},
     "code-invalid", "verificationStatus"),
    # Formats
    (REQUEST, {"authoredOn": "20.11.2026"}, "value", "authoredOn"),
    (REQUEST, {"authoredOn": "2026-02-30"}, "value", "authoredOn"),
    (REQUEST, {"authoredOn": "2026-13-45"}, "value", "authoredOn"),
    (REQUEST, {"authoredOn": "2026-11-20T10:00:00"}, "value", "authoredOn"),
    (REQUEST, {"authoredOn": "2026-11-20T10:00Z"}, "value", "authoredOn"),
    (REQUEST, {"authoredOn": "2026-11-20T24:00:00Z"}, "value", "authoredOn"),
    (REQUEST, {"authoredOn": "2026-11-20 10:00:00Z"}, "value", "authoredOn"),
    (REQUEST, {"authoredOn": "2026-11-20T10:00:00+14:30"}, "value", "authoredOn"),
    (REQUEST, {"authoredOn": "2026-11-20\n"}, "value", "authoredOn"),
    (REQUEST, {"authoredOn": "٢٠٢٦-11-20"}, "value", "authoredOn"),
    (REQUEST, {"authoredOn": ""}, "value", "authoredOn"),
    (PATIENT, {"birthDate": "1979-1-5"}, "value", "birthDate"),
    (PATIENT, {"birthDate": "1979-01-15T00:00:00Z"}, "value", "birthDate"),
    (PATIENT, {"birthDate": "2023-02-29"}, "value", "birthDate"),
    (PATIENT, {"multipleBirthInteger": 1.0}, "value", "multipleBirthInteger"),
    (PATIENT, {"multipleBirthInteger": 2**31}, "value", "multipleBirthInteger"),
    (PATIENT, {"telecom": [{"rank": 0}]}, "value", "telecom[0].rank"),
    (PATIENT, {"telecom": [{"rank": True}]}, "structure", "telecom[0].rank"),
    (PATIENT, {"photo": [{"size": -1}]}, "value", "photo[0].size"),
    (PATIENT, {"photo": [{"contentType": "text/plain", "data": "?"}]}, "value", "photo[0].data"),
    (PATIENT, {"photo": [{"contentType": "text/plain", "data": "YQ="}]}, "value", "photo[0].data"),
    (PATIENT, {"photo": [{"contentType": "picture"}]}, "value", "photo[0].contentType"),
    (REQUEST, {"id": "a" * 65}, "value", "id"),
    (REQUEST, {"id": "a_b"}, "value", "id"),
    (REQUEST, {"meta": {"lastUpdated": "2026-11-20"}}, "value", "meta.lastUpdated"),
    (REQUEST, {"identifier": [{"system": "with blank"}]}, "value", "identifier[0].system"),
    (REQUEST, {"identifier": [{"value": "90\u200b1"}]}, "value", "identifier[0].value"),
    (REQUEST, {"identifier": [{"value": "\u202e109"}]}, "value", "identifier[0].value"),
    (REQUEST, {"reasonCode": [{"coding": [{"code": " Z59"}]}]},
     "value", "reasonCode[0].coding[0].code"),
    (REQUEST, {"reasonCode": [{"coding": [{"code": "Z\u200d59"}]}]},
     "value", "reasonCode[0].coding[0].code"),
    (REQUEST, {"extension": [{"url": "urn:x", "valueUuid": "urn:uuid:1"}]},
     "value", "extension[0].valueUuid"),
    (REQUEST, {"extension": [{"url": "urn:x", "valueOid": "urn:oid:3.1"}]},
     "value", "extension[0].valueOid"),
    (REQUEST, {"extension": [{"url": "urn:x", "valueTime": "25:00:00"}]},
     "value", "extension[0].valueTime"),
    # Narrative
    (REQUEST, {"text": narrative("<script>alert(1)</script>")}, "value", "text.div"),
    (REQUEST, {"text": narrative('<p onclick="x()">a</p>')}, "value", "text.div"),
    (REQUEST, {"text": narrative('<a href="java&#115;cript:x()">a</a>')}, "value", "text.div"),
    (REQUEST, {"text": narrative('<a href=" java\tscript:x()">a</a>')}, "value", "text.div"),
    (REQUEST, {"text": narrative('<img src="data:text/html,x"/>')}, "value", "text.div"),
    (REQUEST, {"text": narrative('<p style="x: e\\78 pression(1)">a</p>')}, "value", "text.div"),
    (REQUEST, {"text": narrative('<p style="x: ex/**/pression(1)">a</p>')}, "value", "text.div"),
    (REQUEST, {"text": narrative("<form>a</form>")}, "value", "text.div"),
    (REQUEST, {"text": narrative("<p>a")}, "value", "text.div"),
    (REQUEST, {"text": narrative("  ")}, "value", "text.div"),
    (REQUEST, {"text": narrative("&nbsp;a")}, "value", "text.div"),
    (REQUEST, {"text": {"status": "generated", "div": "<div>a</div>"}}, "value", "text.div"),
    (REQUEST, {"text": {"status": "generated", "div": DOCTYPE + DIV.format("&e;")}},
     "value", "text.div"),
]  # fmt: skip


@pytest.mark.parametrize(("base", "change", "code", "below"), ONE_FAULT)
def test_one_fault(base, change, code, below):
    faults = check_resource(changed(base, change))
    expression = f"{base['resourceType']}.{below}" if below else base["resourceType"]
    assert found(faults) == [(code, expression)]
    assert faults[0].diagnostics.startswith(expression)


@pytest.mark.parametrize(
    ("name", "meant"),
    [("statuss", "status"), ("reasoncode", "reasonCode"), ("9000012XA", None), ("María", None)],
)
def test_an_unknown_element_is_not_repeated_and_the_known_one_is_named(name, meant):
    (fault,) = check_resource(changed(REQUEST, {name: "x"}))
    assert fault.diagnostics.endswith(f"Is {meant} meant?" if meant else "not have here.")
    assert name not in repr(fault).replace(f"Is {meant}", "")


NOT_A_RESOURCE = [
    ({}, "required", "Resource.resourceType"),
    ({"resourceType": None}, "required", "Resource.resourceType"),
    ({"resourceType": 7}, "structure", "Resource.resourceType"),
    ({"resourceType": "Citation"}, "structure", "Resource.resourceType"),
    ({"resourceType": "Referral"}, "structure", "Resource.resourceType"),
    ({"resourceType": "Resource"}, "structure", "Resource.resourceType"),
    ({"resourceType": "DomainResource"}, "structure", "Resource.resourceType"),
    ({"resourceType": "Quantity"}, "structure", "Resource.resourceType"),
    ({"resourceType": "../os"}, "structure", "Resource.resourceType"),
    ({"resourceType": "fhirtypes"}, "structure", "Resource.resourceType"),
    ({"resourceType": "SubstancePolymer"}, "structure", "Resource.resourceType"),
    ([], "structure", "Resource"),
    (None, "structure", "Resource"),
]


@pytest.mark.parametrize(("value", "code", "expression"), NOT_A_RESOURCE)
def test_what_is_no_resource_of_r4(value, code, expression):
    assert found(check_resource(value)) == [(code, expression)]


EXAMPLE_FAULTS = {
    "09-malformed-wrong-type.json": {
        ("structure", "ServiceRequest.subject"),
        ("structure", "ServiceRequest.authoredOn"),
        ("structure", "ServiceRequest.reasonCode"),
        ("structure", "ServiceRequest.contained[0].birthDate"),
    },
    "10-malformed-unknown-code.json": {
        ("code-invalid", "ServiceRequest.status"),
        ("code-invalid", "ServiceRequest.intent"),
        ("code-invalid", "ServiceRequest.priority"),
        ("code-invalid", "ServiceRequest.contained[1].status"),
    },
}


@pytest.mark.parametrize("name", EXAMPLE_FAULTS)
def test_the_malformed_examples_with_all_their_faults(name):
    faults = check_resource(parse((EXAMPLES / name).read_bytes()))
    assert len(faults) == 4
    assert set(found(faults)) == EXAMPLE_FAULTS[name]


def test_a_binding_names_the_codes_it_takes():
    (fault,) = check_resource({**REQUEST, "priority": "high"})
    assert fault.diagnostics == "ServiceRequest.priority takes one of: routine, urgent, asap, stat."


def test_a_fault_never_repeats_a_value():
    secret = "Maria Lopez 9000001XA"
    resource = {
        "resourceType": "Patient", "gender": secret, "birthDate": secret, "active": secret,
        secret: secret, "id": secret, "name": secret,
        "generalPractitioner": [{"reference": "#" + secret}],
    }  # fmt: skip
    faults = check_resource(resource)
    assert len(faults) == 7
    assert "Lopez" not in repr(faults)


def test_paths_begin_where_the_caller_says():
    (fault,) = check_resource({**REQUEST, "status": "on"}, "Bundle.entry[3].resource")
    assert fault.expression == "Bundle.entry[3].resource.status"


def test_no_more_faults_than_anyone_reads():
    assert len(check_resource({**REQUEST, "reasonCode": ["x"] * 5000})) == 100


MODIFIER = [{"url": "urn:x", "valueBoolean": True}]
NAMED = {"name": {"text": "a"}}
UNSUPPORTED = [
    ({"modifierExtension": MODIFIER}, [("extension", "ServiceRequest.modifierExtension")]),
    ({"implicitRules": "urn:x"}, [("not-supported", "ServiceRequest.implicitRules")]),
    (
        {"contained": [{**PATIENT, "contact": [{"modifierExtension": MODIFIER, **NAMED}]}]},
        [("extension", "ServiceRequest.contained[0].contact[0].modifierExtension")],
    ),
    ({"code": {"text": "modifierExtension"}}, []),
    ({}, []),
]


@pytest.mark.parametrize(("change", "expected"), UNSUPPORTED)
def test_modifiers_and_implicit_rules_are_found_but_are_valid_r4(change, expected):
    resource = {**REQUEST, "subject": {"reference": "#p"}, "contained": [PATIENT], **change}
    assert found(find_unsupported(resource)) == expected
    assert check_resource(resource) == []


ABSENT = {"extension": [{"url": "http://x.example/why", "valueCode": "unknown"}]}
UNSTATED = [
    ({"resourceType": "Parameters", "parameter": [{"_name": ABSENT, "valueString": "x"}]},
     ["Parameters.parameter[0].name"]),
    ({"resourceType": "Parameters", "parameter": [{"name": "a", "part": [{"_name": ABSENT,
      "valueString": "x"}]}]},
     ["Parameters.parameter[0].part[0].name"]),
    ({"resourceType": "Bundle", "_type": ABSENT, "entry": [{"resource": PATIENT, "request": {
      "_method": ABSENT, "_url": ABSENT}}]},
     ["Bundle.type", "Bundle.entry[0].request.method", "Bundle.entry[0].request.url"]),
    ({"resourceType": "Subscription", "_status": ABSENT, "_criteria": ABSENT, "reason": "x",
      "channel": {"_type": ABSENT, "payload": "application/fhir+json"}},
     ["Subscription.status", "Subscription.criteria", "Subscription.channel.type"]),
    ({"resourceType": "ServiceRequest", "_status": ABSENT, "_intent": ABSENT,
      "subject": {"_reference": ABSENT}},
     ["ServiceRequest.status", "ServiceRequest.intent"]),
    ({"resourceType": "Observation", "_status": ABSENT, "code": {"text": "x"}}, []),
]  # fmt: skip


@pytest.mark.parametrize(("resource", "expected"), UNSTATED)
def test_an_extension_for_a_value_is_valid_r4_and_nothing_to_act_upon(resource, expected):
    assert check_resource(resource) == []
    assert {path for _, path in found(find_unsupported(resource))} == set(expected)
