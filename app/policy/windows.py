"""Windows of months and completed years (facts.md 2.2, 2.3): calendar arithmetic only.

What is counted in a window is `counts.py`; business days are the clocks' affair.
"""

from calendar import monthrange
from datetime import date

from app.policy.model import Span


def minus_months(day: date, months: int) -> date:
    """The same day `months` earlier, or that month's last day where it has no such day."""
    index = day.year * 12 + day.month - 1 - months
    if index < 12:  # before the calendar begins
        return date.min
    year, month = index // 12, index % 12 + 1
    if day.day <= 28:
        return date(year, month, day.day)
    return date(year, month, min(day.day, monthrange(year, month)[1]))


def certainly_within(span: Span, first: date, last: date) -> bool:
    """Every day that `span` may mean lies in the window; both ends belong to it."""
    return first <= span.first and span.last <= last


def possibly_within(span: Span, first: date, last: date) -> bool:
    """Some day that `span` may mean lies in the window."""
    return span.first <= last and first <= span.last


def within(span: Span, first: date, last: date) -> bool | None:
    """True, False, or None where the partial date leaves it open."""
    if certainly_within(span, first, last):
        return True
    return None if possibly_within(span, first, last) else False


def completed_years(birth: date, on: date) -> int:
    """Age in completed years; born on 29 February, the birthday of a common year is 1 March."""
    years = on.year - birth.year
    return years - 1 if (on.month, on.day) < (birth.month, birth.day) else years
