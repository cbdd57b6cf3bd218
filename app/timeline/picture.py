"""The journey as a picture: five stages with their marks, and the clocks below. PURE: text to SVG.

Colours never speak alone: every mark has its own sign and its words beside it.
"""

from collections.abc import Sequence
from datetime import datetime
from textwrap import wrap

from app.timeline.model import Clock, Mark, Running, Stage
from app.timeline.spans import moment
from app.web.page import esc

_WIDTH, _STEP, _FIRST, _ROW = 920, 184, 92, 64
_COLOURS = {
    Mark.DONE: "#1f7a4d",
    Mark.NO: "#b3362b",
    Mark.WAITING: "#b7791f",
    Mark.ATTENTION: "#b3362b",
    Mark.AHEAD: "#738793",
    Mark.STOPPED: "#5a6b77",
}
#: Signs drawn with lines, round the centre of the circle.
_SIGNS = {
    Mark.DONE: "M-9 1 L-3 8 L10 -7",
    Mark.NO: "M-8 -8 L8 8 M8 -8 L-8 8",
    Mark.WAITING: "M0 -10 V1 L7 6",
    Mark.ATTENTION: "M0 -10 V3 M0 8.5 V9",
    Mark.AHEAD: "M-7 0 H-6.9 M0 0 H0.1 M7 0 H7.1",
    Mark.STOPPED: "M-9 0 H9",
}
_SAID = {
    Mark.DONE: "done",
    Mark.NO: "no",
    Mark.WAITING: "waiting",
    Mark.ATTENTION: "needs attention",
    Mark.AHEAD: "ahead",
    Mark.STOPPED: "stopped",
}
_BARS = {
    Running.RUNNING: "#17697f",
    Running.OVERDUE: "#b3362b",
    Running.MET: "#1f7a4d",
    Running.LATE: "#b3362b",
    Running.STOPPED: "#5a6b77",
    Running.RAN_OUT: "#5a6b77",
}


def picture(stages: Sequence[Stage], clocks: Sequence[Clock], now: datetime) -> str:
    """One SVG; its description says the same in words."""
    height = 176 + _ROW * len(clocks)
    said = "; ".join(f"{s.name}: {_SAID[s.mark]}, {s.text}" for s in stages)
    drawn = [_line(stages), *(_stage(number, stage) for number, stage in enumerate(stages))]
    drawn += [_clock(176 + _ROW * number, clock, now) for number, clock in enumerate(clocks)]
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" xmlns="http://www.w3.org/2000/svg" '
        'font-family="system-ui, sans-serif" font-size="14" fill="#1d2b36">'
        f"<title>The journey of the referral</title><desc>{esc(said)}</desc>"
        f"{''.join(drawn)}</svg>"
    )


def _line(stages: Sequence[Stage]) -> str:
    """The way between the stages: drawn through as far as the referral has come."""
    parts = []
    for number in range(len(stages) - 1):
        gone = stages[number].mark in (Mark.DONE, Mark.NO)
        look = 'stroke="#1f7a4d"' if gone else 'stroke="#c6d2d9" stroke-dasharray="6 6"'
        x = _FIRST + _STEP * number
        parts.append(f'<line x1="{x}" y1="44" x2="{x + _STEP}" y2="44" stroke-width="4" {look}/>')
    return "".join(parts)


def _stage(number: int, stage: Stage) -> str:
    x = _FIRST + _STEP * number
    colour = _COLOURS[stage.mark]
    title = f"{number + 1}. {stage.name.capitalize()}"
    lines = wrap(stage.text, 24, max_lines=3, placeholder=" …")
    text = "".join(
        f'<text x="{x}" y="{118 + 17 * row}" text-anchor="middle" font-size="13" fill="#43545f">'
        f"{esc(line)}</text>"
        for row, line in enumerate(lines)
    )
    return (
        f'<circle cx="{x}" cy="44" r="23" fill="{colour}" stroke="#fff" stroke-width="4"/>'
        f'<path d="{_SIGNS[stage.mark]}" transform="translate({x} 44)" fill="none" stroke="#fff" '
        'stroke-width="4" stroke-linecap="round" stroke-linejoin="round"/>'
        f'<text x="{x}" y="96" text-anchor="middle" font-weight="600" font-size="15">'
        f"{esc(title)}</text>{text}"
    )


def _clock(y: int, clock: Clock, now: datetime) -> str:
    """A bar from the beginning to the due moment, filled as far as the clock has run."""
    left, width = 24, _WIDTH - 48
    colour = _BARS[clock.state]
    whole = (clock.due - clock.began).total_seconds()
    run = ((clock.ended or now) - clock.began).total_seconds()
    share = 1.0 if whole <= 0 else min(max(run / whole, 0.0), 1.0)
    return (
        f'<text x="{left}" y="{y + 14}" font-weight="600">{esc(clock.title)}</text>'
        f'<text x="{left + width}" y="{y + 14}" text-anchor="end" fill="{colour}" '
        f'font-weight="600">{esc(clock.in_words)}</text>'
        f'<rect x="{left}" y="{y + 22}" width="{width}" height="10" rx="5" fill="#e3eaee"/>'
        f'<rect x="{left}" y="{y + 22}" width="{max(10, round(width * share))}" height="10" '
        f'rx="5" fill="{colour}"/>'
        f'<text x="{left}" y="{y + 48}" font-size="12" fill="#5a6b77">from '
        f"{esc(moment(clock.began))}</text>"
        f'<text x="{left + width}" y="{y + 48}" text-anchor="end" font-size="12" fill="#5a6b77">'
        f"until {esc(moment(clock.due))}</text>"
    )
