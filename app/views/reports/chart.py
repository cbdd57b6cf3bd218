"""Charts and tables of the reports page: bars with their numbers, and columns. PURE.

This module computes places, colours and columns; the templates `chart.svg` and `table.html` draw
them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from app.fhir.r4 import codes
from app.views.reports.model import Outcomes, PriorAuthorization, Reasons, Sources, Timeliness

_LEFT, _WIDTH, _ROW = 250.0, 560.0, 34
_STATES = (
    ("approved", "#1f7a4d"),
    ("denied", "#b3362b"),
    ("void", "#8a6d3b"),
    ("cancelled", "#5a6b77"),
    ("pending", "#2a78a0"),
)
#: The page shows at most so many rows of a list; JSON and CSV have all rows.
_MOST = 12


@dataclass(frozen=True, slots=True)
class LegendColour:
    """An entry of the legend: a colour, and the state that it means."""

    x: int
    fill: str
    name: str


@dataclass(frozen=True, slots=True)
class ChartBar:
    """A part of a row. `number` is written on the middle of the bar; it is empty where the bar is
    too narrow.
    """

    x: float
    width: float
    fill: str
    said: str
    middle: float = 0.0
    number: str = ""


@dataclass(frozen=True, slots=True)
class ChartRow:
    """A row of a chart: a name, its bars, and `total` behind the bars."""

    y: int
    name: str
    bars: list[ChartBar]
    end: float
    total: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart: rows of bars, which begin at `left`."""

    title: str
    height: int
    rows: list[ChartRow]
    legend: list[LegendColour] = field(default_factory=list)
    left: int = int(_LEFT)


@dataclass(frozen=True, slots=True)
class FigureTable:
    """A table. `words`: the number of columns, from the left, that hold words, not numbers."""

    heads: Sequence[str]
    rows: Sequence[Sequence[object]]
    words: int


def outcomes_chart(rows: Sequence[Outcomes]) -> Chart:
    """Draw one row for each service, divided by the states of its referrals."""
    shown = rows[:_MOST]
    most = max((row.received for row in shown), default=0)
    return Chart(
        title="What became of the referrals received",
        height=44 + _ROW * len(shown),
        rows=[_outcomes(44 + _ROW * number, row, most) for number, row in enumerate(shown)],
        legend=[
            LegendColour(int(_LEFT) + 112 * number, colour, state)
            for number, (state, colour) in enumerate(_STATES)
        ],
    )


def _outcomes(y: int, row: Outcomes, most: int) -> ChartRow:
    bars = []
    x = _LEFT
    for state, colour in _STATES:
        count = getattr(row, state)
        width = _WIDTH * count / most
        if width:
            bars.append(_bar(x, width, colour, f"{state}: {count}", str(count)))
        x += width
    return _row(y, codes.SERVICES.get(row.service, row.service), bars, x, str(row.received))


def outcomes_table(rows: Sequence[Outcomes]) -> FigureTable:
    """List the outcomes in numbers: a part of a bar may be too narrow for its number."""
    states = [state for state, _ in _STATES]
    heads = ("Service", "Received", *(state.capitalize() for state in states), "Approved %")
    listed = [
        (
            codes.SERVICES.get(row.service, row.service),
            row.received,
            *(getattr(row, state) for state in states),
            row.approved_percent,
        )
        for row in rows
    ]
    return FigureTable(heads, listed, words=1)


def timeliness_chart(rows: Sequence[Timeliness]) -> Chart:
    """Draw the share of decisions in time, by track."""
    drawn = [_timeliness(12 + _ROW * number, row) for number, row in enumerate(rows)]
    return Chart("Decisions in time", 12 + _ROW * len(rows), drawn)


def _timeliness(y: int, row: Timeliness) -> ChartRow:
    share = (row.in_time_percent or 0) / 100
    bars = [
        _bar(_LEFT, _WIDTH, "#e8c4c0", f"late: {row.late}"),
        _bar(_LEFT, _WIDTH * share, "#1f7a4d", f"in time: {row.in_time}"),
    ]
    share_text = f"{row.in_time_percent} %" if row.in_time_percent is not None else "none"
    end = _LEFT + (_WIDTH if row.decided else 0)
    return _row(
        y, f"{row.track.capitalize()} decisions", bars if row.decided else [], end, share_text
    )


def timeliness_table(rows: Sequence[Timeliness]) -> FigureTable:
    """List the times to a decision, by track."""
    heads = ("Track", "Decided", "In time", "Average hours", "Median hours", "Overdue now")
    return FigureTable(
        heads,
        [
            (r.track, r.decided, r.in_time, r.average_hours, r.median_hours, r.overdue_now)
            for r in rows
        ],
        words=1,
    )


def reasons_table(rows: Sequence[Reasons]) -> FigureTable:
    """List the most frequent reasons."""
    listed = [(row.outcome, row.meaning, row.referrals) for row in rows[:_MOST]]
    return FigureTable(("Outcome", "Reason", "Referrals"), listed, words=2)


def sources_table(rows: Sequence[Sources]) -> FigureTable:
    """List the most frequent sources."""
    listed = [
        (row.source.replace("_", " ").replace("-", " "), row.organization_kind, row.referrals)
        for row in rows[:_MOST]
    ]
    return FigureTable(("Source", "Organization", "Referrals"), listed, words=2)


def prior_authorization_table(rows: Sequence[PriorAuthorization]) -> FigureTable:
    """List the figures of CMS-0057-F, by track."""
    heads = ("Track", "Requests", "Approved %", "Denied %", "Average days", "Median days")
    return FigureTable(
        heads,
        [
            (
                r.track,
                r.requests,
                r.approved_percent,
                r.denied_percent,
                r.average_days,
                r.median_days,
            )
            for r in rows
        ],
        words=1,
    )


def _row(y: int, name: str, bars: list[ChartBar], end: float, total: str) -> ChartRow:
    cut = name if len(name) <= 28 else name[:27] + "…"
    return ChartRow(y, cut, bars, round(end + 8, 1), total)


def _bar(x: float, width: float, colour: str, said: str, number: str = "") -> ChartBar:
    """Make a bar, with `number` on it where it has room: a reader may not see the colours."""
    shown = number if width >= 14 * len(number) else ""
    middle = round(x + width / 2, 1)
    return ChartBar(round(x, 1), round(width, 1), colour, said, middle, shown)
