"""The tables against the models they come from: bindings have elements, all types compile."""

import re
from importlib import import_module

import pytest

from app.fhir.r4 import tables
from app.fhir.r4.tables import COMPLEX, TEXT, resource_table, warm

#: Every resource type that R4 has and that a payload may hold: the `resource-types` value set.
TYPES = sorted(tables.binding_of("CompartmentDefinitionResource.code").codes)
MODELLED = [name for name in TYPES if resource_table(name)]


def test_every_type_of_r4_is_read_or_known_not_to_be():
    left = set(TYPES) - set(MODELLED)
    assert left == tables.NOT_MODELLED | {"Resource", "DomainResource"}
    assert len(MODELLED) == 126


@pytest.mark.parametrize("name", sorted(tables.NOT_R4))
def test_a_type_that_r4b_added_is_not_read(name):
    assert resource_table(name) is None


def tables_below(names):
    found = {}
    waiting = [resource_table(name) for name in names]
    while waiting:
        table = waiting.pop()
        if table.name not in found:
            found[table.name] = table
            waiting += [e.table for e in table.elements.values() if e.kind == COMPLEX]
    return found


def test_every_binding_and_difference_has_its_element():
    found = tables_below(MODELLED)
    elements = {f"{owner}.{name}" for owner, table in found.items() for name in table.elements}
    assert (tables._bindings().keys() | tables.FORMS.keys()) - elements == set()
    assert set(tables.TARGETS) <= elements
    assert {f"{o}.{n}" for o, names in tables.DROPPED.items() for n in names} & elements == set()


def test_codes_agree_with_those_that_the_models_list_in_full():
    """The models list codes as documentation; a list that ends in `+` is an excerpt."""
    compared = 0
    for name in MODELLED:
        model = getattr(import_module(f"fhir.resources.R4B.{name.lower()}"), name)
        for element, field in tables._fields(model):
            listed = tables._extra(field).get("enum_values")
            bound = tables.binding_of(f"{name}.{element}")
            if bound and listed and "+" not in listed:
                assert set(listed) == bound.codes, f"{name}.{element}"
                compared += 1
    assert compared > 100


def test_bound_elements_of_type_code_take_codes_only():
    element = resource_table("Coverage").elements["status"]
    assert element.kind == TEXT
    assert [code for code in ("active", "Active", "", "ended") if element.valid(code)] == ["active"]


def test_a_long_list_of_codes_is_cut_where_it_is_shown():
    shown = tables.binding_of("CompartmentDefinitionResource.code").shown
    assert shown.endswith(", …")
    assert len(re.findall(", ", shown)) == 40


def test_warm_leaves_nothing_to_compile():
    warm(["Goal", "Citation"])
    before = tables._compile.cache_info().misses
    tables_below(["Goal"])
    assert tables._compile.cache_info().misses == before


def test_only_names_of_r4_are_remembered():
    before = tables._table_of_type.cache_info().currsize
    assert [resource_table(f"Patient{word}") for word in ("s", "like", "x" * 10_000)] == [None] * 3
    assert resource_table("PATIENT") is None
    assert tables._table_of_type.cache_info().currsize == before
