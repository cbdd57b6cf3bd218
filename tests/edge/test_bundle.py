"""A transaction Bundle becomes one referral's resources, or all its faults."""

from typing import Any

import pytest

from app.fhir.bundle import MAX_ENTRIES, read_bundle
from app.fhir.reference import rewrite_references

ME, REQUEST = (
    "urn:uuid:00000000-0000-0000-0000-000000000001",
    "urn:uuid:00000000-0000-0000-0000-000000000002",
)


def entry(resource: dict[str, Any], full_url: str | None = None, **request: Any) -> dict[str, Any]:
    asked = {"method": "POST", "url": resource.get("resourceType"), **request}
    return {**({"fullUrl": full_url} if full_url else {}), "resource": resource, "request": asked}


def patient(full_url: str | None = ME, **request: Any) -> dict[str, Any]:
    return entry({"resourceType": "Patient"}, full_url, **request)


def referral(subject: str = ME, url: str | None = REQUEST) -> dict[str, Any]:
    return entry({"resourceType": "ServiceRequest", "subject": {"reference": subject}}, url)


def bundle(*entries: dict[str, Any], kind: str = "transaction") -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries)}


@pytest.mark.parametrize(
    ("sent", "faults"),
    [
        (bundle(patient(), referral()), []),
        (bundle(referral(ME), patient()), []),
        (bundle(referral("Patient/1", None)), []),
        (bundle(patient(), referral(), kind="batch"), [("not-supported", "Bundle.type")]),
        ({"resourceType": "Bundle"}, [("not-supported", "Bundle.type")]),
        ({"resourceType": "Bundle", "type": "transaction"}, [("required", "Bundle.entry")]),
        (bundle(patient()), [("required", "Bundle.entry")]),
        (
            bundle(patient(), referral(), referral(url=None)),
            [("business-rule", "Bundle.entry[2].resource")],
        ),
        (bundle(referral()), [("not-found", "Bundle.entry[0].resource.subject.reference")]),
        (bundle(patient(), patient(), referral()), [("duplicate", "Bundle.entry[1].fullUrl")]),
        (
            bundle(patient(), referral(), entry({"resourceType": "Bundle"})),
            [("structure", "Bundle.entry[2].resource")],
        ),
        (
            bundle(patient(method="PUT", url="Patient/1"), referral()),
            [("not-supported", "Bundle.entry[0].request.method")],
        ),
        (
            bundle(patient(method="DELETE"), referral()),
            [("not-supported", "Bundle.entry[0].request.method")],
        ),
        (
            bundle(patient(None, method="PUT"), referral(), referral(url=None)),
            [
                ("not-supported", "Bundle.entry[0].request.method"),
                ("business-rule", "Bundle.entry[2].resource"),
                ("not-found", "Bundle.entry[1].resource.subject.reference"),
                ("not-found", "Bundle.entry[2].resource.subject.reference"),
            ],
        ),
        (bundle(patient(url="Coverage"), referral()), [("value", "Bundle.entry[0].request.url")]),
        (bundle(patient(url="Patient/1"), referral()), [("value", "Bundle.entry[0].request.url")]),
        (
            bundle({"resource": {"resourceType": "Patient"}}, referral("Patient/1")),
            [("required", "Bundle.entry[0].request")],
        ),
        (
            bundle({"request": {"method": "POST", "url": "Patient"}}, referral("Patient/1")),
            [("required", "Bundle.entry[0].resource")],
        ),
        (
            bundle({}, referral("Patient/1")),
            [("required", "Bundle.entry[0].request"), ("required", "Bundle.entry[0].resource")],
        ),
        (bundle(referral(), *[patient(None)] * MAX_ENTRIES), [("too-long", "Bundle.entry")]),
    ],
)
def test_a_bundle_is_taken_or_refused_with_every_fault(
    sent: dict[str, Any], faults: list[tuple[str, str]]
) -> None:
    found, told = read_bundle(sent)
    assert [(fault.code, fault.expression) for fault in told] == faults
    assert (found is None) is bool(faults)


def test_entries_keep_their_order_and_conditions() -> None:
    found, _ = read_bundle(bundle(patient(ifNoneExist="identifier=x"), referral()))
    assert found is not None
    assert [e.type for e in found.entries] == ["Patient", "ServiceRequest"]
    assert found.entries[0].if_none_exist == "identifier=x"
    assert found.service_request.index == 1


BASE = "https://sender.example/fhir/"
NAMES = {0: "Patient/new", 1: "ServiceRequest/new"}


@pytest.mark.parametrize(
    ("own", "target", "reference", "rewritten"),
    [
        (REQUEST, ME, ME, "Patient/new"),
        (f"{BASE}ServiceRequest/9", f"{BASE}Patient/1", f"{BASE}Patient/1", "Patient/new"),
        (f"{BASE}ServiceRequest/9", f"{BASE}Patient/1", "Patient/1", "Patient/new"),
        ("https://other.example/ServiceRequest/9", f"{BASE}Patient/1", "Patient/1", "Patient/1"),
        (REQUEST, f"{BASE}Patient/1", "Patient/1", "Patient/1"),
        (REQUEST, ME, "#contained", "#contained"),
    ],
)
def test_references_between_entries(own: str, target: str, reference: str, rewritten: str) -> None:
    found, _ = read_bundle(bundle(patient(target), referral(reference, own)))
    assert found is not None
    mapping = found.mapping(found.service_request, NAMES)
    request = rewrite_references(found.service_request.resource, mapping)
    assert request["subject"] == {"reference": rewritten}


def test_all_else_stays_as_sent() -> None:
    sent = {
        "resourceType": "ServiceRequest",
        "identifier": [{"system": "urn:ietf:rfc:3986", "value": ME}],
        "supportingInfo": [{"reference": ME, "display": ME}, {"reference": "#facts"}],
        "note": [{"text": ME}],
        "contained": [
            {"resourceType": "Patient", "id": "p", "link": [{"other": {"reference": ME}}]}
        ],
    }
    rewritten = rewrite_references(sent, {ME: "Patient/new"})
    assert rewritten == {
        **sent,
        "supportingInfo": [{"reference": "Patient/new", "display": ME}, {"reference": "#facts"}],
        "contained": [
            {
                "resourceType": "Patient",
                "id": "p",
                "link": [{"other": {"reference": "Patient/new"}}],
            }
        ],
    }
    assert sent["supportingInfo"][0]["reference"] == ME
    assert list(rewritten) == list(sent)


def test_depth_is_no_danger() -> None:
    deep: dict[str, Any] = {"reference": ME}
    for _ in range(5000):
        deep = {"extension": [deep]}
    found, faults = read_bundle(
        bundle(patient(), referral(), entry({"resourceType": "Basic", "x": deep}))
    )
    assert (found is not None, faults) == (True, [])
    copy: Any = rewrite_references(deep, {ME: "Patient/new"})
    while "extension" in copy:
        copy = copy["extension"][0]
    assert copy == {"reference": "Patient/new"}
