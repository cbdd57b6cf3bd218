"""Our verdict beside that of the `fhir.resources.R4B` models, over changes to the examples.

Whatever the models refuse we refuse, so whatever we take they take. The other way round the models
let much pass (bindings, empty values, ids), which is why they do not judge here.
"""

import copy
import json
import random
from pathlib import Path

import pytest
from fhir.resources.R4B import get_fhir_model_class
from hypothesis import given, settings
from hypothesis import strategies as st

from app.fhir.r4.check import check_resource
from app.fhir.r4.service import find_unsupported
from app.fhir.r4.strict_json import parse

EXAMPLES = Path(__file__).parent.parent / "examples"
PAYLOADS = [parse(path.read_bytes()) for path in sorted(EXAMPLES.glob("*.json"))]
LINES = [
    parse(line)
    for name in ("network.ndjson", "roster.ndjson")
    for line in (EXAMPLES / name).read_bytes().splitlines()[::7]
]
CORPUS = PAYLOADS + LINES

JUNK = [
    None, True, False, 0, -1, 3, 2**31, 1.5, "", " ", "x", "2026", "2026-02-30", "2026-11-20",
    "2026-11-20T10:00:00", "2026-11-20T10:00:00Z", "#nothing", "Patient/1", "a b", "\u200b", "YQ==",
    [], {}, [None], [[]], [{}], [""], {"id": "a"}, {"text": "a"}, {"reference": "Patient/1"},
    {"extension": [{"url": "urn:x", "valueCode": "a"}]}, {"value": 1}, {"coding": [{"code": "a"}]},
    {"resourceType": "Patient"}, {"resourceType": "Nothing"}, [{"resourceType": "Task"}], {"": {}},
]  # fmt: skip
NAMES = [
    "status", "code", "subject", "item", "value", "valueString", "valueInteger", "extension", "id",
    "_status", "_id", "text", "contained", "reference", "identifier", "period", "start", "end",
    "birthDate", "_birthDate", "resourceType", "answer", "coding", "system", "meta", "note",
    "modifierExtension", "",
]  # fmt: skip


def places(node, found=None):
    """Every object and list of a tree."""
    found = [] if found is None else found
    if isinstance(node, dict | list):
        found.append(node)
        for value in node.values() if isinstance(node, dict) else node:
            places(value, found)
    return found


def change(tree, chance):
    """One change: a value replaced, taken out, doubled or moved; a name misspelt or added."""
    place = chance.choice(places(tree))
    junk = copy.deepcopy(chance.choice(JUNK))
    if isinstance(place, list):
        if not place or chance.random() < 0.2:
            place.append(junk)
        else:
            place[chance.randrange(len(place))] = junk
        return
    kind = chance.randrange(5) if place else 4
    name = chance.choice(sorted(place)) if place else ""
    if kind == 0:
        place[name] = junk
    elif kind == 1:
        del place[name]
    elif kind == 2:
        place[name] = [place[name]] if not isinstance(place[name], list) else place[name][0:1] * 2
    elif kind == 3:
        place[name + "s"] = place.pop(name)
    else:
        place[chance.choice(NAMES)] = junk


def refused_by_models(resource):
    try:
        model = get_fhir_model_class(resource["resourceType"])
        model.model_validate(copy.deepcopy(resource))
    except Exception:  # noqa: BLE001  # on strange payloads they raise anything
        return True
    return False


@pytest.mark.parametrize("resource", CORPUS, ids=lambda resource: resource["resourceType"])
def test_what_we_take_of_the_examples_the_models_take(resource):
    assert check_resource(resource) or not refused_by_models(resource)


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 2**40), st.sampled_from(range(len(CORPUS))), st.integers(1, 3))
def test_whatever_the_models_refuse_we_refuse(seed, index, times):
    chance = random.Random(seed)
    resource = copy.deepcopy(CORPUS[index])
    for _ in range(times):
        change(resource, chance)
    if not check_resource(resource):
        assert not refused_by_models(resource), json.dumps(resource, default=str)


JSON = st.recursive(
    st.sampled_from([j for j in JUNK if not isinstance(j, dict | list)]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
TYPES = [
    "ServiceRequest", "Bundle", "Parameters", "Questionnaire", "Observation", "Condition", "Claim",
    "Nothing",
]  # fmt: skip


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(NAMES), JSON, max_size=6), st.sampled_from(TYPES))
def test_no_tree_makes_the_checker_raise(tree, kind):
    resource = {**tree, "resourceType": kind}
    assert all(fault.code and fault.expression for fault in check_resource(resource))
    assert all(fault.expression for fault in find_unsupported(resource))
