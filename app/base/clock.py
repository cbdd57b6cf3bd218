"""The only clock of all processes: every other module takes the time as an argument.

Tests and rehearsals move the clock with an offset (`CLOCK_OFFSET_S`, or `ServiceClock.move`). While
processes run, they move the clock with a file that all processes read (`CLOCK_OFFSET_FILE`).
Production refuses both (`app.base.settings`).
"""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from app.base.settings import Settings

#: The file is read again after so many seconds.
_FRESH_S = 0.05


class ServiceClock:
    """Gives the present moment, in UTC, plus an offset; `file` holds further seconds to add."""

    def __init__(self, offset: timedelta = timedelta(0), file: Path | None = None) -> None:
        self._offset = offset
        self._file = file
        self._moved = timedelta(0)
        self._read_at = float("-inf")

    @classmethod
    def of(cls, settings: Settings) -> "ServiceClock":
        """Make the clock of a process with these settings."""
        named = settings.clock_offset_file
        return cls(settings.clock_offset, Path(named) if named else None)

    def now(self) -> datetime:
        if self._file is not None:
            self._read(self._file)
        return datetime.now(UTC) + self._offset + self._moved

    def move(self, offset: timedelta) -> None:
        """Replace the offset; only tests call this."""
        self._offset = offset

    def _read(self, file: Path) -> None:
        """Read the file again; a file that is missing or half written does not change the clock."""
        read_at = time.monotonic()
        if read_at - self._read_at < _FRESH_S:
            return
        self._read_at = read_at
        try:
            moved = timedelta(seconds=float(file.read_text(encoding="ascii")))
            datetime.now(UTC) + self._offset + moved  # raises OverflowError outside the calendar
        except (OSError, ValueError, OverflowError):
            return
        self._moved = moved
