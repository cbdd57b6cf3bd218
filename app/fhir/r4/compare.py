"""Comparing FHIR dates of any precision: only what is certain counts.

FHIRPath answers "unknown" where precisions differ, and an invariant does not fail on unknown.
"""

from calendar import monthrange
from datetime import date, datetime
from typing import Any

from app.fhir.r4.primitives import PRIMITIVES


def is_later(first: Any, second: Any) -> bool:
    """Whether `first` is certainly after `second`; False for anything that is no FHIR dateTime."""
    if not (_is_date_time(first) and _is_date_time(second)):
        return False
    timed = ("T" in first, "T" in second)
    if all(timed):
        return _is_later_instant(first, second)
    if not any(timed):
        common = min(len(first), len(second))
        return bool(first[:common] > second[:common])
    # A day without a zone lasts up to a day longer, seen from elsewhere.
    return _day(first, last=False) > _day(second, last=True) + 1


def _is_date_time(value: Any) -> bool:
    return isinstance(value, str) and bool(PRIMITIVES["dateTime"].valid(value))


def _is_later_instant(first: str, second: str) -> bool:
    try:
        return _instant(first) > _instant(second)
    except (ValueError, OverflowError):
        return False


def _instant(value: str) -> datetime:
    # Python has no leap second; the one before is near enough to order two times.
    leap = value[17:19] == "60"
    return datetime.fromisoformat(value[:17] + "59" + value[19:] if leap else value)


def _day(value: str, *, last: bool) -> int:
    """The first or last day that a date of any precision can mean, as a count of days."""
    year = int(value[:4])
    month = int(value[5:7]) if len(value) >= 7 else (12 if last else 1)
    if len(value) >= 10:
        return date(year, month, int(value[8:10])).toordinal()
    return date(year, month, monthrange(year, month)[1] if last else 1).toordinal()
