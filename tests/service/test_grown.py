"""Lists that are only added to: counted, in any order of names, whatever is in them."""

import orjson
from hypothesis import given
from hypothesis import strategies as st

from app.fhir.r4.strict_json import parse_array
from app.fhir.task import added, is_kept

LEAVES = (
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from([0.5, 1.25]) | st.text("é~1")
)
NOTES = st.lists(
    st.dictionaries(st.sampled_from("abc"), LEAVES, max_size=2) | st.integers(0, 2), max_size=6
)


def read(items):
    return parse_array(orjson.dumps(items))


@given(NOTES, NOTES)
def test_what_is_added_is_all_that_is_new(before, more):
    after = read([*before, *more])
    assert is_kept(read(before), after)
    assert len(added(read(before), after)) == len(more)
    assert is_kept(after, read(before)) == (not more)


def test_a_decimal_is_equal_to_itself_however_it_is_written():
    assert is_kept(parse_array(b'[{"a": 1.10, "b": 1e2}]'), parse_array(b'[{"b": 100, "a": 1.1}]'))
    assert added([1], [True, 1]) == [True]
