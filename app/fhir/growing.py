"""Which items of one list another one lacks: in one pass over each, however long they are."""

from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from app.fhir.strict_json import written


def lacking(items: Sequence[Any], others: Iterable[Any]) -> list[Any]:
    """The `others` that are not among `items`, compared as JSON whatever the order of members."""
    if not items:
        return list(others)
    there = {_key(item) for item in items}
    return [other for other in others if _key(other) not in there]


def _key(item: Any) -> bytes:
    return orjson.dumps(item, default=written, option=orjson.OPT_SORT_KEYS)
