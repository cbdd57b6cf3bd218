"""Small valid resources of R4 for the tables of this folder: a case says only what it changes."""

import copy

REQUEST = {
    "resourceType": "ServiceRequest",
    "status": "active",
    "intent": "order",
    "subject": {"reference": "Patient/1"},
}
TASK = {"resourceType": "Task", "status": "requested", "intent": "order"}
CLAIM = {
    "resourceType": "Claim",
    "status": "active",
    "type": {"text": "x"},
    "use": "preauthorization",
    "patient": {"reference": "Patient/1"},
    "created": "2026-11-20",
    "provider": {"reference": "Organization/1"},
    "priority": {"text": "normal"},
    "insurance": [{"sequence": 1, "focal": True, "coverage": {"reference": "Coverage/1"}}],
}
PATIENT = {"resourceType": "Patient", "id": "p"}
INNER = {"url": "b", "valueCode": "c"}
CODED = {"coding": [{"system": "http://loinc.org", "code": "1-8"}]}
OBSERVATION = {"resourceType": "Observation", "status": "final", "code": CODED}
CONDITION = {"resourceType": "Condition", "subject": {"reference": "Patient/1"}}
CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
VERIFIED = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
WITHDRAWN = {"coding": [{"system": VERIFIED, "code": "entered-in-error"}]}
RESPONSE = {"resourceType": "QuestionnaireResponse", "status": "completed"}
COVERAGE = {
    "resourceType": "Coverage",
    "status": "active",
    "beneficiary": {"reference": "Patient/1"},
    "payor": [{"display": "plan"}],
}
ENTRY = {"resource": PATIENT, "request": {"method": "POST", "url": "Patient"}}
TRANSACTION = {"resourceType": "Bundle", "type": "transaction", "entry": [ENTRY]}
DOCTYPE = '<!DOCTYPE d [<!ENTITY e "x">]>'
DIV = '<div xmlns="http://www.w3.org/1999/xhtml">{}</div>'


def narrative(inside):
    return {"status": "generated", "div": DIV.format(inside)}


def changed(base, change):
    """The base with elements replaced, or taken out where the change is None."""
    resource = {**copy.deepcopy(base), **change}
    return {name: value for name, value in resource.items() if value is not None}


def found(faults):
    return [(fault.code, fault.expression) for fault in faults]
