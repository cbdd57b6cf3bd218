"""Invariants of base R4, references within a payload, resources in resources: one fault a row."""

import pytest

from app.fhir.r4.check import check_resource
from tests.edge.resources import (
    CLAIM,
    CLINICAL,
    CODED,
    CONDITION,
    COVERAGE,
    ENTRY,
    INNER,
    OBSERVATION,
    PATIENT,
    REQUEST,
    RESPONSE,
    TASK,
    TRANSACTION,
    WITHDRAWN,
    changed,
    found,
)

BELOW = {"linkId": "b"}

#: Base, what is changed (None takes out), issue code, expression below the base's type.
ONE_FAULT = [
    # Invariants
    (REQUEST, {"orderDetail": [{"text": "U1"}]}, "invariant", "orderDetail"),
    (REQUEST, {"occurrenceDateTime": "2026-11-20", "occurrencePeriod": {"start": "2026-11-20"}},
     "invariant", "occurrence"),
    (REQUEST, {"asNeededBoolean": True, "_asNeededBoolean": {"id": "a"},
     "asNeededCodeableConcept": CODED},
     "invariant", "asNeeded"),
    (REQUEST, {"occurrencePeriod": {"start": "2026-11-20", "end": "2026-11-19"}},
     "invariant", "occurrencePeriod"),
    (REQUEST, {"occurrencePeriod":
               {"start": "2026-11-20T10:00:00Z", "end": "2026-11-20T10:30:00+01:00"}},
     "invariant", "occurrencePeriod"),
    (REQUEST, {"occurrencePeriod": {"start": "2027", "end": "2026-11-20"}},
     "invariant", "occurrencePeriod"),
    (REQUEST, {"extension": [{"url": "urn:x"}]}, "invariant", "extension[0]"),
    (REQUEST, {"extension": [{"url": "urn:x", "valueCode": "a", "extension": [INNER]}]},
     "invariant", "extension[0]"),
    (REQUEST, {"extension": [{"valueCode": "a"}]}, "required", "extension[0].url"),
    (REQUEST, {"extension": [{"url": "urn:x", "valueCode": "a", "valueString": "a"}]},
     "invariant", "extension[0].value"),
    (REQUEST, {"quantityQuantity": {"value": 1, "code": "h"}},
     "invariant", "quantityQuantity.system"),
    (REQUEST, {"subject": {"reference": "#p"}}, "invariant", "subject.reference"),
    (TASK, {"authoredOn": "2026-11-20", "lastModified": "2026-11-19"}, "invariant", "lastModified"),
    (RESPONSE, {"item": [{"linkId": "a", "answer": [{"valueInteger": 1}], "item": [BELOW]}]},
     "invariant", "item[0]"),
    (RESPONSE, {"item": [{"text": "a"}]}, "required", "item[0].linkId"),
    (PATIENT, {"contact": [{"gender": "female"}]}, "invariant", "contact[0]"),
    (PATIENT, {"telecom": [{"value": "555"}]}, "invariant", "telecom[0].system"),
    (PATIENT, {"photo": [{"data": "YQ=="}]}, "invariant", "photo[0].contentType"),
    (OBSERVATION, {"dataAbsentReason": CODED, "valueBoolean": True},
     "invariant", "dataAbsentReason"),
    (OBSERVATION, {"valueString": "a", "component": [{"code": CODED}]}, "invariant", "value"),
    (OBSERVATION, {"referenceRange": [{"age": {"low": {"value": 1}}}]},
     "invariant", "referenceRange[0]"),
    (CONDITION, {"abatementDateTime": "2020"}, "invariant", "clinicalStatus"),
    (CONDITION, {"clinicalStatus": {"coding": [{"system": CLINICAL, "code": "active"}]},
                 "verificationStatus": WITHDRAWN},
     "invariant", "clinicalStatus"),
    (CONDITION, {"evidence": [{"id": "e"}]}, "invariant", "evidence[0]"),
    ({"resourceType": "Organization"}, {"active": True}, "invariant", ""),
    (TRANSACTION, {"total": 1}, "invariant", "total"),
    (TRANSACTION, {"entry": [{"resource": PATIENT}]}, "invariant", "entry[0].request"),
    (TRANSACTION, {"entry": [{**ENTRY, "response": {"status": "200"}}]},
     "invariant", "entry[0].response"),
    (TRANSACTION, {"entry": [{**ENTRY, "fullUrl": "urn:uuid:1"}] * 2},
     "invariant", "entry[1].fullUrl"),
    # References
    (REQUEST, {"subject": {"reference": "Organization/1"}}, "structure", "subject.reference"),
    (REQUEST, {"subject": {"reference": "https://a.example/fhir/Coverage/1"}},
     "structure", "subject.reference"),
    (REQUEST, {"subject": {"type": "Practitioner", "display": "x"}}, "structure", "subject.type"),
    (REQUEST, {"insurance": [{"reference": "#p"}], "contained": [PATIENT]},
     "structure", "insurance[0].reference"),
    # Resources within
    (REQUEST, {"contained": ["#p"]}, "structure", "contained[0]"),
    (REQUEST, {"contained": [{"id": "p"}]}, "required", "contained[0].resourceType"),
    (TRANSACTION, {"entry": [{**ENTRY, "resource": {"resourceType": "SubscriptionTopic"}}]},
     "structure", "entry[0].resource.resourceType"),
    (TRANSACTION, {"entry": [{**ENTRY, "resource": {"resourceType": ["Patient"]}}]},
     "structure", "entry[0].resource.resourceType"),
    (TRANSACTION, {"entry": [{**ENTRY, "resource": {**PATIENT, "birthDate": 1979}}]},
     "structure", "entry[0].resource.birthDate"),
    (TRANSACTION, {"entry": [{**ENTRY, "request": {"method": "post", "url": "Patient"}}]},
     "code-invalid", "entry[0].request.method"),
]  # fmt: skip


@pytest.mark.parametrize(("base", "change", "code", "below"), ONE_FAULT)
def test_one_fault(base, change, code, below):
    faults = check_resource(changed(base, change))
    expression = f"{base['resourceType']}.{below}" if below else base["resourceType"]
    assert found(faults) == [(code, expression)]
    assert faults[0].diagnostics.startswith(expression)


def test_a_contained_resource_that_nothing_points_to_is_taken():
    assert found(check_resource(changed(REQUEST, {"contained": [PATIENT]}))) == []


@pytest.mark.parametrize(
    "base", [REQUEST, TASK, CLAIM, PATIENT, OBSERVATION, CONDITION, RESPONSE, COVERAGE, TRANSACTION]
)
def test_the_bases_themselves_are_valid(base):
    assert check_resource(base) == []


WITHIN = [
    ({"birthDate": 1979}, ("structure", "contained[0].birthDate")),
    (
        {"contained": [{"resourceType": "Patient", "id": "q"}]},
        ("invariant", "contained[0].contained"),
    ),
    ({"meta": {"versionId": "1"}}, ("invariant", "contained[0].meta.versionId")),
]


@pytest.mark.parametrize(("change", "expected"), WITHIN)
def test_faults_of_a_contained_resource(change, expected):
    resource = {**REQUEST, "subject": {"reference": "#p"}, "contained": [{**PATIENT, **change}]}
    code, below = expected
    assert (code, f"ServiceRequest.{below}") in found(check_resource(resource))


def test_two_contained_resources_of_one_id():
    resource = {**REQUEST, "subject": {"reference": "#p"}, "contained": [PATIENT, PATIENT]}
    assert found(check_resource(resource)) == [("invariant", "ServiceRequest.contained[1].id")]
