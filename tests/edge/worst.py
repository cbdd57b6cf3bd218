"""Large bodies, each of one thing very many times: what loops over what a client sends must bear.

`of(build)` fills a body up to the limit; every builder takes how often.
"""

from collections.abc import Callable
from typing import Any

import orjson

MOST_BYTES = 5 * 1024 * 1024
MOST_SEPARATORS = 490_000
OURS = "https://nowrongdoor.example/fhir/"
HCPCS = "https://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
ICD = "http://hl7.org/fhir/sid/icd-10-cm"
SUBJECT = {"subject": {"reference": "#p"}}
PATIENT = {"resourceType": "Patient", "id": "p"}

Body = dict[str, Any]
Build = Callable[[int], Body]


def of(build: Build) -> bytes:
    """The largest body of this kind that is within the limits."""
    size, count = 64, 64
    while count:
        body = orjson.dumps(build(size + count))
        dense = body.count(b",") + body.count(b":")
        if len(body) <= MOST_BYTES and dense <= MOST_SEPARATORS:
            size, count = size + count, count * 2 if count >= 64 else count // 2
        else:
            count = count // 2 if count < 64 else size // 4 if count > size // 4 else 32
            if count <= max(16, size // 50):
                break
    return orjson.dumps(build(size))


def request(*contained: Body, **more: Any) -> Body:
    return {
        "resourceType": "ServiceRequest",
        "status": "active",
        "intent": "order",
        **SUBJECT,
        "code": {"coding": [{"system": f"{OURS}CodeSystem/calaim-service", "code": "ECM"}]},
        "contained": [PATIENT, *contained],
        **more,
    }


def encounter(index: int, **more: Any) -> Body:
    day = f"2026-{index % 10 + 1:02}-{index % 28 + 1:02}"
    coded = {"code": ("EMER", "IMP")[index % 2]}
    period = {"start": day}
    return {
        "resourceType": "Encounter",
        "id": f"e{index}",
        "status": "finished",
        "class": coded,
        "period": period,
        **SUBJECT,
        **more,
    }


def event(index: int, kind: str, day: str) -> Body:
    return {
        "linkId": "utilization",
        "item": [
            {"linkId": "utilization.type", "answer": [{"valueCoding": {"code": kind}}]},
            {"linkId": "utilization.date", "answer": [{"valueDate": day}]},
        ],
    }


def response(items: list[Body]) -> Body:
    return {
        "resourceType": "QuestionnaireResponse",
        "status": "completed",
        **SUBJECT,
        "item": items,
    }


def _stays(n: int) -> Body:
    days = [f"{1000 + i % 1000}-{i % 12 + 1:02}" for i in range(n // 2)]
    visits = [event(i, "ed-visit", day) for i, day in enumerate(days)]
    return request(response(visits + [event(i, "inpatient", day) for i, day in enumerate(days)]))


def _bundle(resources: list[Body]) -> Body:
    entries = [
        {
            "fullUrl": f"urn:uuid:00000000-0000-4000-8000-{index:012}",
            "resource": resource,
            "request": {"method": "POST", "url": resource["resourceType"]},
        }
        for index, resource in enumerate(resources)
    ]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def _pointing(n: int) -> Body:
    """Encounters whose reason is one Condition of many codings."""
    codings = [{"system": ICD, "code": "Z00.0"}] * (n // 2)
    condition = {"resourceType": "Condition", "id": "c", **SUBJECT, "code": {"coding": codings}}
    reason = [{"reference": "#c"}]
    return request(condition, *(encounter(i, reasonReference=reason) for i in range(n // 2)))


#: Element → builder: every list-like element that some loop of ours goes over.
WORST: dict[str, Build] = {
    "codings and modifiers": lambda n: request(
        code={"coding": [{"system": HCPCS, "code": f"H{i % 9999:04}"} for i in range(n)]},
        orderDetail=[{"coding": [{"code": f"U{i % 10}"} for i in range(n // 2)]}],
    ),
    "visits and stays": _stays,
    "conditions": lambda n: request(
        *(
            {
                "resourceType": "Condition",
                "id": f"c{i}",
                **SUBJECT,
                "code": {"coding": [{"system": ICD, "code": f"F20.{i % 10}"}]},
            }
            for i in range(n)
        )
    ),
    "encounters": lambda n: request(
        *(
            encounter(i, hospitalization={"admitSource": {"coding": [{"code": "emd"}]}})
            for i in range(n)
        )
    ),
    "encounters of one reason": _pointing,
    "observations": lambda n: request(
        *(
            {
                "resourceType": "Observation",
                "id": f"o{i}",
                "status": "final",
                **SUBJECT,
                "effectiveDateTime": "2026-01-01",
                "code": {"coding": [{"system": f"{OURS}CodeSystem/fact", "code": "homeless"}]},
                "valueBoolean": bool(i % 2),
            }
            for i in range(n)
        )
    ),
    "resources about somebody with many identifiers": lambda n: request(
        {
            "resourceType": "Patient",
            "id": "q",
            "identifier": [{"system": "http://x.example", "value": f"{i}"} for i in range(n)],
        },
        *(
            {"resourceType": "Consent", "id": f"k{i}", "patient": {"reference": "#q"}}
            for i in range(n)
        ),
    ),
    "performers": lambda n: request(
        performer=[{"reference": f"Organization/{i}"} for i in range(n)]
    ),
    "supporting information": lambda n: request(
        supportingInfo=[{"reference": f"Condition/c-{i}"} for i in range(n)]
    ),
    "identifiers": lambda n: request(
        identifier=[{"system": "http://x.example", "value": str(i)} for i in range(n)]
    ),
    "notes": lambda n: request(note=[{"text": "a"}] * n),
    "given names": lambda n: (
        request() | {"contained": [{**PATIENT, "name": [{"given": ["a"] * n}]}]}
    ),
    "extensions": lambda n: request(extension=[{"url": "a", "valueDecimal": 1.5}] * n),
    "modifier extensions": lambda n: request(
        note=[{"text": "a", "modifierExtension": [{"url": "b", "valueCode": "c"}]}] * n
    ),
    "answers with items": lambda n: request(
        response([{"linkId": "a", "answer": [{"item": [{"linkId": "b"}]}] * n}])
    ),
    "a narrative": lambda n: request(
        text={
            "status": "generated",
            "div": '<div xmlns="http://www.w3.org/1999/xhtml">' + "<b>a</b>" * n + "</div>",
        }
    ),
    "names of entries": lambda n: _bundle(
        [
            request(note=[{"text": "urn:uuid:00000000 " * (n // 10)}] * 10),
            *([{"resourceType": "Condition", "subject": {"display": "a"}}] * 198),
        ]
    ),
    "a document": lambda n: request(
        {
            "resourceType": "DocumentReference",
            "id": "d",
            "status": "current",
            "content": [{"attachment": {"contentType": "text/plain", "data": "QUJD" * n}}],
        }
    ),
}

#: Bodies that are no resources at all.
HOSTILE: dict[str, bytes] = {
    "decimals": b'{"resourceType":"ServiceRequest","x":[' + b"1.5," * 1_250_000 + b"1]}",
    "equal keys": b'{"resourceType":"ServiceRequest"' + b',"a":1' * 800_000 + b"}",
    "some equal keys": b'{"resourceType":"ServiceRequest"' + b',"a":1' * 290_000 + b"}",
    "brackets": b'{"resourceType":"ServiceRequest","x":' + b"[" * 5_000_000,
    "escapes": b'{"resourceType":"ServiceRequest","x":"' + rb"\b" * 2_400_000 + b'"}',
    "empty objects": b'{"resourceType":"ServiceRequest","x":[' + b"{}," * 480_000 + b"{}]}",
}
