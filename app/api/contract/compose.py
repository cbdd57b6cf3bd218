"""Examples of bodies described by their fields: put together from the fields' own examples.

A field says `Field(examples=[…])`; a model need not repeat them.
"""

from collections.abc import Mapping
from typing import Any

_DEPTH = 12


def compose(schema: Mapping[str, Any], schemas: Mapping[str, Any], depth: int = 0) -> Any:
    """One value of a JSON Schema whose leaves carry examples, defaults or enumerations."""
    if "$ref" in schema:
        named = str(schema["$ref"]).rpartition("/")[2]
        return compose(schemas.get(named, {}), schemas, depth + 1)
    for word in ("examples", "enum"):
        if schema.get(word):
            return schema[word][0]
    for word in ("example", "const", "default"):
        if word in schema:
            return schema[word]
    if depth > _DEPTH:
        return None
    return _by_type(schema, schemas, depth)


def _by_type(schema: Mapping[str, Any], schemas: Mapping[str, Any], depth: int) -> Any:
    for word in ("anyOf", "oneOf", "allOf"):
        if schema.get(word):
            return compose(schema[word][0], schemas, depth + 1)
    if "properties" in schema:
        fields: Mapping[str, Any] = schema["properties"]
        return {name: compose(field, schemas, depth + 1) for name, field in fields.items()}
    if schema.get("type") == "array":
        return [compose(schema.get("items", {}), schemas, depth + 1)]
    simple = {"string": "text", "integer": 1, "number": 1.5, "boolean": True, "object": {}}
    return simple.get(str(schema.get("type")))
