"""How many events meet a condition in a window, as bounds (facts.md 2.3).

The lower bound is what is proved by the events listed; the upper bound holds only where the list is
said to be complete. Which visit counts as a stay was settled by `stays.py`.
"""

from bisect import bisect_left
from collections import Counter
from datetime import date

from app.policy.model import Span
from app.policy.schema import Count
from app.policy.stays import Counted
from app.policy.windows import certainly_within, minus_months, possibly_within

#: Lower bound, and upper bound (None: there may be any number more).
Bounds = tuple[int, int | None]

_Spans = Counter[Span]


def count(rule: Count, events: list[Counted], as_of: date, complete: bool | None) -> Bounds:
    """The bounds of one count at a date."""
    if not events:
        return 0, 0 if complete is True else None
    oldest = minus_months(as_of, rule.looking_back if rule.window == "any" else rule.months)
    proved, possible = _select(rule, events, oldest, as_of)
    if rule.window == "last":
        lower, upper = proved.total(), possible.total()
    else:
        lower = _most_proved(proved, rule.months)
        upper = _most_possible(possible, rule.months, oldest) if complete is True else 0
    return lower, upper if complete is True else None


def _select(rule: Count, events: list[Counted], oldest: date, as_of: date) -> tuple[_Spans, _Spans]:
    """The dates of the events that meet the condition for certain, and of those that may."""
    proved: _Spans = Counter()
    possible: _Spans = Counter()
    anywhere = Span(oldest, as_of)
    for event in events:
        if event.type not in rule.types:
            continue
        met = _meets(rule, event)
        when = event.when or anywhere
        if met is False or not possibly_within(when, oldest, as_of):
            continue
        possible[when] += 1
        dated = event.when is not None and certainly_within(when, oldest, as_of)
        if met and event.certain and dated:
            proved[when] += 1
    return proved, possible


def _meets(rule: Count, event: Counted) -> bool | None:
    """Three-valued `and` of the conditions: one that fails is enough, unknown leaves it open."""
    met: bool | None = True
    if rule.avoidable and event.avoidable is not True:
        met = event.avoidable
    if rule.unplanned and met is not False and event.unplanned is not True:
        met = event.unplanned
    if rule.reasons and met is not False and event.reason not in rule.reasons:
        met = None if event.reason is None else False
    return met


def _most_proved(spans: _Spans, months: int) -> int:
    """The largest number that certainly lies in `months` ending at one of the events."""
    if spans.total() < 2 or all(s.first == s.last for s in spans):
        return _most_exact(spans, months)
    most = 0
    for end in {span.last for span in spans}:
        start = minus_months(end, months)
        inside = sum(n for s, n in spans.items() if start <= s.first and s.last <= end)
        most = max(most, inside)
    return most


def _most_exact(spans: _Spans, months: int) -> int:
    """The same where every date is known to the day: one sorted pass."""
    days = sorted(s.first for s in spans.elements())
    most = 0
    for index, day in enumerate(days):
        most = max(most, index + 1 - bisect_left(days, minus_months(day, months), 0, index + 1))
    return most


def _most_possible(spans: _Spans, months: int, oldest: date) -> int:
    """The largest number that may lie in `months` ending at one of the events."""
    most = 0
    for end in {max(span.first, oldest) for span in spans}:
        start = minus_months(end, months)
        inside = sum(n for s, n in spans.items() if s.first <= end and start <= s.last)
        most = max(most, inside)
    return most
