"""California's time, in which plans work: due dates, ages and policy dates are local (spec.md 2);
and the calendar's two ends, beyond which nothing is computed or kept. PURE.
"""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

LOCAL = ZoneInfo("America/Los_Angeles")

#: The first and last day, and the last moment, that are kept. The very ends of Python's calendar
#: are not: the database's driver takes them for minus and plus infinity.
FIRST_DAY, LAST_DAY = date(1, 1, 2), date(9999, 12, 30)
LAST_MOMENT = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


def local_date(moment: datetime) -> date:
    """The calendar date in California at a moment."""
    return moment.astimezone(LOCAL).date()


def kept(day: date) -> date:
    """The day itself, or the calendar's last or first one that can be kept."""
    return min(max(day, FIRST_DAY), LAST_DAY)


def plus_days(day: date, days: int) -> date:
    """So many days later; never beyond the ends of the calendar."""
    try:
        return kept(day + timedelta(days=days))
    except OverflowError:
        return LAST_DAY if days > 0 else FIRST_DAY


def stored_day(text: str) -> date:
    """A day as the database writes it; `infinity`, which older rows may hold, is the last one."""
    try:
        return kept(date.fromisoformat(text))
    except ValueError:
        return FIRST_DAY if text.startswith("-") or text.endswith("BC") else LAST_DAY
