"""The one clock of all processes. Everything else gets the time handed in.

Tests and rehearsals move it with an offset (`CLOCK_OFFSET_S`, or `Clock.move`); production
refuses an offset (`app.settings`).
"""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

#: The plans' own time: due dates, ages and policy dates are local (spec.md 2).
LOCAL = ZoneInfo("America/Los_Angeles")


class Clock:
    """Now, in UTC, plus an offset."""

    def __init__(self, offset: timedelta = timedelta(0)) -> None:
        self._offset = offset

    def now(self) -> datetime:
        return datetime.now(UTC) + self._offset

    def move(self, offset: timedelta) -> None:
        """Replace the offset; only tests call this."""
        self._offset = offset


def local_date(moment: datetime) -> date:
    """The calendar date in California at a moment."""
    return moment.astimezone(LOCAL).date()
