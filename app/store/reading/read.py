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
from app.fhir.dates import span
from app.fhir.outcome import tags
from app.fhir.render_provenance import JSON, move_named
from app.fhir.searchset import Stored
from app.store.database import Source
from app.store.reading.access import (
    SEES_LOCATED,
    WHOLE,
    WHOLE_OR_LEAST,
    Visibility,
    check_id,
    located,
    shown_least,
)
from app.store.reading.cursor import Position
from app.store.reading.reader import CURSOR, MAX_COUNT
from app.store.reading.subset import empty, is_empty, is_fault, unknown
from app.store.reading.values import ABOUT_THE_FORM, MOMENT_PATTERN, Described

_READ = f"""SELECT v.version, v.updated_at, v.body, s.whole FROM locator l {WHOLE}
CROSS JOIN LATERAL (SELECT v.version, v.updated_at, v.body FROM resource_version v
    WHERE v.plan = l.plan AND v.type = l.type AND v.id = l.id ORDER BY v.version DESC LIMIT 1) v
WHERE l.type = $1::text AND l.id = $2::text AND {WHOLE_OR_LEAST}"""

_VREAD = f"""SELECT v.version, v.updated_at, v.body, s.whole FROM locator l {WHOLE}
JOIN resource_version v ON v.plan = l.plan AND v.type = l.type AND v.id = l.id
    AND v.version = $7::int
WHERE l.type = $1::text AND l.id = $2::text AND {WHOLE_OR_LEAST}"""

#: Reads an offer with its present numbers, which change without a new version.
_READ_OFFER = f"""SELECT v.version, v.updated_at, v.body, true, o.places, o.taken + o.taken_outside,
    o.capacity_status FROM locator l
CROSS JOIN LATERAL (SELECT v.version, v.updated_at, v.body FROM resource_version v
    WHERE v.plan = l.plan AND v.type = l.type AND v.id = l.id ORDER BY v.version DESC LIMIT 1) v
LEFT JOIN offer o ON o.plan = l.plan AND o.id = l.id
WHERE l.type = $1::text AND l.id = $2::text AND {SEES_LOCATED}"""

#: Reads a move of a referral as a Provenance, visible to every caller who sees the referral.
_MOVE = f"""SELECT 1 AS version, h.at, convert_to({JSON}::text, 'UTF8'), true FROM locator l
JOIN referral_history h ON h.plan = l.plan AND h.referral_id = l.referral_id AND h.seq = $7::int
WHERE l.type = $1::text AND l.id = $2::text AND {SEES_LOCATED}"""

_MAX_VERSION = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Read:
    """One version with the time it was written, and an offer's numbers: places, taken, status."""

    stored: Stored
    updated_at: datetime
    numbers: tuple[int, int, str] | None = None


async def read(source: Source, kind: str, resource_id: str, seen: Visibility) -> Read:
    """Reads the current version; 404 if there is none that this caller may see."""
    if move := named_move(kind, resource_id):
        return await read_move(source, resource_id, *move, seen)
    sql = _READ_OFFER if kind == "HealthcareService" else _READ
    row = await source.fetch_one(sql, *located(kind, resource_id, seen))
    if row is None:
        raise not_found(kind)
    numbers = (row[4], row[5], row[6]) if len(row) > 4 and row[4] is not None else None
    return Read(await as_seen(kind, resource_id, row), row[1], numbers)


async def vread(
    source: Source, kind: str, resource_id: str, version: str, seen: Visibility
) -> Read:
    """Reads one version by its number; 404 if there is none that this caller may see."""
    if not (version.isascii() and version.isdigit() and int(version[:20]) <= _MAX_VERSION):
        raise not_found(f"version of a {kind}")
    if (move := named_move(kind, resource_id)) and int(version) == 1:
        return await read_move(source, resource_id, *move, seen)
    parameters = (*located(kind, resource_id, seen), int(version))
    row = await source.fetch_one(_VREAD, *parameters)
    if row is None:
        raise not_found(f"version of a {kind}")
    return Read(await as_seen(kind, resource_id, row), row[1])


async def as_seen(kind: str, resource_id: str, row: Any) -> Stored:
    """Returns all that the caller may see of a row (version, moment, body, whole)."""
    version, _, body, whole, *_ = row
    return Stored(kind, resource_id, version, body if whole else await shown_least(kind, body))


def named_move(kind: str, resource_id: str) -> tuple[str, int] | None:
    """Splits the id of a Provenance of ours into its referral and the number of the move."""
    return move_named(resource_id) if kind == "Provenance" else None


async def read_move(
    source: Source, resource_id: str, referral_id: str, number: int, seen: Visibility
) -> Read:
    """Reads the Provenance of one move; it is made from history and has one version only."""
    check_id("Provenance", resource_id)
    parameters = (*located("ServiceRequest", referral_id, seen), number)
    row = await source.fetch_one(_MOVE, *parameters)
    if row is None:
        raise not_found("Provenance")
    return Read(Stored("Provenance", resource_id, row[0], row[2]), row[1])


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

#: Compares versions by the millisecond that they show, and not by the stored microsecond.
_SQL = f"""WITH known AS (
    SELECT v.plan, v.type, v.id, v.version, v.updated_at, octet_length(v.body) AS size, s.whole,
        date_trunc('milliseconds', v.updated_at) AS since,
        lead(date_trunc('milliseconds', v.updated_at)) OVER (ORDER BY v.version) AS until
    FROM locator l {WHOLE}
    JOIN resource_version v ON v.plan = l.plan AND v.type = l.type AND v.id = l.id
    WHERE l.type = $1::text AND l.id = $2::text AND {WHOLE_OR_LEAST}),
fitting AS (
    SELECT * FROM known WHERE since >= $7::timestamptz
    AND since < $9::timestamptz AND coalesce(until > $8::timestamptz, true)),
rest AS (
    SELECT *, sum(size) OVER (ORDER BY version DESC) - size AS before
    FROM fitting WHERE version < coalesce($10::int, version + 1)),
page AS (
    SELECT * FROM rest WHERE before = 0 OR before + size <= $11::bigint
    ORDER BY version DESC LIMIT $12::int)
SELECT t.known, t.fitting, t.rest, p.version, p.updated_at, b.body,
    p.whole
FROM (SELECT (SELECT count(*) FROM known), (SELECT count(*) FROM fitting),
    (SELECT count(*) FROM rest)) t (known, fitting, rest)
LEFT JOIN page p ON true
LEFT JOIN resource_version b ON b.plan = p.plan AND b.type = p.type AND b.id = p.id
    AND b.version = p.version
ORDER BY p.version DESC"""

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
    parameters = (
        *located(kind, resource_id, seen),
        asked.since,
        *asked.at,
        int(after.id) if after else None,
        MAX_BYTES,
        asked.count,
    )
    rows = await source.fetch(_SQL, *parameters)
    known, fitting, rest = rows[0][:3]
    if not known:
        raise not_found(kind)
    shown = [
        replace(await as_seen(kind, resource_id, row[3:]), at=row[4]) for row in rows if row[3]
    ]
    return Versions(shown, _after(shown) if rest > len(shown) else None, fitting)


def _after(shown: Sequence[Stored]) -> Position | None:
    last = shown[-1] if shown else None
    return Position(last.at, str(last.version)) if last and last.at else None


def _only(made: Stored, asked: HistoryQuery) -> Versions:
    """Makes the history of a resource that is made when it is read, and so has one version."""
    at: Any = made.at
    stored = at.replace(microsecond=at.microsecond // 1000 * 1000)
    fits = asked.since <= stored < asked.at[1]
    return Versions([made] if fits and asked.count else [], None, int(fits))
