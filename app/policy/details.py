"""What a criterion says of the facts it read: numbers between bounds, values and their sources."""

import operator
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from app.policy.model import FactValue, Span
from app.policy.reading import Reading

OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
NOT_STATED = "not stated"
NOT_LIVE = "not live here at this date"


def compared(
    low: Decimal | int, high: Decimal | int | None, compare: str, number: Decimal
) -> bool | None:
    """A number between two bounds against another: True or False only where every value agrees."""
    test = OPERATORS[compare]
    if low == high:
        return test(low, number)
    if compare in ("==", "!="):
        outside = number < low or (high is not None and number > high)
        return (compare == "!=") if outside else None
    at_low = test(low, number)
    at_high = compare in (">", ">=") if high is None else test(high, number)
    return at_low if at_low == at_high else None


def is_open(bounds: tuple[Decimal | int, Decimal | int | None]) -> bool:
    """Whether a number is not settled yet."""
    return bounds[0] != bounds[1]


def in_words(low: Decimal | int, high: Decimal | int | None) -> str:
    """A number between two bounds, as a reader is told it."""
    if high is None:
        return f"{low} or more" if low else NOT_STATED
    return str(low) if low == high else f"between {low} and {high}"


def sources(reading: Reading, names: tuple[str, ...]) -> str:
    """The first of the facts that is stated, with its value and the resource it came from."""
    for name in names:
        fact = reading.values.get(name)
        if fact is not None:
            return f"{name}: {_shown(fact.value)} ({fact.source})"
    return NOT_STATED


def list_sources(reading: Reading, name: str) -> str:
    """The same for a list, which pregnancy may have added to (facts.md 3.8)."""
    if not reading.value(name) and reading.codes(name):
        told = [fact for fact in ("pregnant", "postpartum_12m") if reading.boolean(fact)]
        if "postpartum_12m" in told:
            told.append("pregnancy_end_date")
        return sources(reading, tuple(told))
    return sources(reading, (name,))


def _shown(value: FactValue) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, frozenset):
        return ", ".join(sorted(value)) or "none"
    if isinstance(value, Span):
        return f"{value.first} to {value.last}" if value.first != value.last else f"{value.first}"
    return str(value)
