"""The one clock of all processes. Everything else gets the time handed in.

Tests and rehearsals move it with an offset (`CLOCK_OFFSET_S`, or `Clock.move`); production
refuses an offset (`app.settings`).
"""

from datetime import UTC, datetime, timedelta


class Clock:
    """Now, in UTC, plus an offset."""

    def __init__(self, offset: timedelta = timedelta(0)) -> None:
        self._offset = offset

    def now(self) -> datetime:
        return datetime.now(UTC) + self._offset

    def move(self, offset: timedelta) -> None:
        """Replace the offset; only tests call this."""
        self._offset = offset
