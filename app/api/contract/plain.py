"""The document without what client generators stumble over, and what says nothing to anybody.

The framework titles every field after its name: generators then call types `Date` and `From`, which
their languages have already. It offers null in a query string, which cannot say it. Maps whose keys
have a form are said by their values, so that they are maps to a generator too. PURE.
"""

from typing import Any

_NULL = {"type": "null"}


def plain(document: dict[str, Any]) -> None:
    """Mends the whole document in place."""
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
    schema.pop("description", None)  # the parameter's own
    _tidy(schema)
    if parameter.get("in") == "query" and _NULL in schema.get("anyOf", ()):
        (one,) = (each for each in schema.pop("anyOf") if each != _NULL)
        parameter["schema"] = {**one, **schema}


def _within(body: dict[str, Any]) -> None:
    for content in body.get("content", {}).values():
        _tidy(content.get("schema", {}))


def _tidy(schema: Any, *, named: bool = False) -> None:
    """One schema and those inside it. `named`: its title is the name that it was given."""
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
    if "properties" in schema or len(schema.get("patternProperties", ())) != 1:
        return
    ((pattern, value),) = schema.pop("patternProperties").items()
    schema |= {"propertyNames": {"pattern": pattern}, "additionalProperties": value}
