"""The versions of one resource, newest first, a page at a time.

FHIR R4, RESTful API, "history": `_count`, `_since` (stored then or later) and `_at` (current at
some point of that time). A page is bounded in entries and in bytes; its cursor is the version that
it ended with, so that a version written meanwhile moves nothing. A history has no place for
warnings: what is not known is passed over, or refused under strict handling.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from app.base.errors import Issue, Refusal, not_found
from app.fhir.dates import span
from app.fhir.searchset import Stored
from app.store.database import ReadSource, fetch
from app.store.reading.access import WHOLE, WHOLE_OR_LEAST, Visibility, located
from app.store.reading.cursor import Position
from app.store.reading.read import as_seen, named_move, read_move
from app.store.reading.reader import CURSOR, MAX_COUNT
from app.store.reading.subset import empty, is_empty, is_fault, unknown
from app.store.reading.values import ABOUT_THE_FORM, MOMENT_PATTERN, Described

#: A page ends before the version that would make it larger; one version is always shown.
MAX_BYTES = 5_000_000
_EARLIEST, _LATEST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)

#: Versions are as young as the millisecond that is shown of them.
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
    """Which versions to show."""

    count: int = MAX_COUNT
    since: datetime = _EARLIEST
    #: From when to before when they were current.
    at: tuple[datetime, datetime] = (_EARLIEST, _LATEST)
    cursor: str | None = None
    #: What was used, for the links; the cursor is not part of it.
    used: list[tuple[str, str]] = field(default_factory=list)

    def link(self, address: str, cursor: str | None = None) -> str:
        """The GET that asks this again, from `cursor` on."""
        pairs = [*self.used, *([(CURSOR, cursor)] if cursor else [])]
        return address + (f"?{urlencode(pairs, safe=':')}" if pairs else "")


@dataclass(frozen=True, slots=True)
class Versions:
    """The versions of one page, the position after it where more follow, how many fit in all."""

    shown: Sequence[Stored]
    after: Position | None
    total: int


def read_asked(asked: Sequence[tuple[str, str]], *, strict: bool) -> HistoryQuery:
    """The query, or a `Refusal` (400) with every fault at once."""
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
        elif said := _take(query, name, value):
            issues.append(Issue("value", f"{name} {said}"))
        seen.add(name)
    faults = [issue for issue in issues if is_fault(issue)]
    if faults:
        raise Refusal(400, faults)
    return query


def _take(query: HistoryQuery, name: str, value: str) -> str | None:
    """Reads one pair into the query; returns what is wrong with it."""
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
    source: ReadSource,
    kind: str,
    resource_id: str,
    seen: Visibility,
    asked: HistoryQuery,
    after: Position | None,
) -> Versions:
    """The page after `after`; 404 as for a read, whatever was asked for."""
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
    rows = await fetch(source, _SQL, parameters)
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
    """What has one version, made when it is read."""
    at: Any = made.at
    stored = at.replace(microsecond=at.microsecond // 1000 * 1000)
    fits = asked.since <= stored < asked.at[1]
    return Versions([made] if fits and asked.count else [], None, int(fits))
