"""Reads FHIR dates, dateTimes and instants as days, moments and stretches of time.

`read_span` and `read_moment` read clinical data in the plans' local time. They never raise: a value
that cannot be read is None. `app.policy` decides whether a day lies in a window.

`span` reads the value of a search as the stretch of time that it stands for (FHIR R4, "Search",
date): `2026-03` is the whole month. A value without a zone is in California's time (the plans'
calendar). A leap second is read as the second before it; fractions are compared to the microsecond.
Times end with the first moment of year 1 and the last of year 9999.
"""

import re
from calendar import monthrange
from datetime import MAXYEAR, UTC, date, datetime, time, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from app.base.local_time import LAST_MOMENT, LOCAL
from app.policy.model import Span


def read_span(text: object) -> Span | None:
    """Read the days that a FHIR `date` or `dateTime` may mean, in California's time."""
    if not isinstance(text, str):
        return None
    try:
        if len(text) > 10:
            day = _local(text).date()
            return Span(day, day)
        if len(text) == 10:
            day = date.fromisoformat(text)
            return Span(day, day)
        if len(text) == 7:
            year, month = int(text[:4]), int(text[5:])
            return Span(date(year, month, 1), date(year, month, monthrange(year, month)[1]))
        year = int(text)
        return Span(date(year, 1, 1), date(year, 12, 31))
    except (ValueError, OverflowError):
        return None


def read_moment(text: object) -> datetime | None:
    """Read a dateTime as a moment; a date (`2026-03`) is the local midnight at which it begins."""
    if not isinstance(text, str):
        return None
    try:
        if len(text) > 10:
            return min(_local(text).astimezone(UTC), LAST_MOMENT)
        span = read_span(text)
        if span is None:
            return None
        return datetime.combine(span.first, time(), LOCAL).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _local(text: str) -> datetime:
    # FHIR allows a leap second (`:60`), Python does not: it is read as the second before.
    if text[16:19] == ":60":
        text = text[:16] + ":59" + text[19:]
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=LOCAL) if moment.tzinfo is None else moment.astimezone(LOCAL)


def instant(moment: datetime) -> str:
    """Write a moment as a FHIR instant in UTC, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


# Stretches of time of a search
#: The zone of a value without a zone.
CALIFORNIA = ZoneInfo("America/Los_Angeles")
EARLIEST = datetime.min.replace(tzinfo=UTC)
LATEST = datetime.max.replace(tzinfo=UTC)
PATTERN = (
    r"(?P<year>\d{4})(?:-(?P<month>\d\d)(?:-(?P<day>\d\d)"
    r"(?:T(?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:\.(?P<part>\d+))?)?"
    r"(?P<zone>Z|[+\- ]\d\d:\d\d)?)?)?)?"
)
_DATE = re.compile(PATTERN, re.ASCII)
_PARTS = ("year", "month", "day", "hour", "minute", "second", "part", "zone")
_A_DAY, _A_MINUTE, _A_SECOND = timedelta(days=1), timedelta(minutes=1), timedelta(seconds=1)
#: The last day that can be written: what is added to a moment before it is in range.
_LAST_DAY = LATEST - _A_DAY
#: How long a value is that has so many digits after its second.
_PART_OF_SECOND = [timedelta(microseconds=10 ** (6 - digits)) for digits in range(7)]


def span(text: str) -> tuple[datetime, datetime]:
    """Read the first moment, and the first moment after, in UTC. Raises ValueError if no date."""
    match = _DATE.fullmatch(text)
    if match is None:
        raise ValueError
    return span_of(match)


def span_of(match: re.Match[str]) -> tuple[datetime, datetime]:
    """Read the stretch of time of a match of `PATTERN`, like `span`."""
    year, month, day, hour, minute, second, part, zone = match.group(*_PARTS)
    local = datetime(
        int(year),
        int(month or 1),
        int(day or 1),
        int(hour or 0),
        int(minute or 0),
        59 if second == "60" else int(second or 0),
        int(part.ljust(6, "0")[:6]) if part else 0,
        tzinfo=_zone(zone),
    )
    low, after = _utc(local), _after(match, local)
    if after is None:
        return low, LATEST
    if hour is None:
        return low, _utc(after)
    return low, min(low + (after - local), LATEST) if low < _LAST_DAY else LATEST


def _after(match: re.Match[str], local: datetime) -> datetime | None:
    """The first moment after the value, in the value's zone; None beyond the last year."""
    month, day, hour, second, part = match.group("month", "day", "hour", "second", "part")
    try:
        if month is None:
            return local.replace(year=local.year + 1)
        if day is None:
            last = local.month == 12
            return local.replace(year=local.year + last, month=1 if last else local.month + 1)
        if hour is None:
            return local + _A_DAY
        if second is None:
            return local + _A_MINUTE
        if part is None:
            return local + _A_SECOND
        return local + _PART_OF_SECOND[min(len(part), 6)]
    except (ValueError, OverflowError):
        return None


def _utc(local: datetime) -> datetime:
    if local.tzinfo is UTC:
        return local
    try:
        return local.astimezone(UTC)
    except OverflowError:
        return EARLIEST if local.year < MAXYEAR else LATEST


def _zone(text: str | None) -> tzinfo:
    if text is None:
        return CALIFORNIA
    if text == "Z":
        return UTC
    hours, minutes = int(text[1:3]), int(text[4:6])
    if hours > 14 or minutes > 59:
        raise ValueError
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(-offset if text[0] == "-" else offset)
