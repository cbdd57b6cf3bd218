"""The timeline as a page that a nurse reads: the picture, the facts, and what happened.

Bounded, however long a referral lives: the first entry and the latest are shown, and long texts
are cut.
"""

from datetime import datetime

from fastapi import Response
from markupsafe import Markup

from app.model.caller import UNASSIGNED
from app.views.page import page, render
from app.views.spans import moment
from app.views.timeline.model import Entry, Timeline
from app.views.timeline.picture import picture

#: Bytes for the list of what happened.
_ROOM = 64_000
_MOST_DETAILS, _MOST_CLOCKS, _LONGEST = 7, 8, 300


def document(told: Timeline, now: datetime) -> Response:
    """The page."""
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
    """The first, then as many of the latest as the page has room for."""
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
