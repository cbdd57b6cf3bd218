"""Reads one page of a search by one statement: what the caller sees, what it asks, where it begins.

Criteria come from `app.store.reading.query`, rules from `app.store.reading.catalog`; `ARMS` names
the tables that have the rows of each resource type. Rows are ordered by id (ours sort by the moment
they were made), or by the time of the last change and then by id: so a page never repeats or loses
a row because other rows were written meanwhile.

A statement is made once for each shape and called with the values of a request. Clients choose the
shapes, so that only those asked for last are kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    DateTime,
    FromClause,
    Select,
    and_,
    any_,
    bindparam,
    false,
    func,
    not_,
    or_,
    select,
    true,
    union_all,
)

from app.fhir.searchset import Stored
from app.fhir.subset import ASKED
from app.store.acting import for_caller
from app.store.audit.access import found_by
from app.store.database import Row, Source
from app.store.reading import provenance
from app.store.reading.access import (
    DIRECTORY_PLANS,
    Visibility,
    directory_plans,
    seen_by,
    sees_least,
    sees_referral,
    shown_least,
)
from app.store.reading.cursor import Position
from app.store.reading.match import CHANGED, INDEXED, WORDS
from app.store.reading.parameters import (
    Arm,
    GivenValues,
    Parameter,
    SearchCriterion,
    SearchRule,
    Values,
)
from app.store.reading.query import ID, LAST_UPDATED, Query
from app.store.reading.standing import may_find, part_shown, standing
from app.store.reading.tables import LISTED, MOVE, REFERRAL, TASK, VERSION, current, people_of
from app.store.statement import (
    Compiled,
    SqlCondition,
    SqlExpression,
    compiled,
    constant,
    text_given,
)
from app.store.tables.decision import service_authorization
from app.store.tables.directory import directory_version, offer
from app.store.tables.referral import resource_version

#: Parameters that leave few rows, however many are stored.
_NARROW = frozenset(
    {"_id", "identifier", "patient", "subject", "patient.identifier", "subject.identifier"}
    | {"focus", "part-of", "referral", "target"}
)
_ANY = frozenset({"_id", "_lastUpdated"})
#: How many statements are kept.
_SHAPES = 512
_LIMIT = bindparam("limit", type_=BigInteger())


@dataclass(frozen=True, slots=True)
class Page:
    """The rows of one page, the position after it where more follow, and the total if asked for."""

    rows: list[Stored]
    after: Position | None
    total: int | None
    #: The present numbers of offers: id → (places, taken, status).
    numbers: dict[str, tuple[int, int, str]]


class Asked(NamedTuple):
    """A criterion without its values: their names only, for each arm."""

    parameter: Parameter
    modifier: str
    negated: bool
    names: tuple[tuple[str, ...], ...]


class SearchShape(NamedTuple):
    """All that the text of a search depends on."""

    kind: str
    criteria: tuple[Asked, ...]
    sort: str
    #: Whether the page begins after a position; whether all matches are counted.
    follows: bool
    counted: bool
    #: Whether the caller is plan staff.
    staff: bool


async def search(source: Source, query: Query, seen: Visibility, position: Position | None) -> Page:
    """Reads the page after `position`, by one statement for any query."""
    rows = await for_caller(source, seen.who).fetch(*call(query, seen, position))
    return await _page(query, rows)


def call(query: Query, seen: Visibility, position: Position | None) -> tuple[Any, ...]:
    """Returns text and parameters of the search, as `Source.fetch` takes them."""
    sources = arms(query.kind)
    values = seen_by(seen, least=_least(query))
    values |= {"limit": query.count + 1, "directory": directory_plans(query.kind, seen)}
    if position is not None:
        values |= {"last_id": position.id, "last_at": position.at}
    criteria = []
    for number, asked in enumerate(query.criteria):
        names = []
        for place, arm in enumerate(sources):
            found = _rule(arm, asked.parameter, asked.modifier).values(asked, seen)
            for name, value in found.items():
                values[f"{_prefix(number, place)}{name}"] = value
            names.append(tuple(found))
        negated = asked.modifier == "not" or asked.missing
        criteria.append(Asked(asked.parameter, asked.modifier, negated, tuple(names)))
    shape = SearchShape(
        query.kind, tuple(criteria), query.sort, position is not None, _counts(query), seen.staff
    )
    return _statement(shape).called(**values)


def _prefix(number: int, place: int) -> str:
    """Tells the values of one criterion on one arm from those of the others."""
    return f"c{number}_{place}_"


def _least(query: Query) -> bool:
    """Tells whether the search also finds referrals of which staff see the least."""
    shown = ASKED.get(query.kind)
    if shown is None:
        return False
    return all(
        each.parameter.name in shown or each.parameter.name in _ANY for each in query.criteria
    )


def _counts(query: Query) -> bool:
    return bool(query.total) or query.count == 0


async def _page(query: Query, rows: Sequence[Row]) -> Page:
    matches = [row for row in rows if row["id"] is not None]
    shown = matches[: query.count]
    last = shown[-1] if shown and len(matches) > query.count else None
    seen = [(row, body) for row in shown if (body := await _seen(query.kind, row)) is not None]
    found_by(query.kind, [row for row, _ in seen])
    return Page(
        [Stored(query.kind, row["id"], row["version"], body) for row, body in seen],
        after=Position(last["at"], last["id"]) if last else None,
        total=rows[0]["total"] if _counts(query) else None,
        numbers={
            row["id"]: (row["places"], row["taken"], row["capacity_status"])
            for row in shown
            if query.kind == "HealthcareService" and row["places"] is not None
        },
    )


async def _seen(kind: str, row: Row) -> bytes | None:
    body = await shown_least(kind, row["body"]) if row["least"] else row["body"]
    return await part_shown(kind, body, row["standing"])


# The statement of a shape


@lru_cache(maxsize=_SHAPES)
def _statement(shape: SearchShape) -> Compiled:
    matching = [_matching(shape, place, arm) for place, arm in enumerate(arms(shape.kind))]
    key = _keys(shape, matching)
    body = _body(shape.kind, key)
    rows = key.outerjoin(body, true())
    columns: list[SqlExpression] = [
        key.c.id,
        key.c.at,
        body.c.version,
        body.c.body,
        sees_least(key.c.plan, body.c.referral_id, staff=shape.staff).label("least"),
        key.c.plan,
        people_of(key.c.plan, body.c.referral_id),
        standing(key.c.plan, body.c.referral_id, staff=shape.staff).label("standing"),
    ]
    if shape.counted:
        all_keys = union_all(*matching).subquery("n")
        counted = select(func.count().label("total")).select_from(all_keys).subquery("counted")
        rows = counted.outerjoin(key, true()).outerjoin(body, true())
        columns.append(counted.c.total)
    if shape.kind == "HealthcareService":  # with an offer's present numbers
        rows = rows.outerjoin(offer, and_(offer.c.plan == key.c.plan, offer.c.id == key.c.id))
        taken = (offer.c.taken + offer.c.taken_outside).label("taken")
        columns += [offer.c.places, taken, offer.c.capacity_status]
    return compiled(select(*columns).select_from(rows).order_by(*_order(shape, key)))


def _keys(shape: SearchShape, matching: Sequence[Select[Any]]) -> FromClause:
    """Selects the keys (plan, id, time) of the page from those of all matches."""
    pages = []
    for each in matching:
        x = each.subquery("x")
        found = select(x).where(_after(shape, x)) if shape.follows else select(x)
        pages.append(found.order_by(*_order(shape, x)).limit(_LIMIT))
    if len(pages) == 1:
        return pages[0].subquery("k")
    u = union_all(*pages).subquery("u")
    return select(u).order_by(*_order(shape, u)).limit(_LIMIT).subquery("k")


def _order(shape: SearchShape, rows: FromClause) -> tuple[SqlExpression, ...]:
    match shape.sort:
        case "_lastUpdated":
            return rows.c.at, rows.c.id
        case "-_lastUpdated":
            return rows.c.at.desc(), rows.c.id
        case _:
            return (rows.c.id,)


def _after(shape: SearchShape, rows: FromClause) -> SqlCondition:
    at, id_ = bindparam("last_at", type_=DateTime(timezone=True)), text_given("last_id")
    if shape.sort == "_id":
        return rows.c.id > id_
    further = rows.c.at < at if shape.sort.startswith("-") else rows.c.at > at
    return or_(further, and_(rows.c.at == at, rows.c.id > id_))


def _body(kind: str, key: FromClause) -> FromClause:
    """Selects the current version of each key's resource; or the move that is its Provenance."""
    columns = ("version", "body", "referral_id")
    listed = not all(arm.owned for arm in arms(kind))
    stored = current(key.c.plan, constant(kind), key.c.id, *columns, listed=listed)
    if kind != "Provenance":
        return stored.lateral("b")
    made = (
        select(
            constant(1).label("version"), provenance.body().label("body"), MOVE.c.referral_id
        )
        .where(provenance.of_key(key))
        .correlate(key)
    )  # fmt: skip
    return union_all(stored, made).lateral("b")


def _matching(shape: SearchShape, place: int, arm: Arm) -> Select[Any]:
    """Selects the keys (plan, id, time) of the matching rows of one arm that the caller sees."""
    few = any(asked.parameter.name in _NARROW for asked in shape.criteria)
    if arm.owned:
        conditions = [sees_referral(staff=shape.staff, few=few)]
    else:
        conditions = [LISTED.c.plan == any_(DIRECTORY_PLANS)]
    if arm.stored is not None:
        conditions += [arm.stored.c.type == constant(shape.kind), _latest(arm.stored)]
    if arm.stored is VERSION:
        conditions += may_find(shape.kind, VERSION.c.words, staff=shape.staff)
    source, words = arm.source, arm.words
    rules = [_rule(arm, asked.parameter, asked.modifier) for asked in shape.criteria]
    if words is None and arm.stored is not None:
        words = arm.stored.c.words
    elif words is None:
        b = current(arm.plan, constant(shape.kind), arm.id, "words", listed=False).lateral("b")
        words = b.c.words
        if WORDS in rules:  # a condition on an element that has no column
            source = source.join(b, true())
    for number, (asked, rule) in enumerate(zip(shape.criteria, rules, strict=True)):
        prefix = _prefix(number, place)
        given = GivenValues(asked.parameter, asked.modifier, asked.names[place], prefix, arm, words)
        condition = rule.condition(given)
        conditions.append(not_(func.coalesce(condition, false())) if asked.negated else condition)
    columns = (arm.plan.label("plan"), arm.id.label("id"), arm.at.label("at"))
    return select(*columns).select_from(source).where(*conditions)


def _latest(stored: FromClause) -> SqlCondition:
    """Makes the condition that a row of stored versions is the current one of its resource."""
    w = directory_version.alias("w") if stored is LISTED else resource_version.alias("w")
    keys = ("plan", "type", "id") if stored is LISTED else ("plan", "referral_id", "type", "id")
    return not_(
        select(constant(1))
        .where(
            *(w.c[name] == stored.c[name] for name in keys),
            w.c.version > stored.c.version,
        )
        .correlate_except(w)
        .exists()
    )


# Rules of the arms


def _has_id(given: GivenValues) -> SqlCondition:
    """Makes the condition of `_id`; the key of what a referral has begins with the referral."""
    named = given.arm.id == any_(given.texts("ids"))
    if not given.arm.owned:
        return named
    return and_(REFERRAL.c.id == any_(given.texts("referrals")), named)


def _id_values(asked: SearchCriterion, _seen: Visibility) -> Values:
    """Lists the ids, and of each the referrals that it may name: its parts follow `.` or `-`."""
    ids = [token.code or "" for token in asked.tokens]
    apart = (id_.partition(".")[0] for id_ in ids)
    moves = (move[0] for move in map(provenance.move_named, ids) if move)
    return {"ids": ids, "referrals": [*apart, *moves]}


_BY_ID = SearchRule(_has_id, _id_values)


def _is_present(given: GivenValues) -> SqlCondition:
    present = given.parameter.present
    return true() if present is None else present


_PRESENT = SearchRule(_is_present, lambda *_: {})


def _rule(arm: Arm, known: Parameter, modifier: str) -> SearchRule:
    """Returns the rule by which an arm answers a parameter."""
    if known is ID:
        return _BY_ID
    if known is LAST_UPDATED:
        return CHANGED
    if not arm.owned:
        of_offer = known.kind == "token" or modifier == "identifier"
        return known.offer if known.offer is not None and of_offer else INDEXED
    if modifier == "missing" and known.present is not None:
        return _PRESENT
    return known.column if known.column is not None else WORDS


# Where the rows of a type are

_BESIDE = Arm(
    VERSION.join(
        REFERRAL,
        and_(REFERRAL.c.plan == VERSION.c.plan, REFERRAL.c.id == VERSION.c.referral_id),
    ),
    VERSION.c.plan,
    VERSION.c.id,
    VERSION.c.updated_at,
    stored=VERSION,
)
_DIRECTORY = Arm(
    LISTED, LISTED.c.plan, LISTED.c.id, LISTED.c.updated_at, owned=False, stored=LISTED
)


def _joined(table: Any) -> FromClause:
    """Joins a table of rows of referrals with their referrals."""
    of_referral = and_(REFERRAL.c.plan == table.c.plan, REFERRAL.c.id == table.c.referral_id)
    joined: FromClause = table.join(REFERRAL, of_referral)
    return joined


_AUTHORIZED = service_authorization.alias("a")
ARMS: dict[str, tuple[Arm, ...]] = {
    "ServiceRequest": (Arm(REFERRAL, REFERRAL.c.plan, REFERRAL.c.id, REFERRAL.c.updated_at),),
    "Task": (Arm(_joined(TASK), TASK.c.plan, TASK.c.id, TASK.c.updated_at),),
    "ClaimResponse": (
        Arm(_joined(_AUTHORIZED), REFERRAL.c.plan, REFERRAL.c.id, _AUTHORIZED.c.updated_at),
    ),
    "HealthcareService": (_DIRECTORY,),
    # Each move of a referral is shown as a Provenance, beside those that referrers sent.
    "Provenance": (
        Arm(_joined(MOVE), MOVE.c.plan, provenance.ID, MOVE.c.at, words=provenance.words()),
        _BESIDE,
    ),
    **dict.fromkeys(("Patient", "Coverage", "Organization"), (_BESIDE, _DIRECTORY)),
    "QuestionnaireResponse": (_BESIDE, _DIRECTORY),
}


def arms(kind: str) -> tuple[Arm, ...]:
    """Returns the arms of a type; rows of most types are stored beside a referral."""
    return ARMS.get(kind, (_BESIDE,))
