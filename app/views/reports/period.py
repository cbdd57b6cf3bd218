"""Which days a report is about: whole days in California, the last full month unless said. PURE."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from app.base.local_time import LOCAL, local_date

_LONGEST = timedelta(days=3660)
_EARLIEST, _LATEST = date(2000, 1, 1), date(2999, 12, 31)


@dataclass(frozen=True, slots=True)
class Period:
    """From the first to the last day, both included."""

    first: date
    last: date

    @property
    def start(self) -> datetime:
        return datetime.combine(self.first, time(), LOCAL)

    @property
    def end(self) -> datetime:
        """The first moment that no longer belongs to it."""
        return datetime.combine(self.last + timedelta(days=1), time(), LOCAL)


def period(first: date | None, last: date | None, now: datetime) -> Period | None:
    """The period asked for; one end alone goes with its own month. None: no such period."""
    if first is None and last is None:
        last = local_date(now).replace(day=1) - timedelta(days=1)
    if first is None and last is not None:
        first = last.replace(day=1)
    elif last is None and first is not None:
        last = _end_of_month(first)
    if first is None or last is None or not _EARLIEST <= first <= last <= _LATEST:
        return None
    return Period(first, last) if last - first <= _LONGEST else None


def _end_of_month(day: date) -> date:
    if day >= _LATEST.replace(day=1):
        return _LATEST
    following = (day.replace(day=28) + timedelta(days=4)).replace(day=1)
    return following - timedelta(days=1)
