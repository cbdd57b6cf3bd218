"""Lists that are only added to: what is missing from one, and what is new in it. PURE.

Items are counted, so that a note equal to an earlier one is a second note. Linear in what is sent.
"""

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import orjson

from app.fhir.r4.strict_json import written

#: Beyond these a power of ten is not written out.
_DIGITS = 40


def is_kept(before: Sequence[Any], after: Sequence[Any]) -> bool:
    """Whether every item that was there is there still, as often as it was."""
    return Counter(map(_key, before)) <= Counter(map(_key, after))


def added(before: Sequence[Any], after: Sequence[Any]) -> list[Any]:
    """The items of `after` beyond those of `before`, in their order."""
    left = Counter(map(_key, before))
    new = []
    for item in after:
        key = _key(item)
        if left[key]:
            left[key] -= 1
        else:
            new.append(item)
    return new


def _key(item: Any) -> bytes:
    """Equal for equal JSON, whatever the order of its names and the zeros of its decimals."""
    return orjson.dumps(item, default=_plain, option=orjson.OPT_SORT_KEYS)


def _plain(value: Any) -> Any:
    """A decimal without spare zeros; one of many digits as it was written."""
    if isinstance(value, Decimal) and abs(value.adjusted()) < _DIGITS:
        text = f"{value:f}"
        return orjson.Fragment((text.rstrip("0").rstrip(".") if "." in text else text).encode())
    return written(value)
