"""Three passes over the OpenAPI document: shared parts, composed examples, plain schemas.

`share` moves failures and examples of many operations to `components`; otherwise the committed
document would be ten times as long, and its differences unreadable.

`compose` builds the example of a body from the examples of its fields (`Field(examples=[…])`), so
that a model need not repeat them.

`plain` removes what client generators fail on, and what informs nobody. The framework titles every
field after its name: generators then name types `Date` and `From`, which their languages have
already. The framework allows null in a query string, which cannot express null. A map whose keys
match a pattern is described by its values, so that a generator makes a map of it.
"""

from collections.abc import Mapping
from typing import Any

from app.api.contract.responses import errors

_METHODS = ("get", "post", "put", "patch", "delete")
_NAMES = {
    400: "Unreadable",
    401: "Unauthenticated",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    406: "NotAcceptable",
    408: "Timeout",
    409: "Conflict",
    410: "Gone",
    412: "PreconditionFailed",
    413: "TooLarge",
    414: "TargetTooLong",
    415: "UnsupportedMediaType",
    422: "Unprocessable",
    428: "PreconditionRequired",
    431: "HeadersTooLarge",
    503: "Unavailable",
}


def share(document: dict[str, Any]) -> None:
    """Moves common failures and named examples to `components`, and puts references in place."""
    responses: dict[str, Any] = {}
    examples: dict[str, Any] = {}
    for item in document["paths"].values():
        for method in _METHODS:
            if method in item:
                _share_failures(item[method]["responses"], responses)
                _share_examples(item[method], examples)
    document["components"]["responses"] = dict(sorted(responses.items()))
    document["components"]["examples"] = dict(sorted(examples.items()))


def _share_failures(responses: dict[str, Any], shared: dict[str, Any]) -> None:
    for status, name in _NAMES.items():
        common = errors(status)[status]
        if responses.get(str(status)) == common:
            shared[name] = common
            responses[str(status)] = {"$ref": f"#/components/responses/{name}"}


def _share_examples(operation: dict[str, Any], shared: dict[str, Any]) -> None:
    bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
    for body in bodies:
        for content in body.get("content", {}).values():
            for stem, shown in content.get("examples", {}).items():
                if "$ref" not in shown:
                    shared[stem] = shown
                    content["examples"] = {
                        **content["examples"],
                        stem: {"$ref": f"#/components/examples/{stem}"},
                    }


_DEPTH = 12


def compose(schema: Mapping[str, Any], schemas: Mapping[str, Any], depth: int = 0) -> Any:
    """Composes a value of a JSON Schema whose leaves carry examples, defaults or enumerations."""
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


_NULL = {"type": "null"}


def plain(document: dict[str, Any]) -> None:
    """Simplifies the schemas of the whole document, in place."""
    for schema in document["components"].get("schemas", {}).values():
        _tidy(schema, named=True)
    for item in document["paths"].values():
        for operation in (one for one in item.values() if isinstance(one, dict)):
            for parameter in operation.get("parameters", []):
                _parameter(parameter)
            _within(operation.get("requestBody", {}))
            for response in operation["responses"].values():
                _within(response)


def _parameter(parameter: dict[str, Any]) -> None:
    schema = parameter.get("schema", {})
    schema.pop("description", None)  # the parameter has its own description
    _tidy(schema)
    if parameter.get("in") == "query" and _NULL in schema.get("anyOf", ()):
        (one,) = (each for each in schema.pop("anyOf") if each != _NULL)
        parameter["schema"] = {**one, **schema}


def _within(body: dict[str, Any]) -> None:
    for content in body.get("content", {}).values():
        _tidy(content.get("schema", {}))


def _tidy(schema: Any, *, named: bool = False) -> None:
    """Simplifies a schema and the schemas inside. `named`: keeps the title, which somebody gave."""
    if isinstance(schema, list):
        for one in schema:
            _tidy(one)
    if not isinstance(schema, dict):
        return
    if not named:
        schema.pop("title", None)
    _map(schema)
    for word, inside in schema.items():
        if word in ("properties", "patternProperties"):
            for one in inside.values():
                _tidy(one)
        elif word in ("items", "anyOf", "allOf", "oneOf", "additionalProperties"):
            _tidy(inside)


def _map(schema: dict[str, Any]) -> None:
    """Describes a map whose keys match one pattern by `additionalProperties`."""
    if "properties" in schema or len(schema.get("patternProperties", ())) != 1:
        return
    ((pattern, value),) = schema.pop("patternProperties").items()
    schema |= {"propertyNames": {"pattern": pattern}, "additionalProperties": value}
