"""Reads one resource: its current version, one older version, or the pages of its history.

Each is one statement that finds the plan of the id, whether the caller may see the resource, and
the bytes to send. A resource that the caller may not see is not found. The routes handle scopes and
headers.

A history shows the newest version first (FHIR R4, RESTful API, "history"), by `_count`, `_since`
(stored then or later) and `_at` (current at some point of that time). A page is bounded in entries
and in bytes. Its cursor is the last version on the page, so that a version written meanwhile moves
no other. A history has no place for warnings: an unknown parameter is ignored, or refused under
strict handling.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from app.base.errors import Issue, Refusal, not_found, refuse
from app.base.ids import is_id_of_part
from app.fhir.dates import span
from app.fhir.outcome import tags
from app.fhir.searchset import Stored
from app.store.acting import for_caller
from app.store.audit.access import reached_by
from app.store.database import Row, Source
from app.store.reading.access import Visibility, at_id, check_id, shown_least
from app.store.reading.by_id import (
    current_by_id,
    history_by_id,
    move_by_id,
    numbered_by_id,
    offer_by_id,
)
from app.store.reading.cursor import Position
from app.store.reading.provenance import move_named
from app.store.reading.reader import CURSOR, MAX_COUNT
from app.store.reading.standing import part_shown
from app.store.reading.subset import empty, is_empty, is_fault, unknown
from app.store.reading.values import ABOUT_THE_FORM, MOMENT_PATTERN, Described

_MAX_VERSION = 2**31 - 1
#: Types that the directory never has.
_REFERRALS_OWN = frozenset({"ServiceRequest", "Task", "ClaimResponse"})


@dataclass(frozen=True, slots=True)
class Read:
    """One version with the time it was written, and an offer's numbers: places, taken, status."""

    stored: Stored
    updated_at: datetime
    numbers: tuple[int, int, str] | None = None
    #: Whether the reader sees all of it, whatever the member permits next.
    settled: bool = True


async def read(source: Source, kind: str, resource_id: str, seen: Visibility) -> Read:
    """Reads the current version; 404 if there is none that this caller may see."""
    if move := named_move(kind, resource_id):
        return await read_move(source, resource_id, *move, seen)
    offered = kind == "HealthcareService"
    statement = offer_by_id() if offered else current_by_id(**_shape(kind, resource_id, seen))
    looked = for_caller(source, seen.who)
    row = await looked.fetch_one(*statement.called(**at_id(kind, resource_id, seen)))
    if row is None:
        raise not_found(kind)
    reached_by(kind, resource_id, row)
    numbers = None
    if offered and row["places"] is not None:
        numbers = row["places"], row["taken"], row["capacity_status"]
    settled = row["standing"] is None
    return Read(await as_seen(kind, resource_id, row), row["updated_at"], numbers, settled)


async def vread(
    source: Source, kind: str, resource_id: str, version: str, seen: Visibility
) -> Read:
    """Reads one version by its number; 404 if there is none that this caller may see."""
    if not (version.isascii() and version.isdigit() and int(version[:20]) <= _MAX_VERSION):
        raise not_found(f"version of a {kind}")
    if (move := named_move(kind, resource_id)) and int(version) == 1:
        return await read_move(source, resource_id, *move, seen)
    values = {**at_id(kind, resource_id, seen), "version": int(version)}
    row = await for_caller(source, seen.who).fetch_one(
        *numbered_by_id(**_shape(kind, resource_id, seen)).called(**values)
    )
    if row is None:
        raise not_found(f"version of a {kind}")
    reached_by(kind, resource_id, row)
    settled = row["standing"] is None
    return Read(await as_seen(kind, resource_id, row), row["updated_at"], settled=settled)


def _shape(kind: str, resource_id: str, seen: Visibility) -> dict[str, bool]:
    """Says which form of the statement reads a resource."""
    beside = kind in _REFERRALS_OWN or is_id_of_part(resource_id)
    return {"staff": seen.staff, "listed": not beside}


async def as_seen(kind: str, resource_id: str, row: Row) -> Stored:
    """Returns all that the caller may see of a row (version, body, whole, standing); 404: nothing.

    A history of which one version may not be seen is not found.
    """
    body = row["body"] if row["whole"] else await shown_least(kind, row["body"])
    part = await part_shown(kind, body, row["standing"])
    if part is None:
        raise not_found(kind)
    return Stored(kind, resource_id, row["version"], part)


def named_move(kind: str, resource_id: str) -> tuple[str, int] | None:
    """Splits the id of a Provenance of ours into its referral and the number of the move."""
    return move_named(resource_id) if kind == "Provenance" else None


async def read_move(
    source: Source, resource_id: str, referral_id: str, number: int, seen: Visibility
) -> Read:
    """Reads the Provenance of one move; it is made from history and has one version only."""
    check_id("Provenance", resource_id)
    values = {**at_id("ServiceRequest", referral_id, seen), "number": number}
    row = await for_caller(source, seen.who).fetch_one(*move_by_id().called(**values))
    if row is None:
        raise not_found("Provenance")
    reached_by("Provenance", resource_id, row)
    return Read(Stored("Provenance", resource_id, row["version"], row["body"]), row["updated_at"])


def check_if_match(header: str | None, version: int) -> None:
    """Refuses with 412 an `If-Match` that is neither `*` nor names the current version.

    Tags of other servers in the list are ignored (RFC 9110 13.1.1); 400 for a header without any
    tag. A request without the header passes.
    """
    if header is None or not names_version(header):
        return
    named_tags = set(tags(header))
    if not named_tags:
        raise bad_if_match()
    if str(version) not in named_tags:
        raise stale()


def names_version(header: str | None) -> bool:
    """Tells whether `If-Match` names a version; `*` means any version, and names none."""
    return header is not None and set(tags(header)) != {"*"}


def stale() -> Refusal:
    """Makes the 412 for a resource of which somebody else wrote a newer version."""
    return refuse(
        412, "conflict", "The resource has changed since. Read it again, then repeat with its ETag."
    )


def bad_if_match() -> Refusal:
    """Makes the 400 for an `If-Match` without an ETag of ours."""
    return refuse(400, "value", 'If-Match takes the ETag of a version, such as W/"3".')


# Histories

#: A page ends before the version that would make it larger; it always shows one version.
MAX_BYTES = 5_000_000
_EARLIEST, _LATEST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)

_MOMENT = {"type": "string", "pattern": MOMENT_PATTERN}
#: Parameters of every history, for the contract.
IN_HISTORIES: Described = {
    "_count": (
        {"type": "integer", "minimum": 0, "maximum": 999_999_999, "default": MAX_COUNT},
        f"Versions on a page; at most {MAX_COUNT} are given. 0 asks for the total alone.",
    ),
    "_since": (_MOMENT, "Versions stored then or later: an instant, or a day, month or year."),
    "_at": (
        _MOMENT,
        "Versions that were current at some point of that instant, day, month or year.",
    ),
}


@dataclass(slots=True)
class HistoryQuery:
    """The query of a history: which versions to show, and how many."""

    count: int = MAX_COUNT
    since: datetime = _EARLIEST
    #: The stretch of time in which the versions were current, without its end.
    at: tuple[datetime, datetime] = (_EARLIEST, _LATEST)
    cursor: str | None = None
    #: The pairs that were used, for the links; without the cursor.
    used: list[tuple[str, str]] = field(default_factory=list)

    def link(self, address: str, cursor: str | None = None) -> str:
        """Returns the address that repeats this query, from `cursor` on."""
        pairs = [*self.used, *([(CURSOR, cursor)] if cursor else [])]
        return address + (f"?{urlencode(pairs, safe=':')}" if pairs else "")


@dataclass(frozen=True, slots=True)
class Versions:
    """The versions of one page, the position after it if more follow, and the number of all."""

    shown: Sequence[Stored]
    after: Position | None
    total: int


def read_asked(asked: Sequence[tuple[str, str]], *, strict: bool) -> HistoryQuery:
    """Reads the query of a history. Raises `Refusal` (400) with every fault at once."""
    query = HistoryQuery()
    issues: list[Issue] = []
    seen: set[str] = set()
    for name, value in asked:
        if name in ABOUT_THE_FORM:
            continue
        if name not in IN_HISTORIES and name != CURSOR:
            issues.append(unknown("a history", name, strict=strict))
        elif is_empty(name, value):
            issues.append(empty(name, strict=strict))
        elif name in seen:
            issues.append(Issue("value", f"{name} may be given once only."))
        elif text := _take(query, name, value):
            issues.append(Issue("value", f"{name} {text}"))
        seen.add(name)
    faults = [issue for issue in issues if is_fault(issue)]
    if faults:
        raise Refusal(400, faults)
    return query


def _take(query: HistoryQuery, name: str, value: str) -> str | None:
    """Reads one pair into the query; returns the text of its fault, if any."""
    if name == CURSOR:
        query.cursor = value
        return None
    if name == "_count":
        if not (value.isascii() and value.isdigit() and len(value) <= 9):
            return f"takes a number from 0 to {MAX_COUNT}."
        query.count = min(int(value), MAX_COUNT)
    else:
        try:
            stretch = span(value)
        except ValueError:
            return "takes a moment such as `2026-01-31T08:00:00Z`, or a day, month or year."
        if name == "_since":
            query.since = stretch[0]
        else:
            query.at = stretch
    query.used.append((name, value))
    return None


async def history(
    source: Source,
    kind: str,
    resource_id: str,
    seen: Visibility,
    asked: HistoryQuery,
    after: Position | None,
) -> Versions:
    """Reads the page after `after`; 404 as for `read`, whichever versions the query asks for."""
    if move := named_move(kind, resource_id):
        made = await read_move(source, resource_id, *move, seen)
        return _only(replace(made.stored, at=made.updated_at), asked)
    since, until = asked.at
    values = {
        **at_id(kind, resource_id, seen),
        "since": asked.since,
        "from": since,
        "until": until,
        "before": int(after.id) if after else None,
        "bytes": MAX_BYTES,
        "count": asked.count,
    }
    statement = history_by_id(**_shape(kind, resource_id, seen))
    rows = await for_caller(source, seen.who).fetch(*statement.called(**values))
    if not rows[0]["known"]:
        raise not_found(kind)
    if rows[0]["plan"] is not None:
        reached_by(kind, resource_id, rows[0])
    shown = [
        replace(await as_seen(kind, resource_id, row), at=row["updated_at"])
        for row in rows
        if row["version"]
    ]
    more = rows[0]["rest"] > len(shown)
    return Versions(shown, _after(shown) if more else None, rows[0]["fitting"])


def _after(shown: Sequence[Stored]) -> Position | None:
    last = shown[-1] if shown else None
    return Position(last.at, str(last.version)) if last and last.at else None


def _only(made: Stored, asked: HistoryQuery) -> Versions:
    """Makes the history of a resource that is made when it is read, and so has one version."""
    at: Any = made.at
    stored = at.replace(microsecond=at.microsecond // 1000 * 1000)
    fits = asked.since <= stored < asked.at[1]
    return Versions([made] if fits and asked.count else [], None, int(fits))
