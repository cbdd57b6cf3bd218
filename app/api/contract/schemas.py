"""JSON Schemas of FHIR resources and datatypes, from the element tables of `app.fhir.r4`.

The schemas state names, types, cardinality and required bindings. They leave out invariants, and
formats that JSON Schema expresses badly. So a body may fit its schema and still break a rule of
FHIR (then 400), but a body that breaks its schema is never accepted.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from app.fhir.r4.tables import (
    COMPANION,
    COMPLEX,
    RESOURCE,
    TYPE_NAME,
    Element,
    Table,
    resource_table,
)

Schema = dict[str, Any]
Schemas = dict[str, Schema]

_ANY_RESOURCE: Schema = {
    "type": "object",
    "required": ["resourceType"],
    "properties": {"resourceType": {"type": "string", "pattern": "^[A-Z][A-Za-z]+$"}},
    "additionalProperties": True,
}
_EXTENSION: Schema = {
    "type": "object",
    "description": "An extension: `url`, and a value or further extensions",
    "required": ["url"],
    "properties": {"url": {"type": "string", "minLength": 1}},
    "additionalProperties": True,
}
_NARRATIVE: Schema = {
    "type": "object",
    "required": ["status", "div"],
    "properties": {
        "status": {"type": "string", "enum": ["generated", "extensions", "additional", "empty"]},
        "div": {"type": "string", "description": "XHTML"},
    },
}
_PRIMITIVE_EXTENSION: Schema = {
    "type": "object",
    "description": "The id and extensions of a primitive element",
    "minProperties": 1,
    "properties": {
        "id": {"type": "string", "minLength": 1},
        "extension": {
            "type": "array",
            "minItems": 1,
            "items": {"$ref": "#/components/schemas/Extension"},
        },
    },
    "additionalProperties": False,
}
#: Types that are not spelled out: too open, or too far from a referral.
_GIVEN: Schemas = {
    "Resource": _ANY_RESOURCE,
    "Extension": _EXTENSION,
    "Narrative": _NARRATIVE,
    "PrimitiveExtension": _PRIMITIVE_EXTENSION,
}
#: Elements that hold a media type: the tables name a few, R4 takes any.
_MEDIA_TYPES = frozenset({"CapabilityStatement.format", "Expression.language"})
_DATE = r"^[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?$"
_DATE_TIME = (
    r"^[0-9]{4}(-[0-9]{2}(-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?"
    r"(Z|[+\-][0-9]{2}:[0-9]{2}))?)?)?$"
)
_TEXT: Schema = {"type": "string", "minLength": 1}
#: The schemas of primitives that differ from `_TEXT`.
_PRIMITIVES: Schemas = {
    "boolean": {"type": "boolean"},
    "integer": {"type": "integer"},
    "positiveInt": {"type": "integer"},
    "unsignedInt": {"type": "integer"},
    "decimal": {"type": "number"},
    "dateTime": {"type": "string", "pattern": _DATE_TIME},
    "instant": {"type": "string", "pattern": _DATE_TIME},
    "date": {"type": "string", "pattern": _DATE},
    "time": {"type": "string"},
    "base64Binary": {"type": "string"},
}


def resource_schemas(names: Iterable[str]) -> Schemas:
    """The schemas of resource types, with every datatype that they use.

    Raises `KeyError` for a name that R4 does not have.
    """
    schemas: Schemas = {}
    waiting: list[tuple[str, Table | None]] = [(name, None) for name in names]
    while waiting:
        name, table = waiting.pop()
        if name in schemas:
            continue
        if name in _GIVEN:
            schemas[name] = _GIVEN[name]
        elif table := table or resource_table(name):
            schemas[name] = _derive(table)
            waiting += _used(table)
        else:
            raise KeyError(name)
    return dict(sorted(schemas.items()))


def _used(table: Table) -> Iterator[tuple[str, Table | None]]:
    """The types of a type's elements."""
    for element in table.elements.values():
        if element.kind == COMPANION:
            yield from (("PrimitiveExtension", None), ("Extension", None))
        elif element.kind == RESOURCE:
            yield "Resource", None
        elif element.kind == COMPLEX:
            yield element.type, element.table


def _derive(table: Table) -> Schema:
    properties: Schemas = {}
    required = list(table.required)
    companions: dict[bool, list[str]] = {False: [], True: []}
    for name, element in table.elements.items():
        if element.kind == COMPANION:
            companions[element.is_list].append(element.base)
        elif element.kind == TYPE_NAME:  # a resource names its type; a datatype does not
            properties[name] = {"type": "string", "const": table.name}
            required.append(name)
        else:
            properties[name] = _element(f"{table.name}.{name}", element)
    schema: Schema = {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }
    if any(companions.values()):
        schema["patternProperties"] = _companions(companions)
    if required:
        schema["required"] = sorted(required)
    return schema


def _element(name: str, element: Element) -> Schema:
    if element.kind in (COMPLEX, RESOURCE):
        schema: Schema = {"$ref": f"#/components/schemas/{element.type}"}
    elif element.listed and name not in _MEDIA_TYPES:
        schema = {"type": "string", "enum": _codes(element)}
    else:
        schema = _PRIMITIVES.get(element.type, _TEXT)
    return {"type": "array", "minItems": 1, "items": schema} if element.is_list else schema


def _codes(element: Element) -> list[str]:
    """The codes of an element. The models cut long lists off with `+`; R4's bindings are whole."""
    if "+" in element.listed and element.binding:
        return sorted(element.binding.codes)
    return list(element.listed)


def _companions(elements: dict[bool, list[str]]) -> Schemas:
    """The schemas of `_status` beside `status`: id and extensions of primitives, one or many.

    Patterns instead of names: client generators turn `status` and `_status` into one name, and
    their code then does not compile.
    """
    one: Schema = {"$ref": "#/components/schemas/PrimitiveExtension"}
    listed: Schema = {"type": "array", "minItems": 1, "items": {"anyOf": [one, {"type": "null"}]}}
    return {
        f"^_({'|'.join(sorted(names))})$": listed if many else one
        for many, names in elements.items()
        if names
    }
