"""California's time, and the first and last day of the calendar. PURE.

Plans work in California's time: due dates, ages and policy dates are local (spec.md 2). No date
before the first day or after the last day is computed or stored.
"""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

LOCAL = ZoneInfo("America/Los_Angeles")

#: The first and last day, and the last moment, that can be stored. The very ends of Python's
#: calendar cannot: the driver of the database reads them as minus and plus infinity.
FIRST_DAY, LAST_DAY = date(1, 1, 2), date(9999, 12, 30)
LAST_MOMENT = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


def local_date(moment: datetime) -> date:
    """Return the calendar date in California at a moment."""
    return moment.astimezone(LOCAL).date()


def storable(day: date) -> date:
    """Return the day; outside the calendar, return the first or the last day instead."""
    return min(max(day, FIRST_DAY), LAST_DAY)


def plus_days(day: date, days: int) -> date:
    """Add days to a day; the result never leaves the calendar."""
    try:
        return storable(day + timedelta(days=days))
    except OverflowError:
        return LAST_DAY if days > 0 else FIRST_DAY


def stored_day(text: str) -> date:
    """Read a day as the database writes it; `infinity`, in older rows, becomes the last day."""
    try:
        return storable(date.fromisoformat(text))
    except ValueError:
        return FIRST_DAY if text.startswith("-") or text.endswith("BC") else LAST_DAY
