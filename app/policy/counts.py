"""Counts emergency visits and stays in a window of months (facts.md 2.2, 2.3), in three parts.

- `resolve` turns the stated events into the events that count: a visit that led to an admission
  counts once, as a stay.
- `count` gives the number of events that meet a condition in a window, as two bounds. The listed
  events prove the lower bound. The upper bound holds only where the list is said to be complete.
- Windows of months and completed years: calendar arithmetic. Business days are in `deadlines.py`.
"""

from bisect import bisect_left, bisect_right
from calendar import monthrange
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import accumulate

from app.policy.model import CareEvent, Span
from app.policy.schema import Count

ED_VISIT, INPATIENT, SNF_SHORT = "ed-visit", "inpatient", "snf-short"
_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class CountResult:
    """One event as counted. Not `certain`: the list may hold the event already, as another type."""

    type: str
    when: Span | None
    avoidable: bool | None
    unplanned: bool | None
    reason: str | None
    certain: bool = True


def resolve(events: tuple[CareEvent, ...]) -> list[CountResult]:
    """Turn stated events into counted events: each admission once, with the facts of the visit that
    led to the admission.
    """
    visits = [e for e in events if e.type == ED_VISIT]
    stays = [e for e in events if e.type == INPATIENT]
    others = [_counted(e) for e in events if e.type == SNF_SHORT]
    if not any(_may_lead(v, stays) for v in visits):
        return others + [_counted(e) for e in visits] + [_counted(e) for e in stays]
    visits, stays = sorted(visits, key=_openness), sorted(stays, key=_openness)
    admitted = [v for v in visits if v.led_to_admission is True]
    unstated = [v for v in visits if v.led_to_admission is None]
    pairs = _pair(admitted, stays)
    led = {id(stay) for _, stay in pairs}
    free = [s for s in stays if id(s) not in led]
    pairs += _pair(unstated, free)
    visit_of = {id(stay): visit for visit, stay in pairs}
    paired = {id(visit) for visit, _ in pairs}
    unpaired = _UnpairedStays([s for s in stays if id(s) not in visit_of])
    alone = [_alone(v, unpaired) for v in visits if id(v) not in paired]
    return others + alone + [_completed(s, visit_of.get(id(s))) for s in stays]


def _openness(event: CareEvent) -> tuple[bool, int, str]:
    """Key that orders events of one day, so that the order of the list does not matter: first an
    event that is not stated as planned, then an event with more unknown values.
    """
    stated = (event.unplanned, event.avoidable, event.reason)
    return event.unplanned is False, 3 - stated.count(None), str(stated)


def _may_lead(visit: CareEvent, stays: list[CareEvent]) -> bool:
    return visit.led_to_admission is True or (visit.led_to_admission is None and bool(stays))


def _pair(visits: list[CareEvent], stays: list[CareEvent]) -> list[tuple[CareEvent, CareEvent]]:
    """Pair visits with stays of the same or the next day: as many pairs as possible, those of the
    same day first.
    """
    if not visits or not stays:
        return []
    same_day = _greedy(visits, stays, (timedelta(0),))
    used = {id(e) for pair in same_day for e in pair}
    rest = _greedy(
        [v for v in visits if id(v) not in used],
        [s for s in stays if id(s) not in used],
        (_ONE_DAY,),
    )
    latest = _greedy(visits, stays, (_ONE_DAY, timedelta(0)))
    return max(same_day + rest, latest, key=len)


def _greedy(
    visits: list[CareEvent], stays: list[CareEvent], delays: Iterable[timedelta]
) -> list[tuple[CareEvent, CareEvent]]:
    """Pair each visit, the latest first, with a free stay; try the delays in their order."""
    free: dict[date, deque[CareEvent]] = {}
    for stay in stays:
        if (day := _day(stay)) is not None:
            free.setdefault(day, deque()).append(stay)
    pairs = []
    dated = [(day, v) for v in visits if (day := _day(v)) is not None and day < date.max]
    for day, visit in sorted(dated, key=lambda pair: pair[0], reverse=True):
        for delay in delays:
            if waiting := free.get(day + delay):
                pairs.append((visit, waiting.popleft()))
                break
    return pairs


class _UnpairedStays:
    """Stays without a paired visit. Answers whether one of them may be the admission of a visit.

    That is open only if one of the two dates is partial: with both dates known to the day, visit
    and stay would have been paired. A stay without a date matches no visit (facts.md 1.2), and
    proves nothing itself.
    """

    def __init__(self, stays: list[CareEvent]) -> None:
        dated = {s.when for s in stays if s.when is not None}
        self._any = _Overlap(dated)
        self._partial = _Overlap({span for span in dated if span.first != span.last})

    def may_hold(self, visit: CareEvent) -> bool:
        if visit.when is None:
            return bool(self._any)
        stays = self._any if _day(visit) is None else self._partial
        last = visit.when.last
        return stays.meets(visit.when.first, last if last == date.max else last + _ONE_DAY)


class _Overlap:
    """Spans in order, each with the latest end so far: one search tells whether any span meets
    another.
    """

    def __init__(self, spans: set[Span]) -> None:
        ordered = sorted(spans, key=lambda span: span.first)
        self._firsts = [span.first for span in ordered]
        self._lasts = list(accumulate((span.last for span in ordered), max))

    def __bool__(self) -> bool:
        return bool(self._firsts)

    def meets(self, first: date, last: date) -> bool:
        place = bisect_right(self._firsts, last)
        return place > 0 and self._lasts[place - 1] >= first


def _alone(visit: CareEvent, unpaired: _UnpairedStays) -> CountResult:
    """Count a visit without a paired stay in the list."""
    elsewhere = unpaired.may_hold(visit)
    if visit.led_to_admission is True:
        unplanned = True if visit.unplanned is None else visit.unplanned
        return replace(_counted(visit), type=INPATIENT, unplanned=unplanned, certain=not elsewhere)
    if visit.led_to_admission is None and elsewhere:
        return replace(_counted(visit), certain=False)
    return _counted(visit)


def _completed(stay: CareEvent, visit: CareEvent | None) -> CountResult:
    if visit is None:
        return _counted(stay)
    came_in = True if visit.unplanned is None else visit.unplanned
    return CountResult(
        INPATIENT,
        stay.when,
        visit.avoidable if stay.avoidable is None else stay.avoidable,
        came_in if stay.unplanned is None else stay.unplanned,
        stay.reason or visit.reason,
    )


def _counted(event: CareEvent) -> CountResult:
    return CountResult(event.type, event.when, event.avoidable, event.unplanned, event.reason)


def _day(event: CareEvent) -> date | None:
    when = event.when
    return when.first if when is not None and when.first == when.last else None


# Numbers of events in a window

#: Lower bound, and upper bound (None: there may be any number more).
Bounds = tuple[int, int | None]

_Spans = Counter[Span]


def count(rule: Count, events: list[CountResult], as_of: date, complete: bool | None) -> Bounds:
    """Give the bounds of one count at a date."""
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


def best_window(rule: Count, events: list[CountResult], as_of: date) -> Span | None:
    """Return the window that proves the lower bound of `count`: the latest of those that hold the
    most events. None where no event is proved, or where the window is fixed (the last months).
    """
    if rule.window == "last" or not events:
        return None
    proved, _ = _select(rule, events, minus_months(as_of, rule.looking_back), as_of)
    if all(span.first == span.last for span in proved):
        most, end = _best_exact(proved, rule.months)
    else:
        most, end = _best_partial(proved, rule.months)
    return Span(minus_months(end, rule.months), end) if most and end else None


def _select(
    rule: Count, events: list[CountResult], oldest: date, as_of: date
) -> tuple[_Spans, _Spans]:
    """Return the dates of the events that certainly meet the condition, and of those that may."""
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


def _meets(rule: Count, event: CountResult) -> bool | None:
    """Join the conditions by `and`: False if one is false, None if one is unknown, else True."""
    met: bool | None = True
    if rule.avoidable and event.avoidable is not True:
        met = event.avoidable
    if rule.unplanned and met is not False and event.unplanned is not True:
        met = event.unplanned
    if rule.reasons and met is not False and event.reason not in rule.reasons:
        met = None if event.reason is None else False
    return met


def _most_proved(spans: _Spans, months: int) -> int:
    """Return the largest number of events that certainly lie in `months` up to an event."""
    if spans.total() < 2 or all(s.first == s.last for s in spans):
        return _best_exact(spans, months)[0]
    return _best_partial(spans, months)[0]


def _best_partial(spans: _Spans, months: int) -> tuple[int, date | None]:
    """Return what `_best_exact` returns, where a date may be partial."""
    most, best = 0, None
    for end in sorted({span.last for span in spans}):
        start = minus_months(end, months)
        inside = sum(n for s, n in spans.items() if start <= s.first and s.last <= end)
        if inside >= most:
            most, best = inside, end
    return most, best


def _best_exact(spans: _Spans, months: int) -> tuple[int, date | None]:
    """Return the largest number of events in `months` up to an event, and the latest such event,
    where every date is known to the day: one sorted pass.
    """
    days = sorted(s.first for s in spans.elements())
    most, best = 0, None
    for index, day in enumerate(days):
        inside = index + 1 - bisect_left(days, minus_months(day, months), 0, index + 1)
        if inside >= most:
            most, best = inside, day
    return most, best


def _most_possible(spans: _Spans, months: int, oldest: date) -> int:
    """Return the largest number of events that may lie in `months` up to an event."""
    most = 0
    for end in {max(span.first, oldest) for span in spans}:
        start = minus_months(end, months)
        inside = sum(n for s, n in spans.items() if s.first <= end and start <= s.last)
        most = max(most, inside)
    return most


# The calendar


def minus_months(day: date, months: int) -> date:
    """Go back `months`, to the same day of the month, or to the last day of a shorter month."""
    index = day.year * 12 + day.month - 1 - months
    if index < 12:  # before the calendar begins
        return date.min
    year, month = index // 12, index % 12 + 1
    if day.day <= 28:
        return date(year, month, day.day)
    return date(year, month, min(day.day, monthrange(year, month)[1]))


def certainly_within(span: Span, first: date, last: date) -> bool:
    """Tell whether every day that `span` may mean lies from `first` to `last`, both included."""
    return first <= span.first and span.last <= last


def possibly_within(span: Span, first: date, last: date) -> bool:
    """Tell whether some day that `span` may mean lies from `first` to `last`."""
    return span.first <= last and first <= span.last


def within(span: Span, first: date, last: date) -> bool | None:
    """Return True or False; None where the partial date may lie inside or outside the window."""
    if certainly_within(span, first, last):
        return True
    return None if possibly_within(span, first, last) else False


def ages(birth: Span, on: date) -> tuple[int, int]:
    """Return the lowest and the highest age in years that a person may have on a day."""
    return completed_years(birth.last, on), completed_years(birth.first, on)


def completed_years(birth: date, on: date) -> int:
    """Return the age in completed years. A person born on 29 February has the birthday on 1 March
    in a common year.
    """
    years = on.year - birth.year
    return years - 1 if (on.month, on.day) < (birth.month, birth.day) else years
