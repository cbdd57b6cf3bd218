"""What client generators stumble over is not in the contract, and what they use is."""

import copy
import re

import pytest
from jsonschema_rs import Draft202012Validator

from app.api.contract.share import plain
from tests.contract.test_document import DOCUMENT, OPERATIONS, every_operation

SCHEMAS = DOCUMENT["components"]["schemas"]
OF_FHIR = {name: one for name, one in SCHEMAS.items() if "title" not in one and "type" in one}
OPEN = {"Resource", "Extension"}
NULL = {"type": "null"}


def inside(value, path=()):
    """Every schema within one, and where it stands."""
    if isinstance(value, list):
        for number, one in enumerate(value):
            yield from inside(one, (*path, number))
    elif isinstance(value, dict):
        yield path, value
        for key, one in value.items():
            yield from inside(one, (*path, key))


def snake(name):
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def test_what_stands_beside_a_primitive_is_a_pattern_never_a_property():
    for name, schema in OF_FHIR.items():
        assert not [each for each in schema["properties"] if each.startswith("_")], name
        if name not in OPEN | {"Narrative"} and not name.endswith(("Told", "Message")):
            assert schema["additionalProperties"] is False, name


@pytest.mark.parametrize("name", sorted(OPEN))
def test_what_may_be_of_any_shape_is_open(name):
    assert SCHEMAS[name]["additionalProperties"] is True


def test_an_object_has_properties_or_is_a_map_of_something():
    for path, one in inside(SCHEMAS):
        if one.get("type") == "object":
            assert one.get("properties") or one.get("additionalProperties"), path


def test_a_required_property_is_described():
    for path, one in inside(SCHEMAS):
        if "properties" in one and isinstance(one.get("required"), list):
            assert set(one["required"]) <= set(one["properties"]), path


def test_no_list_is_called_as_its_type_is():
    """A generator names its variables after both."""
    for name, schema in SCHEMAS.items():
        own = schema.get("properties", {}).get(snake(name), {})
        assert own.get("type") != "array", name


def test_no_choice_is_between_maps_or_lists():
    """Java has no name for these."""
    for path, one in inside(SCHEMAS):
        choices = [each for each in one.get("anyOf", ()) if each != NULL]
        if len(choices) > 1:
            assert not [c for c in choices if c.get("type") in ("array", "object")], path


def test_only_types_that_have_a_name_have_a_title():
    for path, one in inside(SCHEMAS):
        assert not isinstance(one.get("title"), str) or len(path) == 1, path


@every_operation
def test_a_parameter_in_a_query_is_never_null(operation):
    for one in operation["parameters"]:
        if one.get("in") == "query":
            assert NULL not in one["schema"].get("anyOf", ())
            assert "title" not in one["schema"]


def test_a_form_is_a_plain_object():
    for name, operation in OPERATIONS.items():
        content = operation.get("requestBody", {}).get("content", {})
        form = content.get("application/x-www-form-urlencoded", {}).get("schema")
        if form:
            assert not {"additionalProperties", "patternProperties"} & form.keys(), name


def test_a_map_whose_keys_have_a_form_is_a_map():
    headers = SCHEMAS["NewEndpoint"]["properties"]["headers"]
    assert headers["additionalProperties"]["type"] == "string"
    fits = Draft202012Validator(headers).is_valid
    assert fits({"X-Route": "intake"})
    assert not fits({"X Route": "intake"})


def test_what_is_plain_stays_as_it_is():
    again = copy.deepcopy(DOCUMENT)
    plain(again)
    assert again == DOCUMENT
