"""What `app.fhir.r4.strict_json` takes and refuses (security.md 15, rows 1 to 14)."""

import json
import time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.fhir.r4 import strict_json
from app.fhir.r4.strict_json import MAX_DEPTH, UnreadableJson, dumps, parse, parse_array

NESTED = b'{"a":' * 99 + b"{}" + b"}" * 99
DEEPER = b'{"a":' * 100 + b"{}" + b"}" * 100

REFUSED = [
    ("empty", b"", "structure", ""),
    ("blank", b" \n", "structure", ""),
    ("not JSON", b"status=active", "structure", ""),
    ("cut off", b'{"status": "act', "structure", ""),
    ("trailing comma", b'{"status": "active",}', "structure", ""),
    ("two documents", b"{} {}", "structure", ""),
    ("list", b"[]", "structure", ""),
    ("null", b"null", "structure", ""),
    ("text", b'"ServiceRequest"', "structure", ""),
    ("number", b"1.5", "structure", ""),
    ("byte order mark", b'\xef\xbb\xbf{"a":1}', "structure", ""),
    ("UTF-16", '{"a":1}'.encode("utf-16"), "structure", ""),
    ("UTF-32", '{"a":1}'.encode("utf-32-le"), "structure", ""),
    ("invalid UTF-8", b'{"a":"\xff"}', "structure", ""),
    ("overlong NUL", b'{"a":"\xc0\x80"}', "structure", ""),
    ("NaN", b'{"a":NaN}', "structure", "a"),
    ("Infinity", b'{"a":[-Infinity]}', "structure", "a[0]"),
    ("1e400", b'{"a":1e400}', "value", "a"),
    ("1e-400", b'{"a":{"b":1e-400}}', "value", "a.b"),
    ("exponent of thirty digits", b'{"a":1e' + b"9" * 30 + b"}", "value", "a"),
    ("5,000 digits", b'{"a":' + b"9" * 5000 + b"}", "value", "a"),
    ("5,000 decimals", b'{"a":0.' + b"9" * 5000 + b"}", "value", "a"),
    ("duplicate", b'{"resourceType":"Task","status":"a","status":"b"}', "structure", "Task.status"),
    ("duplicate in a list", b'{"a":[{},{"b":1,"b":1}]}', "structure", "a[1].b"),
    ("duplicate by escape", b'{"ab":1,"\\u0061b":1}', "structure", "ab"),
    ("duplicate with blanks", b'{"ab" : 1, "ab" : 1}', "structure", "ab"),
    ("duplicate, one with a blank", b'{"ab":1, "ab" :1}', "structure", "ab"),
    ("101 levels", DEEPER, "structure", ""),
    ("NUL", b'{"resourceType":"Task","description":"a\\u0000"}', "value", "Task.description"),
    ("escape character", b'{"a":["\\u001b"]}', "value", "a[0]"),
    ("backspace", b'{"a":"\\b"}', "value", "a"),
    ("form feed", b'{"a":"\\f"}', "value", "a"),
    ("raw NUL", b'{"a":"\x00"}', "value", "a"),
    ("raw line break", b'{"a":"x\ny"}', "structure", ""),
    ("control character in a name", b'{"a":{"b\\u0007":1}}', "value", "a"),
    ("lone surrogate", b'{"a":"\\ud800"}', "value", "a"),
    ("lone low surrogate", b'{"a":"\\uDC00x"}', "value", "a"),
    ("raw surrogate", b'{"a":"\xed\xa0\x80"}', "value", "a"),
]


@pytest.mark.parametrize(
    ("body", "code", "expression"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_refused(body, code, expression):
    with pytest.raises(UnreadableJson) as refused:
        parse(body)
    assert [(f.code, f.expression) for f in refused.value.faults] == [(code, expression)]


TAKEN = [
    b"{}",
    b'{"a":"\\t\\r\\n\\u00e9 \\ud83d\\ude00 \\"quoted\\": \\\\b"}',
    '{"a":"Zoë 李 😀"}'.encode(),
    b' {"a" : [ 1, -2, true, false, null, {} ] }\n',
    b'{"a":"\\u007f"}',
    NESTED,
]


@pytest.mark.parametrize("body", TAKEN)
def test_taken_as_the_standard_library_reads_it(body):
    assert parse(body) == json.loads(body)


def test_the_deepest_body_taken_is_as_deep_as_documented():
    assert NESTED.count(b"{") == MAX_DEPTH


def test_all_faults_at_once():
    with pytest.raises(UnreadableJson) as refused:
        parse(b'{"a":1,"a":"\\u0000","b":[NaN,1e999]}')
    assert {(f.code, f.expression) for f in refused.value.faults} == {
        ("structure", "a"),
        ("value", "a"),
        ("structure", "b[0]"),
        ("value", "b[1]"),
    }


def test_a_fault_repeats_no_value_and_no_name_that_no_element_could_have():
    body = b'{"resourceType":"Task","Maria Lopez 555-12":1,"Maria Lopez 555-12":"Lopez\\u0000"}'
    with pytest.raises(UnreadableJson) as refused:
        parse(body)
    assert "Lopez" not in repr(refused.value.faults)


@pytest.mark.parametrize("levels", [101, 2_000, 10_000, 100_000])
@pytest.mark.parametrize(("opening", "middle", "closing"), [
    (b"[", b"", b"]"), (b'{"a":', b"1", b"}"), (b'{"a":[', b"", b"]}"), (b"[", b"", b""),
])  # fmt: skip
def test_depth_is_refused_quickly(levels, opening, middle, closing):
    body = opening * levels + middle + closing * levels
    started = time.process_time()
    with pytest.raises(UnreadableJson) as refused:
        parse(body)
    assert time.process_time() - started < 0.1
    assert refused.value.faults[0].code == "structure"


def test_a_string_that_never_ends_is_refused_in_linear_time():
    started = time.process_time()
    with pytest.raises(UnreadableJson):
        parse(b'{"a":"' + b'\\"' * 2_000_000)
    assert time.process_time() - started < 5


NUMBERS = [
    "1.10", "0.0", "-0.5", "1e2", "1E+2", "3.14159265358979323846", "0.0000001",
    "12345678901234567890123",
]  # fmt: skip


@pytest.mark.parametrize("text", NUMBERS)
def test_numbers_are_given_back_as_sent(text):
    body = f'{{"a":{text},"b":[{text}]}}'.encode()
    assert dumps(parse(body)) == body
    assert parse(body)["a"] == Decimal(text)


def test_a_patch_is_a_list():
    assert parse_array(b'[{"op":"test","value":1.50}]')[0]["value"] == Decimal("1.50")


PATCHES = [
    (b"{}", "structure", ""), (b"null", "structure", ""), (b"", "structure", ""),
    (b'[{"op":"a","op":"b"}]', "structure", "[0].op"), (b'["\\u0000"]', "value", "[0]"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "code", "expression"), PATCHES)
def test_a_patch_is_read_as_strictly(body, code, expression):
    with pytest.raises(UnreadableJson) as refused:
        parse_array(body)
    assert [(f.code, f.expression) for f in refused.value.faults] == [(code, expression)]


def test_small_integers_are_integers():
    assert parse(b'{"a":-7,"b":1.0}') == {"a": -7, "b": Decimal("1.0")}
    assert type(parse(b'{"a":-7,"b":1.0}')["a"]) is int


def test_both_ways_of_reading_agree():
    body = b'{"a":[{"b":"x","c":null},2,true,{"d":{"e":["f"]}}],"g":"\xc3\xa9"}'
    assert strict_json._is_plain(json.loads(body), body)
    assert parse(body) == strict_json._read_closely(body)


TEXT = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]))
TREES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | TEXT
    | st.decimals(allow_nan=False, allow_infinity=False, min_value=-1000, max_value=1000, places=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(st.dictionaries(TEXT, TREES, max_size=4))
def test_whatever_is_written_reads_back_the_same(tree):
    plain = parse(json.dumps(tree, default=float).encode())
    assert parse(dumps(plain)) == plain


NEARLY_JSON = st.text(alphabet='{}[]",:\\u0 1e.-ab\n', max_size=60).map(str.encode)


def outcome(body):
    try:
        return parse(body)
    except UnreadableJson as refused:
        return refused.faults


@given(st.binary(max_size=200) | NEARLY_JSON)
def test_no_bytes_raise_anything_but_unreadable(body):
    assert isinstance(outcome(body), dict) or outcome(body)
