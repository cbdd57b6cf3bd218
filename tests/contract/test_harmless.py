"""Nobody is harmed by pressing Execute, nor by a generated client that sends what it was shown."""

import httpx
import pytest

from app.fhir import placeholders
from tests.contract.test_document import DOCUMENT, OPERATIONS
from tests.journeys.payloads import EXTRA, a_referral

WRITES = ("POST", "PUT", "PATCH")
#: An operation of a referral, its Task or an offer, with a body: what is there already is changed.
CHANGES = [
    name
    for name, operation in OPERATIONS.items()
    if name.startswith(WRITES)
    and "{id}" in name
    and "requestBody" in operation
    and name.partition("/")[2].startswith(
        ("fhir/ServiceRequest/", "fhir/Task/", "fhir/HealthcareService/")
    )
]


def first_examples(operation):
    """Media type → the example that /docs fills in."""
    for media, content in operation["requestBody"]["content"].items():
        listed = list(content.get("examples", {}).values())
        yield media, listed[0]["value"] if listed else content["example"]


@pytest.mark.parametrize("name", CHANGES)
async def test_the_first_example_of_a_change_changes_nothing(service_url, tokens, name):
    method, _, path = name.partition(" ")
    staff = {"Authorization": f"Bearer {tokens.of('staff-hpsm')}", "If-Match": 'W/"1"'}
    hospital = {"Authorization": f"Bearer {tokens.of('hospital')}"}
    async with httpx.AsyncClient(base_url=service_url, timeout=30) as client:
        offers = await client.get("/fhir/HealthcareService?_count=1", headers=staff)
        offer = offers.json()["entry"][0]["resource"]["id"]
        body = a_referral(EXTRA[5], identifier=f"harmless {name}")
        made = await client.post("/fhir/ServiceRequest", json=body, headers=hospital)
        referral = made.headers["location"].split("/")[-3]
        kept = f"/fhir/ServiceRequest/{referral}/_history"
        before = (await client.get(kept, headers=hospital)).json()["entry"]
        about = offer if "HealthcareService" in path else referral
        for media, example in first_examples(OPERATIONS[name]):
            for who in (staff, {**staff, **hospital}):
                answer = await client.request(
                    method,
                    path.replace("{id}", about),
                    content=httpx.Request("POST", "http://x", json=example).content,
                    headers={**who, "Content-Type": media},
                )
                looks = method == "PATCH" and answer.status_code == 200
                assert looks or 400 <= answer.status_code < 500, answer.text
        after = (await client.get(kept, headers=hospital)).json()["entry"]
    assert [one["resource"] for one in before] == [one["resource"] for one in after]


@pytest.mark.parametrize(
    "text",
    [
        placeholders.REASON,
        placeholders.NOTE.upper().rstrip("."),
        f"  {placeholders.QUESTION} ",
        "The county confirms that she lost her place in the shelter.",
        placeholders.NUMBER,
    ],
)
def test_the_words_of_an_example_are_known_again(text):
    assert placeholders.is_placeholder(text)


@pytest.mark.parametrize("text", ["", None, "Her own words.", "Write to her.", "x" * 5_000_000])
def test_ones_own_words_are_taken(text):
    assert not placeholders.is_placeholder(text)


@pytest.mark.parametrize("name", ["approve", "deny", "void", "cancel", "request-information"])
def test_a_reason_or_a_note_is_asked_for_by_a_text_that_is_refused(name):
    operation = OPERATIONS[f"POST /fhir/ServiceRequest/{{id}}/${name}"]
    for _, example in first_examples(operation):
        (part,) = example["parameter"]
        assert placeholders.is_placeholder(part["valueString"])


def inside(schema, seen):
    """A schema and all that it refers to or holds."""
    if isinstance(schema, list):
        for one in schema:
            yield from inside(one, seen)
    elif isinstance(schema, dict):
        name = str(schema.get("$ref", "")).rpartition("/")[2]
        if name and name not in seen:
            seen.add(name)
            yield from inside(DOCUMENT["components"]["schemas"][name], seen)
        yield schema
        for one in schema.values():
            yield from inside(one, seen)


@pytest.mark.parametrize("name", [n for n in OPERATIONS if n.startswith(("PATCH", "PUT"))])
def test_what_a_change_leaves_out_has_no_default_for_a_client_to_send(name):
    for content in OPERATIONS[name]["requestBody"]["content"].values():
        for schema in inside(content["schema"], set()):
            fields = schema.get("properties", {})
            assert not any("default" in f for f in fields.values() if isinstance(f, dict))
            if name.startswith("PATCH"):
                for field in fields.values():
                    assert not {"example", "examples"} & field.keys()
