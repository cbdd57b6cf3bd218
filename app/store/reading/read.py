"""One resource: its current version, or an older one (all of them: `history`). One statement each.

Where the id lives, whether the caller may see it and the bytes to send are found together; what may
not be seen is not found. Scopes and headers are left to the routes.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.base.errors import Refusal, not_found, refuse
from app.fhir.outcome import tags
from app.fhir.render_provenance import JSON, named
from app.fhir.searchset import Stored
from app.store.database import ReadSource, fetch_one
from app.store.reading.access import (
    SEES_LOCATED,
    WHOLE,
    WHOLE_OR_LEAST,
    Visibility,
    check_id,
    located,
    shown_least,
)

_READ = f"""SELECT v.version, v.updated_at, v.body, s.whole FROM locator l {WHOLE}
CROSS JOIN LATERAL (SELECT v.version, v.updated_at, v.body FROM resource_version v
    WHERE v.plan = l.plan AND v.type = l.type AND v.id = l.id ORDER BY v.version DESC LIMIT 1) v
WHERE l.type = $1::text AND l.id = $2::text AND {WHOLE_OR_LEAST}"""

_VREAD = f"""SELECT v.version, v.updated_at, v.body, s.whole FROM locator l {WHOLE}
JOIN resource_version v ON v.plan = l.plan AND v.type = l.type AND v.id = l.id
    AND v.version = $7::int
WHERE l.type = $1::text AND l.id = $2::text AND {WHOLE_OR_LEAST}"""

#: A read of an offer also brings its present numbers, which change without a new version.
_READ_OFFER = f"""SELECT v.version, v.updated_at, v.body, true, o.places, o.taken + o.taken_outside,
    o.capacity_status FROM locator l
CROSS JOIN LATERAL (SELECT v.version, v.updated_at, v.body FROM resource_version v
    WHERE v.plan = l.plan AND v.type = l.type AND v.id = l.id ORDER BY v.version DESC LIMIT 1) v
LEFT JOIN offer o ON o.plan = l.plan AND o.id = l.id
WHERE l.type = $1::text AND l.id = $2::text AND {SEES_LOCATED}"""

#: A move of a referral, seen by whoever sees the referral.
_MOVE = f"""SELECT 1 AS version, h.at, convert_to({JSON}::text, 'UTF8'), true FROM locator l
JOIN referral_history h ON h.plan = l.plan AND h.referral_id = l.referral_id AND h.seq = $7::int
WHERE l.type = $1::text AND l.id = $2::text AND {SEES_LOCATED}"""

_MAX_VERSION = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Read:
    """One version, when it was written, and an offer's (places, taken, status)."""

    stored: Stored
    updated_at: datetime
    numbers: tuple[int, int, str] | None = None


async def read(source: ReadSource, kind: str, resource_id: str, seen: Visibility) -> Read:
    """The current version; 404 where there is none, or none for this caller."""
    if move := named_move(kind, resource_id):
        return await read_move(source, resource_id, *move, seen)
    sql = _READ_OFFER if kind == "HealthcareService" else _READ
    row = await fetch_one(source, sql, located(kind, resource_id, seen))
    if row is None:
        raise not_found(kind)
    numbers = (row[4], row[5], row[6]) if len(row) > 4 and row[4] is not None else None
    return Read(await as_seen(kind, resource_id, row), row[1], numbers)


async def vread(
    source: ReadSource, kind: str, resource_id: str, version: str, seen: Visibility
) -> Read:
    """One version by its number; 404 as for `read`."""
    if not (version.isascii() and version.isdigit() and int(version[:20]) <= _MAX_VERSION):
        raise not_found(f"version of a {kind}")
    if (move := named_move(kind, resource_id)) and int(version) == 1:
        return await read_move(source, resource_id, *move, seen)
    parameters = (*located(kind, resource_id, seen), int(version))
    row = await fetch_one(source, _VREAD, parameters)
    if row is None:
        raise not_found(f"version of a {kind}")
    return Read(await as_seen(kind, resource_id, row), row[1])


async def as_seen(kind: str, resource_id: str, row: Any) -> Stored:
    """What the caller sees of a row (version, moment, body, whole)."""
    version, _, body, whole, *_ = row
    return Stored(kind, resource_id, version, body if whole else await shown_least(kind, body))


def named_move(kind: str, resource_id: str) -> tuple[str, int] | None:
    """The referral and the number of the move that a Provenance of ours is named after."""
    return named(resource_id) if kind == "Provenance" else None


async def read_move(
    source: ReadSource, resource_id: str, referral_id: str, number: int, seen: Visibility
) -> Read:
    """The Provenance of one move; it is made from history and has one version."""
    check_id("Provenance", resource_id)
    parameters = (*located("ServiceRequest", referral_id, seen), number)
    row = await fetch_one(source, _MOVE, parameters)
    if row is None:
        raise not_found("Provenance")
    return Read(Stored("Provenance", resource_id, row[0], row[2]), row[1])


def check_if_match(header: str | None, version: int) -> None:
    """412 unless `If-Match` (where sent) names the current version, or is `*`.

    Tags of others' in the list are passed over (RFC 9110 13.1.1); 400 where there is no tag at all.
    """
    if header is None or not names_version(header):
        return
    named = set(tags(header))
    if not named:
        raise bad_if_match()
    if str(version) not in named:
        raise stale()


def names_version(header: str | None) -> bool:
    """Whether `If-Match` says which version was read: `*` is whichever there is."""
    return header is not None and set(tags(header)) != {"*"}


def stale() -> Refusal:
    """412: somebody else wrote a newer version."""
    return refuse(
        412, "conflict", "The resource has changed since. Read it again, then repeat with its ETag."
    )


def bad_if_match() -> Refusal:
    """400: no ETag of ours."""
    return refuse(400, "value", 'If-Match takes the ETag of a version, such as W/"3".')
