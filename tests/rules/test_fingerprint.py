"""What counts as the same body: order, white space and numbers' spelling do not; content does."""

from decimal import Decimal

import pytest

from app.fhir.strict_json import parse
from app.intake.fingerprint import canonical, fingerprint

SAME = {
    "order of names": (b'{"resourceType":"A","b":1}', b'{"b":1,"resourceType":"A"}'),
    "white space": (b'{"resourceType":"A","b":[1,2]}', b'{ "resourceType" : "A",\n"b": [1, 2] }'),
    "trailing zeros": (b'{"resourceType":"A","b":1.10}', b'{"resourceType":"A","b":1.1}'),
    "a whole number": (b'{"resourceType":"A","b":1.0}', b'{"resourceType":"A","b":1}'),
    "an exponent": (b'{"resourceType":"A","b":1e2}', b'{"resourceType":"A","b":100}'),
    "escapes": (b'{"resourceType":"A","b":"\\u00e9"}', '{"resourceType":"A","b":"é"}'.encode()),
}
OTHER = {
    "a value": (b'{"resourceType":"A","b":1}', b'{"resourceType":"A","b":2}'),
    "order of a list": (b'{"resourceType":"A","b":[1,2]}', b'{"resourceType":"A","b":[2,1]}'),
    "text and number": (b'{"resourceType":"A","b":1}', b'{"resourceType":"A","b":"1"}'),
    "case": (b'{"resourceType":"A","b":"x"}', b'{"resourceType":"A","b":"X"}'),
    "one more element": (b'{"resourceType":"A"}', b'{"resourceType":"A","b":true}'),
}


@pytest.mark.parametrize(("one", "other"), SAME.values(), ids=SAME)
def test_the_same_body(one, other):
    assert fingerprint(parse(one)) == fingerprint(parse(other))


@pytest.mark.parametrize(("one", "other"), OTHER.values(), ids=OTHER)
def test_another_body(one, other):
    assert fingerprint(parse(one)) != fingerprint(parse(other))


def bundle(first: str, second: str) -> dict:
    return {
        "resourceType": "Bundle",
        "entry": [
            {"fullUrl": first, "resource": {"resourceType": "Patient"}},
            {"fullUrl": second, "resource": {"subject": {"reference": first}}},
        ],
    }


def test_fresh_names_of_entries_make_no_other_body():
    one, other = ("urn:uuid:a", "urn:uuid:b"), ("urn:uuid:c", "urn:uuid:d")
    assert fingerprint(bundle(*one), one) == fingerprint(bundle(*other), other)


def test_entries_that_refer_to_each_other_otherwise_make_another_body():
    one = ("urn:uuid:a", "urn:uuid:b")
    turned = bundle(*one)
    turned["entry"][1]["resource"]["subject"]["reference"] = "urn:uuid:b"
    assert fingerprint(bundle(*one), one) != fingerprint(turned, one)


def test_a_name_that_begins_another_is_not_taken_for_it():
    """Names are of any length: `urn:uuid:1` stands inside `urn:uuid:12`."""
    one, other = ("urn:uuid:1", "urn:uuid:12"), ("urn:uuid:x", "urn:uuid:y")
    assert fingerprint(bundle(*one), one) == fingerprint(bundle(*other), other)


def test_absolute_names_are_content():
    one, other = (
        ("https://a.example/Patient/1", "urn:uuid:b"),
        (
            "https://a.example/Patient/2",
            "urn:uuid:b",
        ),
    )
    assert fingerprint(bundle(*one), one) != fingerprint(bundle(*other), other)


@pytest.mark.parametrize(
    "number", ["1e400", "-1e400", "1e30", "-1e30", "1e-400", "0.1", "12345678901234567890.5"]
)
def test_no_number_is_too_odd(number):
    assert canonical({"a": Decimal(number)})
