"""Figures as a page: bars with their numbers beside them, and the tables below. PURE."""

from collections.abc import Sequence

from app.fhir import codes
from app.reports.model import Outcomes, PriorAuthorization, Reasons, Sources, Timeliness
from app.web.page import esc, scrolled

_LEFT, _WIDTH, _ROW = 250, 560, 34
_STATES = (
    ("approved", "#1f7a4d"),
    ("denied", "#b3362b"),
    ("void", "#8a6d3b"),
    ("cancelled", "#5a6b77"),
    ("pending", "#2a78a0"),
)
#: How many of a long list the page shows; JSON and CSV have all.
_MOST = 12


def outcomes_chart(rows: Sequence[Outcomes]) -> str:
    """One bar a service, divided by what became of its referrals."""
    if not rows:
        return '<p class="quiet">No referral was received in this period.</p>'
    shown = rows[:_MOST]
    most = max(row.received for row in shown)
    bars = []
    for number, row in enumerate(shown):
        y = 44 + _ROW * number
        name = codes.SERVICES.get(row.service, row.service)
        bars.append(_label(y, name))
        x = float(_LEFT)
        for state, colour in _STATES:
            width = _WIDTH * getattr(row, state) / most
            if width:
                bars.append(_bar(x, y, width, colour, f"{state}: {getattr(row, state)}"))
                bars.append(_inside(x + width / 2, y, width, str(getattr(row, state))))
            x += width
        bars.append(_value(x, y, str(row.received)))
    return _svg("What became of the referrals received", 44 + _ROW * len(shown), _legend() + bars)


def outcomes_table(rows: Sequence[Outcomes]) -> str:
    """The same in numbers: a part of a bar may be too narrow for its own."""
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
    return _table(heads, listed, words=1) if rows else ""


def timeliness_chart(rows: Sequence[Timeliness]) -> str:
    """How many decisions were in time, by track."""
    bars = []
    for number, row in enumerate(rows):
        y = 12 + _ROW * number
        bars.append(_label(y, f"{row.track.capitalize()} decisions"))
        share = (row.in_time_percent or 0) / 100
        if row.decided:
            bars.append(_bar(_LEFT, y, _WIDTH, "#e8c4c0", f"late: {row.late}"))
            bars.append(_bar(_LEFT, y, _WIDTH * share, "#1f7a4d", f"in time: {row.in_time}"))
        said = f"{row.in_time_percent} %" if row.in_time_percent is not None else "none"
        bars.append(_value(_LEFT + (_WIDTH if row.decided else 0), y, said))
    return _svg("Decisions in time", 12 + _ROW * len(rows), bars)


def timeliness_table(rows: Sequence[Timeliness]) -> str:
    """Times to a decision."""
    heads = ("Track", "Decided", "In time", "Average hours", "Median hours", "Overdue now")
    return _table(
        heads,
        [
            (r.track, r.decided, r.in_time, r.average_hours, r.median_hours, r.overdue_now)
            for r in rows
        ],
        words=1,
    )


def reasons_table(rows: Sequence[Reasons]) -> str:
    """The most frequent reasons."""
    listed = [(row.outcome, row.meaning, row.referrals) for row in rows[:_MOST]]
    return _table(("Outcome", "Reason", "Referrals"), listed, words=2)


def sources_table(rows: Sequence[Sources]) -> str:
    """The most frequent sources."""
    listed = [
        (row.source.replace("_", " ").replace("-", " "), row.organization_kind, row.referrals)
        for row in rows[:_MOST]
    ]
    return _table(("Source", "Organization", "Referrals"), listed, words=2)


def prior_authorization_table(rows: Sequence[PriorAuthorization]) -> str:
    """The CMS-0057-F set."""
    heads = ("Track", "Requests", "Approved %", "Denied %", "Average days", "Median days")
    return _table(
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


def _table(heads: Sequence[str], rows: Sequence[Sequence[object]], words: int) -> str:
    """`words`: how many columns, from the left, are no numbers."""
    if not rows:
        return '<p class="quiet">Nothing in this period.</p>'
    looks = ["" if number < words else ' class="number"' for number in range(len(heads))]
    top = "".join(
        f'<th scope="col"{look}>{esc(head)}</th>' for head, look in zip(heads, looks, strict=True)
    )
    lines = []
    for row in rows:
        cells = zip(row, looks, strict=True)
        lines.append("".join(f"<td{look}>{'–' if v is None else esc(v)}</td>" for v, look in cells))
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _svg(title: str, height: int, parts: Sequence[str]) -> str:
    return scrolled(
        title,
        f'<svg viewBox="0 0 920 {height}" role="img" '
        'xmlns="http://www.w3.org/2000/svg" font-family="system-ui, sans-serif" font-size="14" '
        f'fill="#1d2b36"><title>{esc(title)}</title>{"".join(parts)}</svg>',
    )


def _legend() -> list[str]:
    parts = []
    for number, (state, colour) in enumerate(_STATES):
        x = _LEFT + 112 * number
        parts.append(f'<rect x="{x}" y="6" width="14" height="14" rx="3" fill="{colour}"/>')
        parts.append(f'<text x="{x + 20}" y="18" font-size="13">{state}</text>')
    return parts


def _label(y: int, text: str) -> str:
    cut = text if len(text) <= 28 else text[:27] + "…"
    return f'<text x="{_LEFT - 10}" y="{y + 16}" text-anchor="end">{esc(cut)}</text>'


def _bar(x: float, y: int, width: float, colour: str, said: str) -> str:
    return (
        f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="22" fill="{colour}">'
        f"<title>{esc(said)}</title></rect>"
    )


def _inside(middle: float, y: int, width: float, text: str) -> str:
    """A number on its bar, so that colours do not speak alone; none where the bar is too narrow."""
    if width < 14 * len(text):
        return ""
    return (
        f'<text x="{middle:.1f}" y="{y + 16}" text-anchor="middle" font-size="13" fill="#fff">'
        f"{esc(text)}</text>"
    )


def _value(x: float, y: int, text: str) -> str:
    return f'<text x="{x + 8:.1f}" y="{y + 16}" font-weight="600">{esc(text)}</text>'
