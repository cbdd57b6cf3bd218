"""The timeline as a page that a nurse reads: the picture, the facts, and what happened.

Bounded, however long a referral lives: the first entry and the latest are shown, and long texts
are cut.
"""

from datetime import datetime

from fastapi import Response

from app.caller.model import UNASSIGNED
from app.timeline.model import Entry, Timeline
from app.timeline.picture import picture
from app.timeline.spans import moment
from app.web.page import esc, page, scrolled

#: Bytes for the list of what happened.
_ROOM = 64_000
_MOST_DETAILS, _MOST_CLOCKS, _LONGEST = 7, 8, 300


def document(told: Timeline, now: datetime) -> Response:
    """The page."""
    service = told.service_name or "a service that is not known yet"
    urgent = " · urgent" if told.urgent else ""
    clocks = told.clocks[:1] + told.clocks[1:][-_MOST_CLOCKS:]
    drawn = scrolled("The journey", picture(told.stages, clocks, now))
    return page(
        f"Referral for {service}",
        f"No Wrong Door{urgent}",
        told.now,
        [
            f"<h2>The journey</h2>{drawn}",
            f"<h2>About this referral</h2>{_facts(told)}",
            f"<h2>What happened</h2>{_list(told.entries)}",
            f'<p class="quiet">As of {esc(moment(now))}, California. Id {esc(told.referral)}.</p>',
        ],
    )


def _facts(told: Timeline) -> str:
    pairs = [
        ("Plan", told.plan_name or ("not known yet" if told.plan == UNASSIGNED else told.plan)),
        ("Member's number", told.cin or "not known"),
        ("Referred by", told.requester),
        ("Performer", told.performer or "none yet"),
        ("Received", moment(told.received)),
        ("Priority", "Urgent" if told.urgent else "Routine"),
    ]
    return (
        f"<dl>{''.join(f'<div><dt>{k}</dt><dd>{esc(_cut(v))}</dd></div>' for k, v in pairs)}</dl>"
    )


def _list(entries: list[Entry]) -> str:
    """The first, then as many of the latest as the page has room for."""
    first, *others = map(_entry, entries)
    shown: list[str] = []
    room = _ROOM - len(first)
    for html in reversed(others):
        room -= len(html.encode())
        if room < 0:
            break
        shown.append(html)
    left_out = len(others) - len(shown)
    said = f'<p class="quiet">{left_out} earlier entries are not shown.</p>' if left_out else ""
    return f"{said}<ol>{''.join([first, *reversed(shown)])}</ol>"


def _entry(entry: Entry) -> str:
    details = [f"<li>{esc(_cut(line))}</li>" for line in entry.details[:_MOST_DETAILS]]
    if len(entry.details) > _MOST_DETAILS:
        details.append(f"<li>and {len(entry.details) - _MOST_DETAILS} more</li>")
    listed = f"<ul>{''.join(details)}</ul>" if details else ""
    return (
        f'<li class="{entry.kind.value}"><time datetime="{entry.at.isoformat()}">'
        f"{esc(moment(entry.at))}</time><strong>{esc(entry.title)}</strong>"
        f"<p>{esc(_cut(entry.text))}</p>{listed}</li>"
    )


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
