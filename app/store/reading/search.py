"""Composes one search as one statement: what the caller may see, what it asks, where a page begins.

Criteria come from `app.store.reading.query`, columns and paths from `app.store.reading.catalog`;
`ARMS` names the tables that have the rows of each resource type. Rows are ordered by id (ours sort
by the moment they were made), or by the time of the last change and then by id: so a page never
repeats or loses a row because other rows were written meanwhile.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.fhir import render_provenance
from app.fhir.render_provenance import JSON, OF_KEY
from app.fhir.searchset import Stored
from app.fhir.subset import ASKED
from app.store.database import Source
from app.store.reading import match
from app.store.reading.access import (
    NETWORK_TYPES,
    NO_PLAN,
    SqlStatement,
    Visibility,
    least_of,
    plan_keys,
    sees_referral,
    shown_least,
)
from app.store.reading.cursor import Position
from app.store.reading.parameters import Arm, SearchCriterion
from app.store.reading.query import ID, LAST_UPDATED, Query

_ORDER = {
    "_id": "id",
    "_lastUpdated": "at, id",
    "-_lastUpdated": "at DESC, id",
}

#: Parameters that leave few rows, however many are stored.
_NARROW = frozenset(
    {"_id", "identifier", "patient", "subject", "patient.identifier", "subject.identifier"}
    | {"focus", "part-of", "referral", "target"}
)
_ANY = frozenset({"_id", "_lastUpdated"})
#: Columns and join that add an offer's present numbers.
_NUMBERS = (
    ", o.places, o.taken + o.taken_outside, o.capacity_status",
    "LEFT JOIN offer o ON o.plan = k.plan AND o.id = k.id",
)
#: Adds the body of a Provenance of ours: a move of a referral is no stored version.
_MADE = f"""UNION ALL SELECT 1, convert_to({JSON}::text, 'UTF8'), h.referral_id
    FROM referral_history h WHERE {OF_KEY}"""


@dataclass(frozen=True, slots=True)
class Page:
    """The rows of one page, the position after it where more follow, and the total if asked for."""

    rows: list[Stored]
    after: Position | None
    total: int | None
    #: The present numbers of offers: id → (places, taken, status).
    numbers: dict[str, tuple[int, int, str]]


async def search(source: Source, query: Query, seen: Visibility, position: Position | None) -> Page:
    """Reads the page after `position`, by one statement for any query."""
    statement = SqlStatement()
    sql = compose_search(statement, query, seen, position)
    return await _page(query, await source.fetch(sql, *statement.values))


def compose_search(
    statement: SqlStatement, query: Query, seen: Visibility, position: Position | None
) -> str:
    """Composes the text of the search; puts its parameters into `statement`."""
    selected = [_arm(statement, query, seen, arm) for arm in arms(query.kind)]
    order = _ORDER[query.sort]
    keys = " UNION ALL ".join(
        f"(SELECT * FROM ({arm}) x WHERE {_after(statement, query.sort, position)}"
        f" ORDER BY {order} LIMIT {query.count + 1})"
        for arm in selected
    )
    if len(selected) > 1:
        keys = f"(SELECT * FROM ({keys}) u ORDER BY {order} LIMIT {query.count + 1})"
    total = "NULL::bigint"
    if query.total or query.count == 0:
        counted = [_arm(statement, query, seen, arm) for arm in arms(query.kind)]
        total = "(SELECT count(*) FROM (" + " UNION ALL ".join(counted) + ") n)"
    numbers, offer = _NUMBERS if query.kind == "HealthcareService" else ("", "")
    made = _MADE if query.kind == "Provenance" else ""
    least = least_of(statement, seen, "k.plan", "b.referral_id")
    return f"""SELECT k.id, k.at, b.version, b.body, t.total, {least}{numbers}
FROM (SELECT {total} AS total) t LEFT JOIN {keys} k ON true
LEFT JOIN LATERAL ((SELECT c.version, c.body, c.referral_id
    FROM resource_version c WHERE c.plan = k.plan AND c.type = {statement.bind(query.kind)}
    AND c.id = k.id ORDER BY c.version DESC LIMIT 1)
    {made}) b ON true {offer}
ORDER BY {order}"""


def _arm(statement: SqlStatement, query: Query, seen: Visibility, arm: Arm) -> str:
    """Selects the keys (plan, id, time) of the matching rows of one arm that the caller sees."""
    few = any(criterion.parameter.name in _NARROW for criterion in query.criteria)
    asked, shown = {each.parameter.name for each in query.criteria}, ASKED.get(query.kind)
    least = shown is not None and asked <= _ANY | shown
    conditions = [
        sees_referral(statement, seen, few=few, least=least)
        if arm.owned
        else _directory(statement, query, seen)
    ]
    if "resource_version v" in arm.source:
        conditions.append(f"v.type = {statement.bind(query.kind)} AND {LATEST}")
    words = False
    for criterion in query.criteria:
        sql, needs_words = _condition(statement, query, criterion, seen, arm)
        conditions.append(sql)
        words = words or needs_words
    source = arm.source + (_words(statement, query.kind, arm) if words else "")
    where = " AND ".join(conditions)
    return f"SELECT {arm.plan} AS plan, {arm.id} AS id, {arm.at} AS at FROM {source} WHERE {where}"


def _words(statement: SqlStatement, kind: str, arm: Arm) -> str:
    """Joins the words of the current version, for conditions on elements that have no column."""
    return (
        " CROSS JOIN LATERAL (SELECT c.words"
        f" FROM resource_version c WHERE c.plan = {arm.plan} AND c.type = {statement.bind(kind)}"
        f" AND c.id = {arm.id} ORDER BY c.version DESC LIMIT 1) b"
    )


def _directory(statement: SqlStatement, query: Query, seen: Visibility) -> str:
    return (
        f"v.referral_id IS NULL AND v.plan = ANY ({_directory_plans(statement, query.kind, seen)})"
    )


def _directory_plans(statement: SqlStatement, kind: str, seen: Visibility) -> str:
    """Binds the plan keys to search: all for the network, the caller's roster plans for rosters."""
    network = kind in NETWORK_TYPES
    return statement.bind([*plan_keys(), NO_PLAN] if network else list(seen.roster_plans), "text[]")


def _condition(
    statement: SqlStatement, query: Query, criterion: SearchCriterion, seen: Visibility, arm: Arm
) -> tuple[str, bool]:
    """Composes one criterion on one arm; returns with it whether it needs the joined words."""
    sql, needs_words = _positive(statement, query, criterion, seen, arm)
    negated = criterion.modifier == "not" or (criterion.modifier == "missing" and criterion.missing)
    return (f"NOT coalesce({sql}, false)" if negated else sql), needs_words


def _positive(
    statement: SqlStatement, query: Query, criterion: SearchCriterion, seen: Visibility, arm: Arm
) -> tuple[str, bool]:
    known = criterion.parameter
    if known is ID:
        ids = [token.code for token in criterion.tokens]
        return f"{arm.id} = ANY ({statement.bind(ids, 'text[]')})", False
    if known is LAST_UPDATED:
        each = [match.between(statement, arm.at, stretch) for stretch in criterion.ranges]
        return match.any_of(each), False
    if not arm.owned:
        if known.offer is not None and (criterion.tokens or known.kind == "token"):
            return known.offer(statement, criterion, seen), False
        plans = _directory_plans(statement, query.kind, seen)
        sql = match.indexed(statement, plans, criterion)
        if criterion.texts:  # the index also finds names that are too long for it
            sql = f"({sql} AND {match.found_by(statement, 'v.words', criterion)})"
        return sql, False
    if criterion.modifier == "missing" and known.present:
        return known.present, False
    if known.column is not None:
        return known.column(statement, criterion, seen), False
    return match.found_by(statement, arm.words or "b.words", criterion), not arm.words


def _after(statement: SqlStatement, sort: str, position: Position | None) -> str:
    if position is None:
        return "true"
    last_id = statement.bind(position.id)
    if sort == "_id":
        return f"id > {last_id}"
    at = statement.bind(position.at, "timestamptz")
    sign = "<" if sort.startswith("-") else ">"
    return f"(at {sign} {at} OR (at = {at} AND id > {last_id}))"


async def _page(query: Query, rows: Any) -> Page:
    matches = [row for row in rows if row[0] is not None]
    shown = matches[: query.count]
    more = len(matches) > query.count and bool(shown)
    last: tuple[str, datetime] | None = (shown[-1][0], shown[-1][1]) if more else None
    return Page(
        rows=[
            Stored(query.kind, id_, version, await shown_least(query.kind, body) if few else body)
            for id_, _, version, body, _, few, *_ in shown
        ],
        after=Position(last[1], last[0]) if last else None,
        total=rows[0][4] if rows else None,
        numbers={row[0]: row[6:9] for row in shown if len(row) > 6 and row[6] is not None},
    )


_BESIDE = """resource_version v JOIN referral r ON r.plan = v.plan AND r.id = v.referral_id"""
#: A condition: the row `v` is the current version of its resource.
LATEST = """NOT EXISTS (SELECT 1 FROM resource_version w WHERE w.plan = v.plan AND w.type = v.type
    AND w.id = v.id AND w.version > v.version)"""

_CHILD_ARM = Arm(_BESIDE, "v.plan", "v.id", "v.updated_at")
_DIRECTORY_ARM = Arm("resource_version v", "v.plan", "v.id", "v.updated_at", owned=False)
ARMS: dict[str, tuple[Arm, ...]] = {
    "ServiceRequest": (Arm("referral r", "r.plan", "r.id", "r.updated_at"),),
    "Task": (
        Arm(
            "task t JOIN referral r ON r.plan = t.plan AND r.id = t.referral_id",
            "t.plan",
            "t.id",
            "t.updated_at",
        ),
    ),
    "ClaimResponse": (
        Arm(
            "service_authorization a JOIN referral r ON r.plan = a.plan AND r.id = a.referral_id",
            "r.plan",
            "r.id",
            "a.updated_at",
        ),
    ),
    "HealthcareService": (_DIRECTORY_ARM,),
    # Each move of a referral is shown as a Provenance, beside those that referrers sent.
    "Provenance": (
        Arm(
            "referral_history h JOIN referral r ON r.plan = h.plan AND r.id = h.referral_id",
            "h.plan",
            render_provenance.ID,
            "h.at",
            words=render_provenance.WORDS,
        ),
        _CHILD_ARM,
    ),
    **dict.fromkeys(("Patient", "Coverage", "Organization"), (_CHILD_ARM, _DIRECTORY_ARM)),
    "QuestionnaireResponse": (_CHILD_ARM, _DIRECTORY_ARM),
}


def arms(kind: str) -> tuple[Arm, ...]:
    """Returns the arms of a type; rows of most types are stored beside a referral."""
    return ARMS.get(kind, (_CHILD_ARM,))
