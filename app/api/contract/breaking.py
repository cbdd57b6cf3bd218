"""Changes between two contracts that break a client.

`make check` refuses such a change unless the version moves. `openapi/released/` keeps the contracts
of releases, without their examples (docs/versioning.md). PURE.
"""

from collections.abc import Iterator, Mapping
from typing import Any

Document = Mapping[str, Any]
_METHODS = ("get", "post", "put", "patch", "delete")
_ANNOTATIONS = frozenset({"example", "examples", "description", "summary", "title"})


def breaks(before: Document, after: Document) -> list[str]:
    """One sentence for each break; an empty list where every old client still works."""
    return [*_operations(before, after), *_schemas(before, after)]


def may_break(before: str, after: str) -> bool:
    """Whether the version allows a break: a new major one, or before 1.0 a new minor one."""
    old, new = (tuple(map(int, version.split("."))) for version in (before, after))
    return new[: 1 if old[0] else 2] > old[: 1 if old[0] else 2]


def outline(value: Any, *, names: bool = False) -> Any:
    """A document without texts for people. `names`: the keys are names of the contract."""
    if isinstance(value, list):
        return [outline(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        key: outline(one, names=key in ("properties", "schemas", "paths") and not names)
        for key, one in value.items()
        if names or key not in _ANNOTATIONS
    }


def _operations(before: Document, after: Document) -> Iterator[str]:
    for path, item in before["paths"].items():
        for method in (each for each in _METHODS if each in item):
            name = f"{method.upper()} {path}"
            now = after["paths"].get(path, {}).get(method)
            if now is None:
                yield f"{name} is gone"
            else:
                yield from _operation(name, item[method], now)


def _operation(name: str, before: Document, after: Document) -> Iterator[str]:
    old, new = _parameters(before), _parameters(after)
    for key in sorted(old.keys() - new.keys()):
        yield f"{name}: the parameter {key} is gone"
    for key, one in new.items():
        if one.get("required") and not old.get(key, {}).get("required"):
            yield f"{name}: the parameter {key} is now required"
        if key in old:
            where = f"{name}: the parameter {key}"
            yield from _narrowed(where, old[key].get("schema", {}), one.get("schema", {}))
    body, was = after.get("requestBody", {}), before.get("requestBody", {})
    if body.get("required") and not was.get("required"):
        yield f"{name}: a body is now required"
    for media in sorted(was.get("content", {}).keys() - body.get("content", {}).keys()):
        yield f"{name}: {media} is no longer taken"
    for status in sorted(before["responses"].keys() - after["responses"].keys()):
        if status < "400":
            yield f"{name}: {status} is no longer answered"


def _parameters(operation: Document) -> dict[str, Document]:
    listed = operation.get("parameters", [])
    return {f"{one['in']} {one['name']}": one for one in listed if "name" in one}


def _schemas(before: Document, after: Document) -> Iterator[str]:
    schemas = after["components"]["schemas"]
    for name, old in before["components"]["schemas"].items():
        if name not in schemas:
            yield f"the schema {name} is gone"
            continue
        new = schemas[name]
        was, now = old.get("properties", {}), new.get("properties", {})
        for field in sorted(was.keys() - now.keys()):
            yield f"{name}.{field} is gone"
        for field in sorted(was.keys() & now.keys()):
            yield from _narrowed(f"{name}.{field}", was[field], now[field])
        for field in sorted(set(new.get("required", [])) - set(old.get("required", []))):
            yield f"{name}.{field} is now required"


def _narrowed(where: str, before: Any, after: Any) -> Iterator[str]:
    if not isinstance(before, dict) or not isinstance(after, dict):
        return
    if "enum" in after:
        gone = [str(one) for one in before.get("enum", ()) if one not in after["enum"]]
        if gone or "enum" not in before:
            yield f"{where} takes fewer values: {', '.join(gone) or 'it was open'}"
    elif before.get("type") and after.get("type") and before["type"] != after["type"]:
        yield f"{where} is of another type"
