"""Searches the record of one plan for its staff; newest first, a page at a time.

An AuditEvent is no stored resource: it is rendered from a row (`app.fhir.render_audit`). Events
about a resource or a patient are found first, by their own index, and then narrowed: they are few
beside all events of a plan, whatever the planner takes a parameter for.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, ClassVar, NamedTuple

from app.base.errors import Issue
from app.fhir.r4 import codes
from app.fhir.render_audit import DISCLOSE, RESTFUL
from app.store.audit.chain import COLUMNS
from app.store.database import Row, Source
from app.store.reading.catalog import PARAMETERS as CATALOG
from app.store.reading.cursor import Position
from app.store.reading.reader import Search, read_into
from app.store.reading.subset import unknown
from app.store.reading.values import (
    ABOUT_THE_FORM,
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
    "date": ("date", "When it was recorded: `ge2026-11-20`"),
    "entity": ("reference", "The resource that was reached: `ServiceRequest/…`"),
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

_ONE = f"SELECT {COLUMNS} FROM audit_event WHERE plan = $1 AND id = $2"
#: What R4 has no name for is an operation.
_KNOWN = ", ".join(f"'{name}'" for name in sorted({*RESTFUL, DISCLOSE}))
#: Parameter → the condition that its values make; `?` stands for a value.
_CONDITIONS = {
    "_id": "id = ANY (?::text[])",
    "action": "action = ANY (?::text[])",
    "agent": "organization = ANY (?::text[])",
    "altid": "client = ANY (?::text[])",
    "entity": "about && ?::text[]",
    "outcome": "CASE WHEN status < 400 THEN '0' WHEN status < 500 THEN '4' ELSE '8' END"
    " = ANY (?::text[])",
    "patient": "about && ?::text[]",
    "subtype": "CASE WHEN interaction = ANY (?::text[]) THEN true"
    f" ELSE interaction NOT IN ({_KNOWN}) AND 'operation' = ANY (?::text[]) END",
    "type": f"CASE interaction WHEN '{DISCLOSE}' THEN '{_EXPORT}' ELSE '{_REST}' END"
    " = ANY (?::text[])",
}
_MOMENT = "?::timestamptz"
#: Prefix of a date → the condition, and which ends of the date it compares with.
_DATES = {
    "eq": (f"recorded >= {_MOMENT} AND recorded < {_MOMENT}", ("low", "high")),
    "ne": (f"(recorded < {_MOMENT} OR recorded >= {_MOMENT})", ("low", "high")),
    "ge": (f"recorded >= {_MOMENT}", ("low",)),
    "gt": (f"recorded >= {_MOMENT}", ("high",)),
    "sa": (f"recorded >= {_MOMENT}", ("high",)),
    "lt": (f"recorded < {_MOMENT}", ("low",)),
    "eb": (f"recorded < {_MOMENT}", ("low",)),
    "le": (f"recorded < {_MOMENT}", ("high",)),
}


class _Condition(NamedTuple):
    """A condition of a statement, and the values of its marks."""

    sql: str
    values: Sequence[Any]


@dataclass(slots=True)
class AuditSearch(Search):
    """The conditions that an event must meet, and how many are shown."""

    kind: str = "AuditEvent"
    count: int = 20
    base: str = ""
    conditions: list[_Condition] = field(default_factory=list)

    PASSED_OVER: ClassVar[frozenset[str]] = ABOUT_THE_FORM | {"_total"}

    def take(self, name: str, value: str, *, strict: bool) -> Issue | None:
        """Adds the condition of one parameter."""
        if name not in PARAMETERS:
            return unknown(self.kind, name, strict=strict)
        kind = PARAMETERS[name][0]
        if kind == "date":
            self.conditions.append(_on(value))
        else:
            of_kind = self._references if kind == "reference" else _codes
            sql = _CONDITIONS[name]
            wanted = list(of_kind(name, value))
            self.conditions.append(_Condition(sql, [wanted] * sql.count("?")))
        self.used.append((name, value))
        return None

    def _references(self, name: str, value: str) -> Iterator[str]:
        """Yields the references as `about` has them; an id alone may be of any type."""
        for word in words(value):
            read = reference(word, self.base)
            if name == "agent":
                yield read.id
            elif kind := read.type or _TYPES.get(name):
                yield f"{kind}/{read.id}"
            else:
                yield from (f"{kind}/{read.id}" for kind in (*CATALOG, self.kind))

    @property
    def alone(self) -> bool:
        """Tells whether the total is asked for without the events."""
        return self.count == 0 or self.subset.counts


def _on(value: str) -> _Condition:
    """Makes the condition of a date, or of several of which one must hold."""
    parts, values = [], []
    for asked in map(date_range, split(value)):
        sql, ends = _DATES[asked.prefix]
        parts.append(f"({sql})")
        values += [getattr(asked, end) for end in ends]
    return _Condition(f"({' OR '.join(parts)})", values)


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
    conditions = list(search.conditions)
    if after is not None:
        place = f"(recorded, id) < ({_MOMENT}, ?::text)"
        conditions.append(_Condition(place, [after.at, after.id]))
    order = f"ORDER BY recorded DESC, id DESC LIMIT {search.count + 1}"
    return await source.fetch(*_statement(COLUMNS, plan, conditions, order))


async def events_total(source: Source, plan: str, search: AuditSearch) -> int:
    """Counts the events that a search finds."""
    (row,) = await source.fetch(*_statement("count(*) AS total", plan, search.conditions))
    return int(row["total"])


def _statement(
    what: str, plan: str, conditions: Sequence[_Condition], order: str = ""
) -> tuple[Any, ...]:
    """Returns the text of a statement and its values, as `Source.fetch` takes them."""
    about = [each for each in conditions if each.sql.startswith("about")]
    rest = [_Condition("plan = ?::text", [plan]), *(c for c in conditions if c not in about)]
    whence = "audit_event"
    if about:
        whence = f"(SELECT * FROM audit_event WHERE {_all(about)} OFFSET 0) AS event"
    text, number = f"SELECT {what} FROM {whence} WHERE {_all(rest)} {order}", count(1)
    sql = re.sub(r"\?", lambda _: f"${next(number)}", text)
    return sql, *(value for each in (*about, *rest) for value in each.values)


def _all(conditions: Sequence[_Condition]) -> str:
    return " AND ".join(each.sql for each in conditions)
