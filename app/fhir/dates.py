"""FHIR dates, dateTimes and instants as our days and moments, in the plans' local time.

Whether a day lies in a window is left to `app.policy`. Nothing here raises: what cannot be read is
None.
"""

from calendar import monthrange
from datetime import UTC, date, datetime, time

from app.base.local_time import LAST_MOMENT, LOCAL
from app.policy.model import Span


def read_span(text: object) -> Span | None:
    """The days a FHIR `date` or `dateTime` may mean; a time of day counts in California's day."""
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
    """A dateTime as a moment; a day or less is the local midnight at which it begins."""
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
    # A leap second (`:60`), which FHIR allows and Python does not know, is read as the one before.
    if text[16:19] == ":60":
        text = text[:16] + ":59" + text[19:]
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=LOCAL) if moment.tzinfo is None else moment.astimezone(LOCAL)


def instant(moment: datetime) -> str:
    """A moment as a FHIR instant in UTC, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
