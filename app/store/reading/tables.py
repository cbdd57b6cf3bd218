"""The tables that conditions of reads and searches are about, by the names of their rows.

A resource is stored in one of two places: in the directory, with a row for each version; or beside
a referral, together with all that the same move stored (`resource_set`). The id of a resource
beside a referral begins with the referral's (`app.base.ids`).
"""

from typing import Any

from sqlalchemy import (
    Integer,
    Select,
    SelectBase,
    Text,
    cast,
    column,
    func,
    null,
    select,
    true,
    union_all,
)

from app.store.statement import SqlCondition, SqlExpression, constant
from app.store.tables.directory import directory_version
from app.store.tables.referral import (
    locator,
    referral,
    referral_history,
    resource_set,
    resource_version,
    task,
)

#: The referral that a row belongs to.
REFERRAL = referral.alias("r")
TASK = task.alias("t")
#: A stored version of a resource of a referral.
VERSION = resource_version.alias("v")
#: A stored version of a resource of the directory.
LISTED = directory_version.alias("n")
#: The place of a FHIR id.
PLACE = locator.alias("l")
#: A move of a referral, which is shown as a Provenance.
MOVE = referral_history.alias("h")

#: The referral of what is listed in the directory: none.
_OF_NONE = cast(null(), Text()).label("referral_id")


def current(
    plan: SqlExpression,
    kind: SqlExpression,
    id_: SqlExpression,
    *columns: str,
    listed: bool = True,
) -> SelectBase:
    """Selects columns of the current version of one resource, beside the row that names it.

    The columns are those of `resource_version`. `listed`: the directory may have it.
    """
    beside = last_beside(plan, _referral_of(id_), kind, part_of(id_), *columns)
    if not listed:
        return beside
    c = directory_version.alias("c")
    of_directory = (
        select(*(_OF_NONE if name == "referral_id" else c.c[name] for name in columns))
        .where(c.c.plan == plan, c.c.type == kind, c.c.id == id_)
        .order_by(c.c.version.desc())
        .limit(constant(1))
        .correlate_except(c)
    )
    return union_all(of_directory, beside)


def versions(plan: SqlExpression, kind: SqlExpression, id_: SqlExpression) -> SelectBase:
    """Selects all versions of one resource, beside the row that names it: version, time, body."""
    c, v = directory_version.alias("c"), resource_version.alias("w")
    listed = (
        select(c.c.version, c.c.updated_at, c.c.body)
        .where(c.c.plan == plan, c.c.type == kind, c.c.id == id_)
        .correlate_except(c)
    )
    beside = (
        select(v.c.version, v.c.updated_at, v.c.body)
        .where(
            v.c.plan == plan,
            v.c.referral_id == _referral_of(id_),
            v.c.type == kind,
            v.c.id == id_,
        )
        .correlate_except(v)
    )
    return union_all(listed, beside)


def last_beside(
    plan: SqlExpression,
    referral_id: SqlExpression,
    kind: SqlExpression,
    part: SqlExpression,
    *columns: str,
    until: SqlExpression | None = None,
) -> Select[Any]:
    """Selects columns of a referral's resource in its last version, or in the last one `until`.

    `part` is what the id adds to the referral's. The sets are ordered first, and only the last is
    opened: bodies are stored compressed, those of one move together.
    """
    s = resource_set.alias("s")
    stored = func.unnest(s.c.types, s.c.parts, s.c.versions).table_valued(
        column("type", Text()),
        column("part", Text()),
        column("version", Integer()),
        with_ordinality="place",
    )
    e = stored.render_derived(name="e")
    conditions: list[SqlCondition] = [s.c.plan == plan, s.c.referral_id == referral_id]
    conditions += [e.c.type == kind, e.c.part == part]
    if until is not None:
        conditions.append(s.c.updated_at <= until)
    last = (
        select(s, e.c.version.label("of_resource"), e.c.place)
        .select_from(s.join(e, true()))
        .where(*conditions)
        .order_by(e.c.version.desc())
        .limit(constant(1))
        .correlate_except(s, e)
        .subquery("last")
    )
    known: dict[str, SqlExpression] = {
        "version": last.c.of_resource,
        "updated_at": last.c.updated_at,
        "referral_id": last.c.referral_id,
        "body": last.c.bodies[last.c.place],
        "words": last.c.words[last.c.place],
    }
    return select(*(known[name].label(name) for name in columns))


def _referral_of(id_: SqlExpression) -> SqlExpression:
    """Returns the id of the referral that a resource with this id would belong to."""
    return func.split_part(id_, constant("."), constant(1))


def part_of(id_: SqlExpression) -> SqlExpression:
    """Returns what an id, or a `Type/id`, adds to the referral's: `.1e2`; nothing for its own."""
    return func.substr(id_, func.length(_referral_of(id_)) + constant(1))
