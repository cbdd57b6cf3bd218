"""JSON Patch (RFC 6902): the six operations on a copy of a resource, all of them or none.

What may be changed is not decided here: the result is compared with what was there, like any other
update. No input raises anything but a `Refusal`.
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

_MOST = 100
#: `copy` can double a document each time: all copies of one patch together stay below this.
_COPIED = 1_000_000
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")
_NEEDS = {
    "add": "value",
    "replace": "value",
    "test": "value",
    "move": "from",
    "copy": "from",
    "remove": "path",
}


def read_patch(body: bytes) -> list[dict[str, Any]]:
    """The operations of a patch; 400 for what is none, 413 for too many."""
    if separators(body) > MAX_SEPARATORS:
        raise too_costly()
    try:
        steps = parse_array(body)
    except UnreadableJson as unreadable:
        fault = unreadable.faults[0]
        raise refuse(400, fault.code, fault.diagnostics) from None
    if not steps:
        raise refuse(400, "structure", "Send at least one operation.")
    if len(steps) > _MOST:
        raise refuse(413, "too-long", f"Send at most {_MOST} operations.")
    for index, step in enumerate(steps):
        if not _well_formed(step):
            said = (
                "Each operation has `op` (add, remove, replace, move, copy or test), `path`, and "
                "`value` or `from` where it takes one; pointers begin with a slash."
            )
            raise refuse(400, "structure", said, f"Patch[{index}]")
    return steps


def _well_formed(step: Any) -> bool:
    name = step.get("op") if isinstance(step, dict) else None
    if not isinstance(name, str) or name not in _NEEDS:
        return False
    # Members that an operation does not define are ignored (RFC 6902 4): `"from": null` on an add.
    needed = _NEEDS[name]
    pointers = [step.get("path"), step.get("from") if needed == "from" else ""]
    if not all(isinstance(p, str) and (not p or p.startswith("/")) for p in pointers):
        return False
    return needed in step


def patched(resource: Mapping[str, Any], steps: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The resource after all operations. 422 where one cannot be done, or a `test` fails."""
    holder: dict[str, Any] = {"root": clone(dict(resource))}
    budget = _COPIED
    for index, step in enumerate(steps):
        try:
            budget -= _apply(holder, step)
        except (KeyError, IndexError, TypeError, ValueError):
            said = "The path is not there, so that the operation cannot be done. Nothing was."
            raise refuse(422, "value", said, f"Patch[{index}].path") from None
        except _NotSo:
            said = "The resource is not what this `test` says. Nothing was done; read it again."
            raise refuse(422, "conflict", said, f"Patch[{index}]") from None
        if budget < 0:
            raise refuse(422, "too-costly", "The patch copies too much.", f"Patch[{index}]")
    root = holder.get("root")  # removed as a whole, nothing is left
    if not isinstance(root, dict):
        raise _no_resource()
    return root


def _no_resource() -> Refusal:
    return refuse(422, "structure", "What the patch leaves is not a resource.")


class _NotSo(Exception):
    """A `test` that does not hold."""


def _apply(holder: dict[str, Any], step: Mapping[str, Any]) -> int:
    """Does one operation; how many bytes it copied."""
    op, path = step["op"], _tokens(step["path"])
    if op == "test":
        if not _same(_get(holder, path), step["value"]):
            raise _NotSo
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
            _add(holder, path, clone(value) if size <= _COPIED else value)
            return size
        if path[: len(origin)] == origin and path != origin:
            raise ValueError("a value cannot move into itself")
        _remove(holder, origin)
        _add(holder, path, value)
    return 0


def _tokens(pointer: str) -> list[str]:
    """A JSON Pointer (RFC 6901) as steps from the holder."""
    parts = pointer.split("/")[1:] if pointer else []
    if any(re.search("~(?![01])", part) for part in parts):
        raise ValueError("not a JSON Pointer")
    return ["root", *(part.replace("~1", "/").replace("~0", "~") for part in parts)]


def _get(node: Any, tokens: Sequence[str]) -> Any:
    for token in tokens:
        node = node[_at(node, token)]
    return node


def _at(node: Any, token: str) -> Any:
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
        parent[_at(parent, last)] = value
        return
    where = len(parent) if last == "-" else int(_at(parent, last))
    if where > len(parent):
        raise IndexError(where)
    parent.insert(where, value)


def _replace(holder: Any, tokens: Sequence[str], value: Any) -> None:
    parent = _get(holder, tokens[:-1])
    parent[_at(parent, tokens[-1])] = value


def _remove(holder: Any, tokens: Sequence[str]) -> None:
    parent = _get(holder, tokens[:-1])
    del parent[_at(parent, tokens[-1])]


def _same(first: Any, second: Any) -> bool:
    """Equal as JSON: true is not 1."""
    if isinstance(first, bool) or isinstance(second, bool):
        return first is second
    if isinstance(first, list) and isinstance(second, list):
        pairs = zip(first, second, strict=False)
        return len(first) == len(second) and all(_same(a, b) for a, b in pairs)
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(_same(first[k], second[k]) for k in first)
    return bool(first == second)
