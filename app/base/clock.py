"""The one clock of all processes. Everything else gets the time handed in.

Tests and rehearsals move it with an offset (`CLOCK_OFFSET_S`, or `Clock.move`), or from outside
while processes run, with a file that all of them read (`CLOCK_OFFSET_FILE`); production refuses
both (`app.base.settings`).
"""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from app.base.settings import Settings

#: How long a reading of the file holds, in seconds.
_FRESH_S = 0.05


class ServiceClock:
    """Now, in UTC, plus an offset; `file` holds the seconds to add to that."""

    def __init__(self, offset: timedelta = timedelta(0), file: Path | None = None) -> None:
        self._offset = offset
        self._file = file
        self._moved = timedelta(0)
        self._read_at = float("-inf")

    @classmethod
    def of(cls, settings: Settings) -> "ServiceClock":
        """The clock of a process with these settings."""
        named = settings.clock_offset_file
        return cls(settings.clock_offset, Path(named) if named else None)

    def now(self) -> datetime:
        if self._file is not None:
            self._look(self._file)
        return datetime.now(UTC) + self._offset + self._moved

    def move(self, offset: timedelta) -> None:
        """Replace the offset; only tests call this."""
        self._offset = offset

    def _look(self, file: Path) -> None:
        """Reads the file again; one that is away or half written leaves the clock as it is."""
        read_at = time.monotonic()
        if read_at - self._read_at < _FRESH_S:
            return
        self._read_at = read_at
        try:
            moved = timedelta(seconds=float(file.read_text(encoding="ascii")))
            datetime.now(UTC) + self._offset + moved  # within the calendar
        except (OSError, ValueError, OverflowError):
            return
        self._moved = moved
