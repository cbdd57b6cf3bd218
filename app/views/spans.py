"""Times in words for people: lengths, due moments, and moments. PURE."""

from datetime import datetime, timedelta

from app.base.local_time import LOCAL

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


def span(length: timedelta) -> str:
    """Word a length: `3 days`, `5 hours`, `20 minutes`; whole units, rounded down, at least one."""
    for unit, name in ((_DAY, "day"), (_HOUR, "hour")):
        # Less than two days is worded in hours: on a 72-hour clock the hours matter.
        if length >= (2 * unit if unit is _DAY else unit):
            return _counted(length // unit, name)
    return _counted(max(1, length // timedelta(minutes=1)), "minute")


def due_in_words(due: datetime, now: datetime) -> str:
    """Word a due moment: `due in 3 days`, or `5 hours overdue`."""
    if now > due:
        return f"{span(now - due)} overdue"
    return f"due in {span(due - now)}"


def moment(at: datetime) -> str:
    """Word a moment, in California's time: `Fri 20 Nov 2026, 10:00 am`."""
    local = at.astimezone(LOCAL)
    hour = local.hour % 12 or 12
    half = "am" if local.hour < 12 else "pm"
    return f"{local:%a} {local.day} {local:%b %Y}, {hour}:{local:%M} {half}"


def _counted(number: int, unit: str) -> str:
    return f"{number} {unit}" + ("" if number == 1 else "s")
