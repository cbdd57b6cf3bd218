"""The tables that conditions of reads and searches are about, by the names of their rows.

A resource is stored in one of two places: in the directory, with a row for each version; or beside
a referral, together with all that the same move stored (`resource_set`). The id of a resource
beside a referral begins with the referral's (`app.base.ids`).
"""

from typing import Any

from sqlalchemy import Select, SelectBase, Text, any_, cast, func, null, select, union_all
from sqlalchemy.dialects.postgresql import array

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


def people_of(plan: SqlExpression, referral_id: SqlExpression) -> SqlExpression:
    """Selects the ids of a referral's Patients, for the record; null for no referral.

    They are the roster's, if the member is known, and the referrer's.
    """
    r = referral.alias("whose")
    found = select(array([r.c.member_id, r.c.patient_id])).where(
        r.c.plan == plan, r.c.id == referral_id
    )
    return found.correlate_except(r).scalar_subquery().label("people")


def listed_now(
    plan: SqlExpression, kind: SqlExpression, id_: SqlExpression, *columns: str
) -> Select[Any]:
    """Selects columns of a resource of the directory in its current version."""
    c = directory_version.alias("c")
    return (
        select(*(_OF_NONE if name == "referral_id" else c.c[name] for name in columns))
        .where(c.c.plan == plan, c.c.type == kind, c.c.id == id_)
        .order_by(c.c.version.desc())
        .limit(constant(1))
        .correlate_except(c)
    )


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
    name = kind.concat(part)
    place = func.array_position(s.c.names, name)
    conditions: list[SqlCondition] = [s.c.plan == plan, s.c.referral_id == referral_id]
    conditions.append(name == any_(s.c.names))
    if until is not None:
        conditions.append(s.c.updated_at <= until)
    last = (
        select(s, place.label("place"))
        .where(*conditions)
        .order_by(s.c.versions[place].desc())
        .limit(constant(1))
        .correlate_except(s)
        .subquery("last")
    )
    known: dict[str, SqlExpression] = {
        "version": last.c.versions[last.c.place],
        "updated_at": last.c.updated_at,
        "referral_id": last.c.referral_id,
        "body": last.c.bodies[last.c.place],
        "words": last.c.words[last.c.place],
    }
    return select(*(known[column].label(column) for column in columns))


def current(
    plan: SqlExpression,
    kind: SqlExpression,
    id_: SqlExpression,
    *columns: str,
    listed: bool = True,
) -> SelectBase:
    """Selects columns of the current version of one resource, beside the row that names it.

    The columns are those of `resource_version`. `listed`: the directory may have the resource.
    """
    beside = last_beside(plan, _referral_of(id_), kind, part_of(id_), *columns)
    return union_all(listed_now(plan, kind, id_, *columns), beside) if listed else beside


def versions(
    plan: SqlExpression, kind: SqlExpression, id_: SqlExpression, *, listed: bool
) -> SelectBase:
    """Selects version, time and body of all versions of one resource, as `current` does."""
    c, v = directory_version.alias("c"), resource_version.alias("w")
    of_directory = (
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
    return union_all(of_directory, beside) if listed else beside


def _referral_of(id_: SqlExpression) -> SqlExpression:
    """Returns the id of the referral that a resource with this id would belong to."""
    return func.split_part(id_, constant("."), constant(1))


def part_of(id_: SqlExpression) -> SqlExpression:
    """Returns what an id, or a `Type/id`, adds to the referral's: `.1e2`; nothing for its own."""
    return func.substr(id_, func.length(_referral_of(id_)) + constant(1))
