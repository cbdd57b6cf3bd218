"""Every search in the contract is asked as the server takes it: repeats, dates, modifiers."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema_rs import Draft202012Validator

from app.api import subscriptions
from app.store.reading import audit
from app.store.reading.catalog import PARAMETERS
from app.store.reading.query import read_query
from app.store.reading.subset import MAX_CONDITIONS
from app.store.reading.values import DATE_PATTERN, PREFIXES, date_range, split
from app.views.forms import search as forms
from tests.contract.test_document import DOCUMENT, OPERATIONS

BASE = "https://referrals.example/fhir"
SEARCHES = {
    name: operation
    for name, operation in OPERATIONS.items()
    if operation.get("x-fhir", {}).get("interaction") == "search-type"
}
BY_QUERY = {name: one for name, one in SEARCHES.items() if name.startswith("GET")}
#: What is brought along, each by its own name.
ALONG = ("_include", "_revinclude")
ONCE = {"_count", "_sort", "_total", "_summary", "_elements", "_cursor"}
FORM = "application/x-www-form-urlencoded"


def kind_of(name):
    return name.partition("/fhir/")[2].partition("/")[0]


def asked(operation):
    return {one["name"]: one for one in operation["parameters"] if one.get("in") == "query"}


def value_for(schema):
    one = schema.get("items", schema)
    if one["type"] in ("boolean", "integer"):
        return "true" if one["type"] == "boolean" else "1"
    if "enum" in one:
        return one["enum"][0]
    return "2026-11" if "(eq|" in one["pattern"] else "Task:focus"


def read(kind, pairs):
    """What the server makes of it, every parameter that it does not know refused."""
    if kind == "Questionnaire":
        return forms.read_search(pairs, strict=True).tests
    if kind == "Subscription":
        return subscriptions.read_search(pairs, strict=True).tests
    if kind == "AuditEvent":
        return audit.read_audit_search(pairs, BASE, strict=True).conditions
    return read_query(kind, pairs, base=BASE, strict=True).criteria


@pytest.mark.parametrize("name", BY_QUERY)
def test_what_is_asked_may_be_repeated_and_what_is_shown_may_not(name):
    for parameter, one in asked(BY_QUERY[name]).items():
        many = one["schema"].get("type") == "array"
        assert many is not (parameter in ONCE or parameter.endswith(":missing")), parameter
        if many:
            assert (one["style"], one["explode"]) == ("form", True)
            assert one["schema"]["maxItems"] == MAX_CONDITIONS


@pytest.mark.parametrize("name", BY_QUERY)
def test_every_parameter_is_one_that_the_server_knows(name):
    kind = kind_of(name)
    for parameter, one in asked(BY_QUERY[name]).items():
        if parameter not in ("_cursor", *ALONG):
            value = "_id" if parameter == "_sort" else value_for(one["schema"])
            read(kind, [(parameter, value)])


@pytest.mark.parametrize("name", BY_QUERY)
def test_a_repeat_is_one_more_condition(name):
    for parameter, one in asked(BY_QUERY[name]).items():
        if one["schema"].get("type") == "array" and parameter not in ALONG:
            value = value_for(one["schema"])
            assert len(read(kind_of(name), [(parameter, value)] * 2)) == 2


@pytest.mark.parametrize("kind", PARAMETERS)
def test_every_modifier_that_is_served_has_a_name(kind):
    known = asked(BY_QUERY[f"GET /fhir/{kind}"])
    for parameter in PARAMETERS[kind]:
        for modifier in parameter.modifiers:
            chain = f"{parameter.name}.{modifier}"
            assert f"{parameter.name}:{modifier}" in known or chain in known


@pytest.mark.parametrize("name", BY_QUERY)
def test_a_form_takes_what_the_query_takes(name):
    form = SEARCHES[name.replace("GET", "POST") + "/_search"]
    content = form["requestBody"]["content"][FORM]
    assert {
        parameter: {**one["schema"], "description": one["description"]}
        for parameter, one in asked(BY_QUERY[name]).items()
        if parameter != "entity"  # tests/generators: no Java client could be made
    } == content["schema"]["properties"]


@pytest.mark.parametrize("name", SEARCHES)
def test_a_search_has_an_example_of_its_own(name):
    kind, operation = kind_of(name), SEARCHES[name]
    answer = operation["responses"]["200"]["content"]["application/fhir+json"]
    (shown,) = answer["examples"].values()
    assert {one["resource"]["resourceType"] for one in shown["value"]["entry"]} == {kind}
    if "requestBody" in operation:
        example = operation["requestBody"]["content"][FORM]["example"]
        pairs = [(each, value) for each, values in example.items() for value in values]
        assert len(read(kind, pairs)) == len(pairs) > 0


def test_a_page_is_continued_by_a_parameter_that_is_described():
    paged = [name for name, one in BY_QUERY.items() if "_cursor" in asked(one)]
    assert set(BY_QUERY) - set(paged) == {"GET /fhir/Subscription"}  # all of them fit one page


FITS = Draft202012Validator({"type": "string", "pattern": DATE_PATTERN}).is_valid


@given(st.from_regex(DATE_PATTERN, fullmatch=True, alphabet=st.characters(codec="ascii")))
def test_a_date_that_fits_the_contract_is_taken(text):
    """Nothing at all is ignored."""
    assert not text or all(date_range(one).prefix in PREFIXES for one in split(text))


@given(
    st.sampled_from(["", *PREFIXES]),
    st.dates(),
    st.sampled_from([4, 7, 10]),
    st.sampled_from(["", "T08:30", "T08:30:59", "T23:59:60Z", "T08:30:00.123456789-08:00"]),
)
def test_a_date_of_the_calendar_is_in_the_contract(prefix, day: date, length, time):
    text = prefix + day.isoformat()[:length] + (time if length == 10 else "")
    assert FITS(text)
    assert FITS(f"{text},{text}")
    date_range(text)


@pytest.mark.parametrize(
    "text", ["2026-02-29", "2100-02-29", "ap2026", "2026-13", "2026-04-31", "0000", "2026-1-1", "x"]
)
def test_a_date_that_is_none_is_not_in_the_contract(text):
    assert not FITS(text)


def test_an_example_of_a_type_is_used_once():
    names = [name for name in DOCUMENT["components"]["examples"] if "-of-" in name]
    assert len(names) == len(set(names)) > 20
