"""What counts as the same body: order, white space and numbers' spelling do not; content does."""

import json
from decimal import Decimal
from hashlib import sha256

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from app.fhir.r4.strict_json import parse
from app.journey.intake.fingerprint import canonical, fingerprint

SAME = {
    "order of names": (b'{"resourceType":"A","b":1}', b'{"b":1,"resourceType":"A"}'),
    "white space": (b'{"resourceType":"A","b":[1,2]}', b'{ "resourceType" : "A",\n"b": [1, 2] }'),
    "trailing zeros": (b'{"resourceType":"A","b":1.10}', b'{"resourceType":"A","b":1.1}'),
    "a whole number": (b'{"resourceType":"A","b":1.0}', b'{"resourceType":"A","b":1}'),
    "an exponent": (b'{"resourceType":"A","b":1e2}', b'{"resourceType":"A","b":100}'),
    "beyond 2**53": (b'{"b":9007199254740993}', b'{"b":9007199254740992.0}'),
    "beyond 64 bits": (b'{"b":1e20}', b'{"b":100000000000000000000}'),
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
    assert fingerprint(parse(one)).value == fingerprint(parse(other)).value


@pytest.mark.parametrize(("one", "other"), OTHER.values(), ids=OTHER)
def test_another_body(one, other):
    assert fingerprint(parse(one)).value != fingerprint(parse(other)).value


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
    assert fingerprint(bundle(*one), one).value == fingerprint(bundle(*other), other).value


def test_entries_that_refer_to_each_other_otherwise_make_another_body():
    one = ("urn:uuid:a", "urn:uuid:b")
    turned = bundle(*one)
    turned["entry"][1]["resource"]["subject"]["reference"] = "urn:uuid:b"
    assert fingerprint(bundle(*one), one).value != fingerprint(turned, one).value


def test_a_name_that_begins_another_is_not_taken_for_it():
    """Names are of any length: `urn:uuid:1` stands inside `urn:uuid:12`."""
    one, other = ("urn:uuid:1", "urn:uuid:12"), ("urn:uuid:x", "urn:uuid:y")
    assert fingerprint(bundle(*one), one).value == fingerprint(bundle(*other), other).value


def test_absolute_names_are_content():
    one, other = (
        ("https://a.example/Patient/1", "urn:uuid:b"),
        (
            "https://a.example/Patient/2",
            "urn:uuid:b",
        ),
    )
    assert fingerprint(bundle(*one), one).value != fingerprint(bundle(*other), other).value


@pytest.mark.parametrize(
    "number", ["1e400", "-1e400", "1e30", "-1e30", "1e-400", "0.1", "12345678901234567890.5"]
)
def test_no_number_is_too_odd(number):
    assert canonical({"a": Decimal(number)})


NAMES = st.from_regex(r"[A-Za-z_]+", fullmatch=True)
#: As JSON has them; what is in them is R4's business.
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**18), 10**18)
    | st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**39), max_value=10**39)
    | st.text(),
    lambda below: st.lists(below) | st.dictionaries(NAMES, below),
    max_leaves=20,
)


def doubled(value):
    """What RFC 8785 is given: JSON whose numbers are doubles."""
    if isinstance(value, dict):
        return {name: doubled(each) for name, each in value.items()}
    if isinstance(value, list):
        return [doubled(each) for each in value]
    return float(value) if type(value) in (int, Decimal) else value


@given(st.dictionaries(NAMES, VALUES))
def test_the_form_is_that_of_rfc_8785(tree):
    assert canonical(tree) == rfc8785.dumps(doubled(tree))


#: A number, and how it was written before hashing until the library wrote it.
FORMERLY = {
    "0.000001": "1e-6",
    "123456789012345678901": "1.2345678901234568e+20",
    "1e16": "1e+16",
    "9007199254740993": "9007199254740993",
}


@pytest.mark.parametrize(("number", "written"), FORMERLY.items())
def test_a_body_stored_in_the_former_form_is_found(number, written):
    now = fingerprint(parse(b'{"b":[%s]}' % number.encode()))
    stored = sha256(b'{"b":[%s]}' % written.encode()).hexdigest()
    assert (now.value == stored, now.former, now.matches(stored)) == (False, stored, True)


def test_a_bundle_stored_in_the_former_form_is_found():
    url = "urn:uuid:a"
    tree = parse(json.dumps({"entry": [{"fullUrl": url, "x": 1e16}]}).encode())
    stored = sha256(b'{"entry":[{"fullUrl":"urn:entry:0","x":1e+16}]}').hexdigest()
    assert fingerprint(tree, [url]).matches(stored)


def test_most_bodies_have_one_form():
    now = fingerprint(parse(b'{"b":[1.10,2,"x"]}'))
    assert now.value == now.former == sha256(b'{"b":[1.1,2,"x"]}').hexdigest()
    assert not now.matches("f")
