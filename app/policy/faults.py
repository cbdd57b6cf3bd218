"""What the schema finds wrong with a policy file, in words that name what was expected."""

from collections.abc import Iterator, Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from app.policy.read_files import Place

#: What pydantic says in its own terms, by the kind of error.
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


def in_words(fault: ValidationError, shape: type[BaseModel]) -> Iterator[tuple[Place, str]]:
    """Every fault: where it is written, what was found, what was expected."""
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
        told = repr(found) if isinstance(found, str | int | float) else f"a {_kind(found)}"
        return f"found {told}, expected {expected}"
    return message


def _kind(value: object) -> str:
    """What YAML calls a value."""
    names = {dict: "group of keys", list: "list", tuple: "list", type(None): "null"}
    return names.get(type(value), type(value).__name__)


def _keys(shape: type[BaseModel], place: Sequence[str | int]) -> list[str]:
    """The keys that may stand at a place of the shape."""
    here: Any = shape
    for key in place:
        here = _inside(here, key)
    return sorted(here.model_fields) if here is not None else []


def _inside(shape: Any, key: str | int) -> type[BaseModel] | None:
    """The shape of what stands under `key`; groups and lists are entered."""
    if isinstance(shape, type) and issubclass(shape, BaseModel):
        field = shape.model_fields.get(str(key))
        return _opened(field.annotation) if field else None
    parts = [part for part in get_args(shape) if part is not type(None)]
    return _opened(parts[-1 if _is_mapping(shape) else 0]) if parts else None


def _opened(annotation: Any) -> Any:
    """An annotation without `| None` and without constraints."""
    while get_origin(annotation) in _MODEL_TYPES:
        annotation = next(part for part in get_args(annotation) if part is not type(None))
    return annotation


def _is_mapping(annotation: Any) -> bool:
    origin = get_origin(annotation)
    return isinstance(origin, type) and issubclass(origin, Mapping)
