"""Searches the record of one plan for its staff; newest first, a page at a time.

An AuditEvent is no stored resource: it is rendered from a row (`app.fhir.render_audit`). Events
about a resource or a patient are found first, by their own index, and then narrowed: they are few
beside all events of a plan, whatever the planner takes a parameter for.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from app.base.errors import Issue
from app.fhir.r4 import codes
from app.fhir.render_audit import DISCLOSE, RESTFUL
from app.store.audit.chain import COLUMNS
from app.store.database import Row, Source
from app.store.reading.cursor import Position
from app.store.reading.reader import Search, read_into
from app.store.reading.subset import unknown
from app.store.reading.values import (
    ABOUT_THE_FORM,
    UnreadableValue,
    date_range,
    reference,
    split,
    token,
    words,
)

#: Parameter → its kind, and the events that it selects.
PARAMETERS: Mapping[str, tuple[str, str]] = {
    "_id": ("token", "The id, or several separated by commas"),
    "action": ("token", "C, R, U, D or E: created, read, changed, deleted, searched or asked"),
    "agent": ("reference", "The organization that asked, or was told: `Organization/…`"),
    "altid": ("token", "The client that asked, by its client id"),
    "date": ("date", "When it was recorded: `ge2026-11-20`; may be given twice, for a stretch"),
    "entity": ("reference", "The resource that was reached, with its type: `ServiceRequest/…`"),
    "outcome": ("token", "0 answered, 4 refused, 8 failed"),
    "patient": ("reference", "The patient whose data was reached: `Patient/…`"),
    "subtype": ("token", "The interaction: `read`, `search-type`, `check`, `disclose` …"),
    "type": ("token", "`rest`, or `110106` for what was sent to an endpoint"),
}
#: Parameter of a token → the systems of its codes.
_SYSTEMS: Mapping[str, frozenset[str]] = {
    "action": frozenset({codes.AUDIT_ACTION}),
    "altid": frozenset({codes.CLIENT_ID}),
    "outcome": frozenset({codes.AUDIT_OUTCOME}),
    "subtype": frozenset({codes.RESTFUL_INTERACTION, codes.AUDIT_INTERACTION, codes.LIFECYCLE}),
    "type": frozenset({codes.AUDIT_EVENT_TYPE, codes.DICOM}),
}
_REST, _EXPORT = "rest", "110106"
_TYPES = {"agent": "Organization", "patient": "Patient"}
#: A prefix → whether the moment is a lower bound, and whether it is the end of the date.
_SINCE, _UNTIL = {"ge": False, "gt": True, "sa": True}, {"lt": False, "eb": False, "le": True}

_ONE = f"SELECT {COLUMNS} FROM audit_event WHERE plan = $1 AND id = $2"
_OUTCOME = "CASE WHEN status < 400 THEN '0' WHEN status < 500 THEN '4' ELSE '8' END"
_TYPE = f"CASE interaction WHEN '{DISCLOSE}' THEN '{_EXPORT}' ELSE '{_REST}' END"
#: What R4 has no name for is an operation.
_KNOWN = ", ".join(f"'{name}'" for name in sorted({*RESTFUL, DISCLOSE}))
#: $1 plan, then the conditions; null: none.
_CONDITIONS = f"""plan = $1 AND ($2::text[] IS NULL OR id = ANY ($2))
AND ($3::timestamptz IS NULL OR recorded >= $3) AND ($4::timestamptz IS NULL OR recorded < $4)
AND ($5::text[] IS NULL OR organization = ANY ($5)) AND ($6::text[] IS NULL OR client = ANY ($6))
AND ($7::text[] IS NULL OR action = ANY ($7)) AND ($8::text[] IS NULL OR {_OUTCOME} = ANY ($8))
AND ($9::text[] IS NULL OR interaction = ANY ($9)
    OR 'operation' = ANY ($9) AND interaction NOT IN ({_KNOWN}))
AND ($10::text[] IS NULL OR {_TYPE} = ANY ($10))"""
_ABOUT = """SELECT * FROM audit_event
WHERE ($11::text[] IS NULL OR about && $11) AND ($12::text[] IS NULL OR about && $12) OFFSET 0"""
_PAGE = """ AND ($13::timestamptz IS NULL OR (recorded, id) < ($13, $14::text))
ORDER BY recorded DESC, id DESC LIMIT $15::int"""


@dataclass(slots=True)
class AuditSearch(Search):
    """The conditions that an event must meet, and how many are shown."""

    kind: str = "AuditEvent"
    count: int = 20
    base: str = ""
    #: Parameter → the values of which one must hold.
    wanted: dict[str, list[str]] = field(default_factory=dict)
    since: datetime | None = None
    until: datetime | None = None

    PASSED_OVER: ClassVar[frozenset[str]] = ABOUT_THE_FORM | {"_total"}
    ONCE: ClassVar[frozenset[str]] = frozenset(PARAMETERS) - {"date"}

    def take(self, name: str, value: str, *, strict: bool) -> Issue | None:
        """Adds the condition of one parameter."""
        if name not in PARAMETERS:
            return unknown(self.kind, name, strict=strict)
        kind = PARAMETERS[name][0]
        if kind == "date":
            self._between(value)
        elif kind == "reference":
            self.wanted[name] = [self._reference(name, word) for word in words(value)]
        else:
            self.wanted[name] = list(_codes(name, value))
        self.used.append((name, value))
        return None

    def _between(self, value: str) -> None:
        asked = date_range(value)
        if asked.prefix in _SINCE or asked.prefix == "eq":
            low = asked.high if _SINCE.get(asked.prefix) else asked.low
            self.since = max(low, self.since or low)
        if asked.prefix in _UNTIL or asked.prefix == "eq":
            high = asked.low if _UNTIL.get(asked.prefix) is False else asked.high
            self.until = min(high, self.until or high)
        if asked.prefix == "ne":
            raise UnreadableValue("takes the prefixes eq, gt, lt, ge, le, sa, eb.")

    def _reference(self, name: str, value: str) -> str:
        read = reference(value, self.base)
        kind = read.type or _TYPES.get(name)
        if kind is None:
            raise UnreadableValue("takes `Type/id`.")
        return read.id if name == "agent" else f"{kind}/{read.id}"

    @property
    def alone(self) -> bool:
        """Tells whether the total is asked for without the events."""
        return self.count == 0 or self.subset.counts


def _codes(name: str, value: str) -> Iterator[str]:
    """Yields the codes of a token; one of another system matches nothing."""
    for word in split(value):
        asked = token(word)
        if asked.code and asked.system in (None, *_SYSTEMS.get(name, ())):
            yield asked.code


def read_audit_search(asked: Sequence[tuple[str, str]], base: str, *, strict: bool) -> AuditSearch:
    """Reads a search from its parameters. Raises `Refusal` (400) with every fault at once."""
    search = AuditSearch(base=base)
    read_into(search, asked, strict=strict)
    return search


async def one_event(source: Source, plan: str, id_: str) -> Row | None:
    """Reads one event of a plan's record; None if there is none."""
    return await source.fetch_one(_ONE, plan, id_)


async def events_page(
    source: Source, plan: str, search: AuditSearch, after: Position | None
) -> list[Row]:
    """Reads the events of a page, and one more if another page follows."""
    whence, values = _narrowed(plan, search)
    sql = f"SELECT {COLUMNS} FROM {whence}{_PAGE}"
    place = (after.at, after.id) if after else (None, None)
    return await source.fetch(sql, *values, *place, search.count + 1)


async def events_total(source: Source, plan: str, search: AuditSearch) -> int:
    """Counts the events that a search finds."""
    whence, values = _narrowed(plan, search)
    (row,) = await source.fetch(f"SELECT count(*) AS total FROM {whence}", *values)
    return int(row["total"])


def _narrowed(plan: str, search: AuditSearch) -> tuple[str, list[Any]]:
    """Returns what follows FROM, and the values of $1 to $12."""
    wanted = search.wanted
    about = (wanted.get("patient"), wanted.get("entity"))
    whence = f"({_ABOUT}) AS event" if any(about) else "audit_event"
    ends = "" if any(about) else " AND $11::text[] IS NULL AND $12::text[] IS NULL"
    values = [
        plan,
        wanted.get("_id"),
        search.since,
        search.until,
        *(wanted.get(name) for name in ("agent", "altid", "action", "outcome", "subtype", "type")),
        *about,
    ]
    return f"{whence} WHERE {_CONDITIONS}{ends}", values
