"""Reads policy files: YAML with the line of every value, and one file laid over another.

This module does not know what the values mean: `library.py` checks them with the schema. Faults
that the schema finds are put into words here, with the expected value.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

FilePlace = tuple[str | int, ...]
Origin = tuple[Path, int]


class FileFault(ValueError):
    """Says that a policy file cannot be used: file, line, what is wrong, what was expected.

    `beside` holds the further faults of the same reading.
    """

    def __init__(
        self, path: Path, line: int, fault: str, beside: tuple["FileFault", ...] = ()
    ) -> None:
        super().__init__(f"{path.parent.name}/{path.name}:{line}: {fault}")
        self.beside = beside


class Layer:
    """Values of one file, or of several laid over each other, with the file and line of each."""

    def __init__(self, values: dict[str, Any], origins: dict[FilePlace, Origin]) -> None:
        self.values = values
        self.origins = origins

    def over(self, base: "Layer") -> "Layer":
        """Lay these values over `base`: a key replaces the same key, a list the whole list."""
        origins = {**base.origins, **self.origins}
        return Layer(_laid(base.values, self.values), origins)

    def settled(self) -> "Layer":
        """Remove the keys whose value is null: with a null, a file removes a key of its base."""
        return Layer(_settled(self.values), self.origins)

    def origin(self, place: FilePlace) -> Origin | None:
        """Return file and line of the value at `place`, or of the nearest value around it."""
        for length in range(len(place), 0, -1):
            if place[:length] in self.origins:
                return self.origins[place[:length]]
        return self.origins.get(())


_Read = TypeVar("_Read", bound=BaseModel)


def read_shape(path: Path, shape: type[_Read]) -> _Read:
    """Read a file of this package as its shape. Raises `ValueError` that names the entry at
    fault.
    """
    try:
        return shape.model_validate(yaml.load(path.read_text("utf-8"), Loader=yaml.CSafeLoader))
    except (ValidationError, yaml.YAMLError) as fault:
        raise ValueError(f"{path.name}: {fault}") from None


def read_file(path: Path) -> Layer:
    """Read one file as written. Raises `FileFault` for wrong YAML and for a key written twice."""
    try:
        loader = yaml.CSafeLoader(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, yaml.YAMLError):
        raise FileFault(path, 1, "no text in UTF-8") from None
    try:
        root = loader.get_single_node()
        origins: dict[FilePlace, Origin] = {(): (path, 1)}
        values = None if root is None else _value(loader, root, (), path, origins)
    except yaml.MarkedYAMLError as fault:
        line = fault.problem_mark.line + 1 if fault.problem_mark else 1
        raise FileFault(path, line, f"no YAML: {fault.problem}") from None
    finally:
        loader.dispose()
    if not isinstance(values, dict):
        raise FileFault(path, 1, "expected keys and values")
    return Layer(values, origins)


def _value(
    loader: Any, node: yaml.Node, place: FilePlace, path: Path, origins: dict[FilePlace, Origin]
) -> Any:
    if isinstance(node, yaml.MappingNode):
        values: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key = _scalar(loader, key_node, path)
            line = key_node.start_mark.line + 1
            if key in values:
                raise FileFault(path, line, f"{key!r} is written twice")
            origins[(*place, key)] = (path, line)
            values[key] = _value(loader, value_node, (*place, key), path, origins)
        return values
    if isinstance(node, yaml.SequenceNode):
        return list(_items(loader, node, place, path, origins))
    return _scalar(loader, node, path)


def _scalar(loader: Any, node: yaml.Node, path: Path) -> Any:
    line = node.start_mark.line + 1
    if not isinstance(node, yaml.ScalarNode):
        raise FileFault(path, line, "a key is one word; found a group or a list")
    try:
        return loader.construct_object(node)
    except (ValueError, yaml.YAMLError):
        raise FileFault(path, line, f"found {node.value!r}, expected a date or text") from None


def _items(
    loader: Any,
    node: yaml.SequenceNode,
    place: FilePlace,
    path: Path,
    origins: dict[FilePlace, Origin],
) -> Iterator[Any]:
    for index, item in enumerate(node.value):
        origins[(*place, index)] = (path, item.start_mark.line + 1)
        yield _value(loader, item, (*place, index), path, origins)


def _laid(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    laid = dict(base)
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(laid.get(key), dict):
            laid[key] = _laid(laid[key], value)
        else:
            laid[key] = value
    return laid


def _settled(values: dict[str, Any]) -> dict[str, Any]:
    return {
        key: _settled(value) if isinstance(value, dict) else value
        for key, value in values.items()
        if value is not None
    }


#: Kind of a pydantic error → the expected value, in the words of a policy file.
_EXPECTED = {
    "date_type": "a date such as 2024-03-04",
    "date_parsing": "a date such as 2024-03-04",
    "date_from_datetime_parsing": "a date such as 2024-03-04",
    "date_from_datetime_inexact": "a date such as 2024-03-04",
    "model_type": "a group of keys",
    "dict_type": "a group of keys",
    "mapping_type": "a group of keys",
    "tuple_type": "a list",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "string_type": "text",
}
_MODEL_TYPES = (Union, UnionType, Annotated)


def faults_in_words(
    fault: ValidationError, shape: type[BaseModel]
) -> Iterator[tuple[FilePlace, str]]:
    """Put each fault into words: its place, and a sentence of what was found and expected."""
    for error in fault.errors(include_url=False):
        yield tuple(error["loc"]), _sentence(error, shape)


def _sentence(error: ErrorDetails, shape: type[BaseModel]) -> str:
    if error["type"] == "extra_forbidden":
        return f"unknown key; expected one of {', '.join(_keys(shape, error['loc'][:-1]))}"
    if error["type"] == "missing":
        return "is missing"
    message = error["msg"].removeprefix("Value error, ")
    if message.startswith("Input should "):
        plain = message.removeprefix("Input should ").removeprefix("be ")
        expected = _EXPECTED.get(error["type"], plain)
        found = error["input"]
        shown = repr(found) if isinstance(found, str | int | float) else f"a {_kind(found)}"
        return f"found {shown}, expected {expected}"
    return message


def _kind(value: object) -> str:
    """Name the type of a value as YAML does: `group of keys`, `list` …"""
    names = {dict: "group of keys", list: "list", tuple: "list", type(None): "null"}
    return names.get(type(value), type(value).__name__)


def _keys(shape: type[BaseModel], place: Sequence[str | int]) -> list[str]:
    """List the keys that are allowed at a place of the shape."""
    here: Any = shape
    for key in place:
        here = _inside(here, key)
    return sorted(here.model_fields) if here is not None else []


def _inside(shape: Any, key: str | int) -> type[BaseModel] | None:
    """Return the shape of the value under `key`, also within groups and lists."""
    if isinstance(shape, type) and issubclass(shape, BaseModel):
        field = shape.model_fields.get(str(key))
        return _opened(field.annotation) if field else None
    parts = [part for part in get_args(shape) if part is not type(None)]
    return _opened(parts[-1 if _is_mapping(shape) else 0]) if parts else None


def _opened(annotation: Any) -> Any:
    """Remove `| None` and constraints from an annotation."""
    while get_origin(annotation) in _MODEL_TYPES:
        annotation = next(part for part in get_args(annotation) if part is not type(None))
    return annotation


def _is_mapping(annotation: Any) -> bool:
    origin = get_origin(annotation)
    return isinstance(origin, type) and issubclass(origin, Mapping)
