"""JSON Patch: RFC 6902's own cases, and whatever else may be sent."""

import copy

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.base.errors import Refusal
from app.fhir.json_patch import patched, read_patch

#: (document, operation, result; None: refused with 422). Source: RFC 6902, appendix A.
CASES = [
    ({"foo": "bar"}, {"op": "add", "path": "/baz", "value": "qux"}, {"foo": "bar", "baz": "qux"}),
    ({"foo": [1, 3]}, {"op": "add", "path": "/foo/1", "value": 2}, {"foo": [1, 2, 3]}),
    ({"foo": 1, "baz": 2}, {"op": "remove", "path": "/baz"}, {"foo": 1}),
    ({"foo": [1, 2, 3]}, {"op": "remove", "path": "/foo/1"}, {"foo": [1, 3]}),
    ({"foo": 1}, {"op": "replace", "path": "/foo", "value": 2}, {"foo": 2}),
    (
        {"foo": {"bar": 1, "waldo": 2}, "qux": {}},
        {"op": "move", "from": "/foo/waldo", "path": "/qux/thud"},
        {"foo": {"bar": 1}, "qux": {"thud": 2}},
    ),
    ({"foo": [1, 2, 3]}, {"op": "move", "from": "/foo/0", "path": "/foo/2"}, {"foo": [2, 3, 1]}),
    ({"foo": [1]}, {"op": "copy", "from": "/foo/0", "path": "/foo/-"}, {"foo": [1, 1]}),
    ({"foo": "qux"}, {"op": "test", "path": "/foo", "value": "qux"}, {"foo": "qux"}),
    ({"foo": "qux"}, {"op": "test", "path": "/foo", "value": "bar"}, None),
    ({"foo": 1}, {"op": "test", "path": "/foo", "value": True}, None),
    ({"foo": [{"a": 1}]}, {"op": "test", "path": "/foo", "value": [{"a": 1}]}, {"foo": [{"a": 1}]}),
    (
        {"foo": 1},
        {"op": "add", "path": "/child", "value": {"a": {}}},
        {"foo": 1, "child": {"a": {}}},
    ),
    ({"foo": 1}, {"op": "add", "path": "/baz/bat", "value": 1}, None),
    ({"foo": [1]}, {"op": "add", "path": "/foo/-", "value": [2]}, {"foo": [1, [2]]}),
    ({"foo": [1]}, {"op": "add", "path": "/foo/01", "value": 2}, None),
    ({"foo": [1]}, {"op": "add", "path": "/foo/5", "value": 2}, None),
    ({"/": 9, "~1": 10}, {"op": "test", "path": "/~01", "value": 10}, {"/": 9, "~1": 10}),
    ({"a/b": 1}, {"op": "replace", "path": "/a~1b", "value": 2}, {"a/b": 2}),
    ({"a": 1}, {"op": "replace", "path": "/b", "value": 2}, None),
    ({"a": {"b": 1}}, {"op": "move", "from": "/a", "path": "/a/b"}, None),
    ({"a": 1}, {"op": "remove", "path": "/~2"}, None),
    ({"a": 1}, {"op": "replace", "path": "", "value": {"b": 2}}, {"b": 2}),
    ({"a": 1}, {"op": "remove", "path": "/a/b"}, None),
    ({"a": 1}, {"op": "add", "path": "/b", "value": 2, "from": None, "x": []}, {"a": 1, "b": 2}),
    ({"a": 1}, {"op": "add", "path": "/b", "value": 2, "from": 7}, {"a": 1, "b": 2}),
    ({"a": 1}, {"op": "remove", "path": "/a", "from": "no pointer", "value": None}, {}),
]


@pytest.mark.parametrize(("document", "step", "result"), CASES)
def test_the_cases_of_the_rfc(document, step, result):
    before = copy.deepcopy(document)
    steps = read_patch(orjson.dumps([step]))
    if result is None:
        with pytest.raises(Refusal) as refused:
            patched(document, steps)
        assert refused.value.status == 422
    else:
        assert patched(document, steps) == result
    assert document == before


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.text("ab~/", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=6,
)
POINTERS = st.lists(
    st.sampled_from(["a", "b", "0", "1", "-", "01", "~0", "~", ""]), max_size=3
).map(lambda parts: "".join(f"/{part}" for part in parts))
STEPS = st.fixed_dictionaries(
    {
        "op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test"]),
        "path": POINTERS,
        "from": POINTERS,
        "value": VALUES,
    }
)


def status_of(document, steps):
    try:
        patched(document, read_patch(orjson.dumps(steps)))
    except Refusal as refusal:
        return refusal.status
    return 200


@given(st.dictionaries(st.sampled_from("ab"), VALUES), st.lists(STEPS, min_size=1, max_size=6))
def test_any_patch_is_done_or_refused(document, steps):
    assert status_of(document, steps) in (200, 422)


@given(VALUES | st.lists(VALUES, max_size=3))
def test_anything_else_is_no_patch(body):
    with pytest.raises(Refusal) as refused:
        read_patch(orjson.dumps(body))
    assert refused.value.status == 400
