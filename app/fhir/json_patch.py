"""JSON Patch (RFC 6902): applies the six operations to a copy of a resource, all or none of them.

This file does not decide which elements may change: the result is compared with the resource as it
was, like any other update. The only exception raised, whatever the input, is a `Refusal`.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from app.base.errors import Refusal, refuse
from app.base.heavy_work import too_costly
from app.fhir.r4.strict_json import (
    MAX_SEPARATORS,
    UnreadableJson,
    clone,
    dumps,
    parse_array,
    separators,
)

_MAX_OPERATIONS = 100
#: Bytes that all `copy` operations of one patch may copy: each can double the document.
_MAX_COPIED = 1_000_000
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")
#: Operation → the member that it must have beside `op` and `path`.
_NEEDED = {
    "add": "value",
    "replace": "value",
    "test": "value",
    "move": "from",
    "copy": "from",
    "remove": "path",
}


def read_patch(body: bytes) -> list[dict[str, Any]]:
    """Read the operations of a patch; raises 400 for a body that is no patch, 413 for too many."""
    if separators(body) > MAX_SEPARATORS:
        raise too_costly()
    try:
        steps = parse_array(body)
    except UnreadableJson as unreadable:
        fault = unreadable.faults[0]
        raise refuse(400, fault.code, fault.diagnostics) from None
    if not steps:
        raise refuse(400, "structure", "Send at least one operation.")
    if len(steps) > _MAX_OPERATIONS:
        raise refuse(413, "too-long", f"Send at most {_MAX_OPERATIONS} operations.")
    for index, step in enumerate(steps):
        if not _well_formed(step):
            text = (
                "Each operation has `op` (add, remove, replace, move, copy or test), `path`, and "
                "`value` or `from` where it takes one; pointers begin with a slash."
            )
            raise refuse(400, "structure", text, f"Patch[{index}]")
    return steps


def _well_formed(step: Any) -> bool:
    name = step.get("op") if isinstance(step, dict) else None
    if not isinstance(name, str) or name not in _NEEDED:
        return False
    # Members that an operation does not define are ignored (RFC 6902 4): `"from": null` on an add.
    needed = _NEEDED[name]
    pointers = [step.get("path"), step.get("from") if needed == "from" else ""]
    if not all(isinstance(p, str) and (not p or p.startswith("/")) for p in pointers):
        return False
    return needed in step


def patched(resource: Mapping[str, Any], steps: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Apply all operations; raises 422 where an operation is impossible or a `test` fails."""
    holder: dict[str, Any] = {"root": clone(dict(resource))}
    budget = _MAX_COPIED
    for index, step in enumerate(steps):
        try:
            budget -= _apply(holder, step)
        except (KeyError, IndexError, TypeError, ValueError):
            text = "The path is not there, so that the operation cannot be done. Nothing was."
            raise refuse(422, "value", text, f"Patch[{index}].path") from None
        except _TestFailed:
            text = "The resource is not what this `test` says. Nothing was done; read it again."
            raise refuse(422, "conflict", text, f"Patch[{index}]") from None
        if budget < 0:
            raise refuse(422, "too-costly", "The patch copies too much.", f"Patch[{index}]")
    root = holder.get("root")  # None if the patch removed the whole resource
    if not isinstance(root, dict):
        raise _no_resource()
    return root


def _no_resource() -> Refusal:
    return refuse(422, "structure", "What the patch leaves is not a resource.")


class _TestFailed(Exception):
    """A `test` that does not hold."""


def _apply(holder: dict[str, Any], step: Mapping[str, Any]) -> int:
    """Do one operation; return how many bytes it copied."""
    op, path = step["op"], _tokens(step["path"])
    if op == "test":
        if not _equal(_get(holder, path), step["value"]):
            raise _TestFailed
    elif op == "add":
        _add(holder, path, step["value"])
    elif op == "replace":
        _get(holder, path)
        _replace(holder, path, step["value"])
    elif op == "remove":
        _remove(holder, path)
    else:
        origin = _tokens(step["from"])
        value = _get(holder, origin)
        if op == "copy":
            size = len(dumps(value))
            _add(holder, path, clone(value) if size <= _MAX_COPIED else value)
            return size
        if path[: len(origin)] == origin and path != origin:
            raise ValueError("a value cannot move into itself")
        _remove(holder, origin)
        _add(holder, path, value)
    return 0


def _tokens(pointer: str) -> list[str]:
    """Split a JSON Pointer (RFC 6901) into steps from `holder`: `/a/b` → `root`, `a`, `b`."""
    parts = pointer.split("/")[1:] if pointer else []
    if any(re.search("~(?![01])", part) for part in parts):
        raise ValueError("not a JSON Pointer")
    return ["root", *(part.replace("~1", "/").replace("~0", "~") for part in parts)]


def _get(node: Any, tokens: Sequence[str]) -> Any:
    for token in tokens:
        node = node[_key(node, token)]
    return node


def _key(node: Any, token: str) -> Any:
    if isinstance(node, list):
        if not _INDEX.fullmatch(token):
            raise ValueError("not an index")
        return int(token)
    if not isinstance(node, dict):
        raise TypeError("nothing is in here")
    return token


def _add(holder: Any, tokens: Sequence[str], value: Any) -> None:
    parent, last = _get(holder, tokens[:-1]), tokens[-1]
    if not isinstance(parent, list):
        parent[_key(parent, last)] = value
        return
    index = len(parent) if last == "-" else int(_key(parent, last))
    if index > len(parent):
        raise IndexError(index)
    parent.insert(index, value)


def _replace(holder: Any, tokens: Sequence[str], value: Any) -> None:
    parent = _get(holder, tokens[:-1])
    parent[_key(parent, tokens[-1])] = value


def _remove(holder: Any, tokens: Sequence[str]) -> None:
    parent = _get(holder, tokens[:-1])
    del parent[_key(parent, tokens[-1])]


def _equal(first: Any, second: Any) -> bool:
    """Whether two values are equal as JSON: `true` is not 1."""
    if isinstance(first, bool) or isinstance(second, bool):
        return first is second
    if isinstance(first, list) and isinstance(second, list):
        pairs = zip(first, second, strict=False)
        return len(first) == len(second) and all(_equal(a, b) for a, b in pairs)
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(_equal(first[k], second[k]) for k in first)
    return bool(first == second)
