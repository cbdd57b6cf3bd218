"""Makes the timeline page that a nurse reads: the picture, the facts, and what happened.

The page has a limit, however long a referral lives: it shows the first entry and the latest
entries, and cuts long texts.

The picture shows the five stages with their marks, and the clocks below. This module computes
places, signs and colours; the template `journey.svg` draws them. Every mark has its own sign and
words, so that a reader needs no colours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from textwrap import wrap

from fastapi import Response
from markupsafe import Markup

from app.model.caller import UNASSIGNED
from app.views.page import page, render
from app.views.spans import moment
from app.views.timeline.model import Clock, Entry, Mark, Running, Stage, Timeline

#: The list of entries has at most so many bytes.
_ROOM = 64_000
_MOST_DETAILS, _MOST_CLOCKS, _LONGEST = 7, 8, 300


def timeline_document(told: Timeline, now: datetime) -> Response:
    """Make the page."""
    clocks = told.clocks[:1] + told.clocks[1:][-_MOST_CLOCKS:]
    entries = _entries(told.entries)
    return page(
        "timeline.html",
        told=told,
        picture=picture(told.stages, clocks, now),
        facts=_facts(told),
        entries=entries,
        left_out=len(told.entries) - len(entries),
        now=moment(now),
    )


def _facts(told: Timeline) -> list[tuple[str, str]]:
    pairs = [
        ("Plan", told.plan_name or ("not known yet" if told.plan == UNASSIGNED else told.plan)),
        ("Member's number", told.cin or "not known"),
        ("Referred by", told.requester),
        ("Performer", told.performer or "none yet"),
        ("Received", moment(told.received)),
        ("Priority", "Urgent" if told.urgent else "Routine"),
    ]
    return [(label, _cut(value)) for label, value in pairs]


def _entries(entries: list[Entry]) -> list[Markup]:
    """Draw the first entry, and as many of the latest entries as fit the page."""
    first = _entry(entries[0])
    room = _ROOM - len(first.encode())
    latest: list[Markup] = []
    for entry in reversed(entries[1:]):
        drawn = _entry(entry)
        room -= len(drawn.encode())
        if room < 0:
            break
        latest.append(drawn)
    return [first, *reversed(latest)]


def _entry(entry: Entry) -> Markup:
    return render(
        "entry.html",
        entry=entry,
        moment=moment(entry.at),
        text=_cut(entry.text),
        details=[_cut(line) for line in entry.details[:_MOST_DETAILS]],
        more=max(0, len(entry.details) - _MOST_DETAILS),
    )


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


# The picture

_WIDTH, _STEP, _FIRST, _TOP, _ROW = 920, 184, 92, 194, 64
_LEFT, _RIGHT = 24, _WIDTH - 24
_COLOURS = {
    Mark.DONE: "#1f7a4d",
    Mark.NO: "#b3362b",
    Mark.WAITING: "#b7791f",
    Mark.ATTENTION: "#b3362b",
    Mark.AHEAD: "#738793",
    Mark.STOPPED: "#5a6b77",
}
#: Signs, drawn with lines round the centre of the circle.
_SIGNS = {
    Mark.DONE: "M-9 1 L-3 8 L10 -7",
    Mark.NO: "M-8 -8 L8 8 M8 -8 L-8 8",
    Mark.WAITING: "M0 -10 V1 L7 6",
    Mark.ATTENTION: "M0 -10 V3 M0 8.5 V9",
    Mark.AHEAD: "M-7 0 H-6.9 M0 0 H0.1 M7 0 H7.1",
    Mark.STOPPED: "M-9 0 H9",
}
_MARK_WORDS = {
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
    """The line from one stage to the next. `gone`: the referral has passed the first stage."""

    x1: int
    x2: int
    gone: bool


@dataclass(frozen=True, slots=True)
class Station:
    """A stage: its circle with a sign, its title, and its text in lines."""

    x: int
    colour: str
    sign: str
    title: str
    lines: list[str]


@dataclass(frozen=True, slots=True)
class ClockBar:
    """A clock: a bar from its begin to its due moment, filled as far as the clock has run."""

    y: int
    title: str
    in_words: str
    colour: str
    filled: int
    began: str
    due: str


@dataclass(frozen=True, slots=True)
class Picture:
    """Everything that is drawn. `said`: the stages in words, for readers who do not see the
    picture.
    """

    width: int
    height: int
    left: int
    right: int
    said: str
    ways: list[Stretch]
    stations: list[Station]
    bars: list[ClockBar]


def picture(stages: Sequence[Stage], clocks: Sequence[Clock], now: datetime) -> Picture:
    """Compute the place of everything in the picture."""
    return Picture(
        width=_WIDTH,
        height=_TOP + _ROW * len(clocks),
        left=_LEFT,
        right=_RIGHT,
        said="; ".join(f"{s.name}: {_MARK_WORDS[s.mark]}, {s.text}" for s in stages),
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
        lines=wrap(stage.text, 24, max_lines=4, placeholder=" …"),
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
