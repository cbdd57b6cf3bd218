"""Whatever valid-looking shape a payload has, reading it never raises."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from app.fhir.facts import read_coverages, read_facts, read_roster_member
from app.fhir.payload import Payload
from app.fhir.r4 import codes
from app.fhir.service_request import read_referral
from app.journey.eligibility.merge import merge
from app.policy.dictionary import load_dictionary
from app.policy.stored_form import facts_from_json, facts_to_json
from tests.edge.payloads import ON

SYSTEMS = st.sampled_from(
    [
        None,
        codes.FACT,
        codes.ICD_10_CM,
        codes.HCPCS,
        codes.LOINC,
        codes.SNOMED,
        codes.CIN,
        codes.PLAN_ID,
        codes.NPI,
        codes.CALAIM_SERVICE,
        codes.ACT_CODE,
        codes.UCUM,
        codes.CURRENCY,
        codes.COVERAGE_CLASS,
        codes.LINE_OF_BUSINESS,
        codes.POPULATION,
        "http://x.example",
        codes.fact_system("complex_social_factors"),
        codes.fact_system("utilization.type"),
    ]
)
WORDS = st.sampled_from(
    [
        "none",
        "food",
        "ed-visit",
        "EMER",
        "IMP",
        "NONAC",
        "Z59.00",
        "G9919",
        "82810-3",
        "77386006",
        "ECM",
        "H0043",
        "U6",
        "d",
        "USD",
        "delegate",
        "active",
        "homeless",
        "emd",
        "EM",
        "é" * 3,
        " ",
    ]
)
DATES = st.sampled_from(
    [
        "2026",
        "2026-02",
        "2026-02-28",
        "2026-11-19T23:59:60Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59.999999999-14:00",
        "2026-05-01T10:00:00-07:00",
        "2024-02-29",
    ]
)
REFERENCES = st.sampled_from(["#a", "#b", "Patient/1", "urn:uuid:1", "#", "x", "Encounter/1"])
NUMBERS = st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.booleans())


def element(**parts: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=parts)


CODING = element(system=SYSTEMS, code=WORDS).map(lambda c: {k: v for k, v in c.items() if v})
CONCEPT = element(coding=st.lists(CODING, min_size=1, max_size=2), text=WORDS)
IDENTIFIER = element(system=SYSTEMS, value=WORDS, use=st.just("old")).map(
    lambda i: {k: v for k, v in i.items() if v}
)
REFERENCE = element(reference=REFERENCES, identifier=IDENTIFIER, display=WORDS)
PERIOD = element(start=DATES, end=DATES)
QUANTITY = element(value=NUMBERS, system=SYSTEMS, code=WORDS, comparator=st.just("<"))
VALUES = {
    "valueBoolean": st.booleans(),
    "valueInteger": NUMBERS,
    "valueDecimal": NUMBERS,
    "valueCoding": CODING,
    "valueString": WORDS,
    "valueDate": DATES,
    "valueQuantity": QUANTITY,
}
EXTENSION = st.fixed_dictionaries(
    {"url": st.sampled_from([codes.RECEIVED, codes.ENCOUNTER_AVOIDABLE, codes.US_CORE_RACE, "x"])},
    optional={
        "valueBoolean": st.booleans(),
        "valueDateTime": DATES,
        "extension": st.lists(element(url=st.just("ombCategory"), valueCoding=CODING)),
    },
)
NAMES = st.sampled_from([*load_dictionary(), "page"])
ITEM = st.recursive(
    st.fixed_dictionaries(
        {"linkId": NAMES}, optional={"answer": st.lists(element(**VALUES), max_size=2)}
    ),
    lambda inner: st.fixed_dictionaries({"linkId": NAMES, "item": st.lists(inner, max_size=3)}),
    max_leaves=6,
)


def many(one: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(one, min_size=1, max_size=2)


RESOURCE = st.fixed_dictionaries(
    {
        "resourceType": st.sampled_from(
            [
                "Patient",
                "Coverage",
                "QuestionnaireResponse",
                "Condition",
                "Encounter",
                "Observation",
                "Consent",
                "Organization",
                "Device",
            ]
        )
    },
    optional={
        "id": st.sampled_from(["a", "b"]),
        "identifier": many(IDENTIFIER),
        "item": many(ITEM),
        "status": st.sampled_from(["active", "final", "finished", "in-progress", "completed", "x"]),
        "subject": REFERENCE,
        "beneficiary": REFERENCE,
        "patient": REFERENCE,
        "class": st.one_of(CODING, many(element(type=CONCEPT, value=WORDS))),
        "code": CONCEPT,
        "type": CONCEPT,
        "period": PERIOD,
        "authored": DATES,
        "birthDate": DATES,
        "effectiveDateTime": DATES,
        "effectivePeriod": PERIOD,
        "payor": many(REFERENCE),
        "extension": many(EXTENSION),
        "partOf": REFERENCE,
        "priority": CONCEPT,
        "hospitalization": element(admitSource=CONCEPT),
        "reasonCode": many(CONCEPT),
        "diagnosis": many(element(condition=REFERENCE)),
        "clinicalStatus": CONCEPT,
        "address": many(element(use=WORDS, district=WORDS, city=WORDS, line=many(WORDS))),
        "name": many(element(given=many(WORDS), family=WORDS, text=WORDS, use=WORDS)),
        "telecom": many(element(system=st.just("phone"), value=WORDS)),
        "valueCodeableConcept": CONCEPT,
        "communication": many(element(language=CONCEPT, preferred=st.booleans())),
        **VALUES,
    },
).filter(lambda r: (r["resourceType"] == "Coverage") == isinstance(r.get("class"), list))
REQUEST = st.fixed_dictionaries(
    {"resourceType": st.just("ServiceRequest")},
    optional={
        "contained": st.lists(RESOURCE, max_size=4),
        "subject": REFERENCE,
        "requester": REFERENCE,
        "code": CONCEPT,
        "orderDetail": many(CONCEPT),
        "reasonCode": many(CONCEPT),
        "supportingInfo": many(REFERENCE),
        "insurance": many(REFERENCE),
        "encounter": REFERENCE,
        "performer": many(REFERENCE),
        "basedOn": many(REFERENCE),
        "quantityQuantity": QUANTITY,
        "occurrencePeriod": PERIOD,
        "authoredOn": DATES,
        "extension": many(EXTENSION),
        "identifier": many(IDENTIFIER),
    },
)


@settings(max_examples=60, deadline=None)
@given(REQUEST, st.lists(st.tuples(REFERENCES, RESOURCE), max_size=4))
def test_no_payload_raises_and_its_facts_can_be_stored(
    sent: dict[str, Any], beside: list[tuple[str, dict[str, Any]]]
) -> None:
    read_referral(sent, beside, ON)
    coverages = read_coverages(Payload(sent, beside))
    roster = read_roster_member(
        next((r for _, r in beside if r["resourceType"] == "Patient"), {}),
        [r for _, r in beside if r["resourceType"] == "Coverage"],
        [r for _, r in beside if r["resourceType"] == "QuestionnaireResponse"],
    )
    for known in (None, roster):
        facts = merge(read_facts(sent, beside, ON), known, coverages, ON)
        assert facts_from_json(facts_to_json(facts)) == facts
