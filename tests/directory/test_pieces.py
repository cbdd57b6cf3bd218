"""Resources found in files of every layout, in chunks of every size."""

import json
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.store.directory.lines import LONGEST, Broken, pieces

TEXT = st.text(st.sampled_from('a"\\{}[]:,é\n '), max_size=8)
TREE = st.recursive(
    TEXT | st.integers() | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(["id", "entry", "resource", "resourceType", "extension"])
RESOURCE = st.dictionaries(NAMES, TREE, max_size=3)
ENTRY = st.fixed_dictionaries(
    {}, optional={"fullUrl": TEXT, "resource": RESOURCE, "request": st.just({"method": "PUT"})}
)


@given(
    st.lists(st.lists(ENTRY, max_size=3), min_size=1, max_size=3),
    st.sampled_from([None, 0, 2]),
    st.booleans(),
    st.integers(1, 70),
)
def test_every_entry_of_every_bundle_is_found_as_it_stands(bundles, indent, escaped, chunk):
    trees = [
        {"id": "x", "resourceType": "Bundle", "meta": {"tag": [{}]}, "entry": entries}
        for entries in bundles
    ]
    file = "\n".join(json.dumps(t, indent=indent, ensure_ascii=escaped) for t in trees).encode()
    found = list(pieces(BytesIO(file), chunk))
    expected = [one["resource"] for entries in bundles for one in entries if "resource" in one]
    assert [json.loads(piece.raw) for piece in found] == expected
    assert all(file[p.start :].startswith(p.raw) for p in found)


def test_an_entry_is_named_by_its_place():
    bundle = {"resourceType": "Bundle", "entry": [{}, {"resource": {}}, {"resource": {}}]}
    found = pieces(BytesIO(json.dumps(bundle).encode()))
    assert [piece.label for piece in found] == ["entry[1]", "entry[2]"]


WHOLE = b'{"resourceType": "Bundle", "entry": [{"resource": {"id": "a\\"}"}}]}'


@pytest.mark.parametrize("length", range(35, len(WHOLE)))
def test_a_bundle_that_was_cut_off_is_noticed(length):
    with pytest.raises(Broken):
        list(pieces(BytesIO(WHOLE[:length])))


@pytest.mark.parametrize("more", [b'{"resourceType": "Patient"}', b"]", b'{"entry": [}', b"{}"])
def test_what_is_no_bundle_after_one_is_not_passed_over(more):
    with pytest.raises(Broken):
        list(pieces(BytesIO(WHOLE + b"\n" + more)))


@pytest.mark.parametrize("large", [[1] * (LONGEST // 2), "x" * LONGEST])
def test_of_an_entry_that_is_too_long_no_more_is_kept_than_shows_it(large):
    bundle = {"resourceType": "Bundle", "entry": [{"resource": {"id": large}}, {"resource": {}}]}
    found = pieces(BytesIO(json.dumps(bundle).encode()))
    assert LONGEST < len(next(found).raw) <= LONGEST + 1_000_000
    assert json.loads(next(found).raw) == {}
