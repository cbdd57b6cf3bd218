"""JSON Schemas of FHIR resources and datatypes, from the element tables of `fhir.resources`.

Names, types, cardinality and required bindings; not the invariants and not the formats that JSON
Schema says badly. So a body may fit its schema and still break a rule of FHIR (then 400), but none
that breaks its schema is accepted.
"""

import datetime
import typing
from decimal import Decimal
from typing import Any

from fhir.resources.R4B import get_fhir_model_class
from pydantic.fields import FieldInfo

from app.fhir.r4.bindings import binding_of

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
#: Not spelled out: too open, or too far from a referral.
_GIVEN: Schemas = {
    "Resource": _ANY_RESOURCE,
    "Extension": _EXTENSION,
    "Narrative": _NARRATIVE,
    "PrimitiveExtension": _PRIMITIVE_EXTENSION,
}
#: Media types: the tables name a few, R4 takes any.
_MEDIA_TYPES = frozenset({"CapabilityStatement.format", "Expression.language"})
_DATE = r"^[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?$"
_DATE_TIME = (
    r"^[0-9]{4}(-[0-9]{2}(-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?"
    r"(Z|[+\-][0-9]{2}:[0-9]{2}))?)?)?$"
)
_PRIMITIVES: dict[Any, Schema] = {
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    Decimal: {"type": "number"},
    float: {"type": "number"},
    datetime.datetime: {"type": "string", "pattern": _DATE_TIME},
    datetime.date: {"type": "string", "pattern": _DATE},
    datetime.time: {"type": "string"},
    str: {"type": "string", "minLength": 1},
    bytes: {"type": "string"},
}


def resource_schemas(names: typing.Iterable[str]) -> Schemas:
    """The schemas of resource types, with every datatype that they use."""
    found: Schemas = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = _GIVEN.get(name) or _derive(name, waiting)
    return dict(sorted(found.items()))


def _derive(name: str, waiting: list[str]) -> Schema:
    model = get_fhir_model_class(name)
    properties: Schemas = {}
    required: list[str] = []
    beside: dict[bool, list[str]] = {False: [], True: []}
    for field in model.model_fields.values():
        extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
        element = field.alias or ""
        if element.startswith("_"):
            beside["List" in str(field.annotation)].append(element[1:])
            continue
        if not extra.get("element_property"):
            continue
        properties[element] = _element(f"{name}.{element}", field, extra, waiting)
        if extra.get("element_required") or field.is_required():
            required.append(element)
    properties = _typed(name, properties, required)
    schema: Schema = {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }
    if any(beside.values()):
        waiting += ["PrimitiveExtension", "Extension"]
        schema["patternProperties"] = _beside(beside)
    if required:
        schema["required"] = sorted(required)
    return schema


def _typed(name: str, properties: Schemas, required: list[str]) -> Schemas:
    """Resources say what they are; datatypes do not."""
    if "contained" not in properties and name not in ("Bundle", "Parameters"):
        return properties
    required.append("resourceType")
    return {"resourceType": {"type": "string", "const": name}, **properties}


def _element(name: str, field: FieldInfo, extra: dict[str, Any], waiting: list[str]) -> Schema:
    kind, many = _unwrapped(field.annotation)
    schema = _type(kind, waiting)
    if extra.get("enum_values") and kind is str and name not in _MEDIA_TYPES:
        schema = {"type": "string", "enum": _codes(name, list(extra["enum_values"]))}
    return {"type": "array", "minItems": 1, "items": schema} if many else schema


def _codes(name: str, listed: list[str]) -> list[str]:
    """The codes of an element. The tables break off long lists with `+`; R4's bindings do not."""
    binding = binding_of(name) if "+" in listed else None
    return sorted(binding.codes) if binding else listed


def _beside(elements: dict[bool, list[str]]) -> Schemas:
    """`_status` beside `status`: what primitives say beyond their values, once and many times.

    By pattern: client generators make `status` and `_status` one name, and then do not compile.
    """
    one: Schema = {"$ref": "#/components/schemas/PrimitiveExtension"}
    listed: Schema = {"type": "array", "minItems": 1, "items": {"anyOf": [one, {"type": "null"}]}}
    return {
        f"^_({'|'.join(sorted(names))})$": listed if many else one
        for many, names in elements.items()
        if names
    }


def _unwrapped(annotation: Any) -> tuple[Any, bool]:
    """The bare type of an element, and whether it repeats."""
    many = False
    while True:
        origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
        if origin is typing.Annotated:
            annotation = arguments[0]
        elif origin is list:
            annotation, many = arguments[0], True
        elif arguments:
            annotation = next(one for one in arguments if one is not type(None))
        else:
            return annotation, many


def _type(kind: Any, waiting: list[str]) -> Schema:
    if kind in _PRIMITIVES:
        return _PRIMITIVES[kind]
    name = str(getattr(kind, "__name__", ""))
    if not name.endswith("Type"):  # addresses and the like: text with a format
        return _PRIMITIVES[str]
    name = name.removesuffix("Type")
    waiting.append(name)
    return {"$ref": f"#/components/schemas/{name}"}
