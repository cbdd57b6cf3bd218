"""The journey as a picture: five stages with their marks, and the clocks below. PURE.

Places, signs and colours are made here; `journey.svg` of the templates draws them.

Colours never speak alone: every mark has its own sign and its words beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from textwrap import wrap

from app.views.spans import moment
from app.views.timeline.model import Clock, Mark, Running, Stage

_WIDTH, _STEP, _FIRST, _TOP, _ROW = 920, 184, 92, 176, 64
_LEFT, _RIGHT = 24, _WIDTH - 24
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


@dataclass(frozen=True, slots=True)
class Stretch:
    """The way from one stage to the next. `gone`: the referral has come through."""

    x1: int
    x2: int
    gone: bool


@dataclass(frozen=True, slots=True)
class Station:
    """A stage: its circle with a sign, its title, and what is said of it, in lines."""

    x: int
    colour: str
    sign: str
    title: str
    lines: list[str]


@dataclass(frozen=True, slots=True)
class ClockBar:
    """A bar from the beginning to the due moment, filled as far as the clock has run."""

    y: int
    title: str
    in_words: str
    colour: str
    filled: int
    began: str
    due: str


@dataclass(frozen=True, slots=True)
class Picture:
    """All that is drawn. `said`: the stages in words, for who does not see the picture."""

    width: int
    height: int
    left: int
    right: int
    said: str
    ways: list[Stretch]
    stations: list[Station]
    bars: list[ClockBar]


def picture(stages: Sequence[Stage], clocks: Sequence[Clock], now: datetime) -> Picture:
    """Where everything is drawn."""
    return Picture(
        width=_WIDTH,
        height=_TOP + _ROW * len(clocks),
        left=_LEFT,
        right=_RIGHT,
        said="; ".join(f"{s.name}: {_SAID[s.mark]}, {s.text}" for s in stages),
        ways=[_way(number, stage) for number, stage in enumerate(stages[:-1])],
        stations=[_station(number, stage) for number, stage in enumerate(stages)],
        bars=[_bar(_TOP + _ROW * number, clock, now) for number, clock in enumerate(clocks)],
    )


def _way(number: int, stage: Stage) -> Stretch:
    x = _FIRST + _STEP * number
    return Stretch(x, x + _STEP, gone=stage.mark in (Mark.DONE, Mark.NO))


def _station(number: int, stage: Stage) -> Station:
    return Station(
        x=_FIRST + _STEP * number,
        colour=_COLOURS[stage.mark],
        sign=_SIGNS[stage.mark],
        title=f"{number + 1}. {stage.name.capitalize()}",
        lines=wrap(stage.text, 24, max_lines=3, placeholder=" …"),
    )


def _bar(y: int, clock: Clock, now: datetime) -> ClockBar:
    whole = (clock.due - clock.began).total_seconds()
    run = ((clock.ended or now) - clock.began).total_seconds()
    share = 1.0 if whole <= 0 else min(max(run / whole, 0.0), 1.0)
    return ClockBar(
        y=y,
        title=clock.title,
        in_words=clock.in_words,
        colour=_BARS[clock.state],
        filled=max(10, round((_RIGHT - _LEFT) * share)),
        began=moment(clock.began),
        due=moment(clock.due),
    )
