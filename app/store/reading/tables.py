"""The tables that conditions of reads and searches are about, by the names of their rows."""

from typing import Any

from sqlalchemy import Select, select

from app.store.statement import SqlExpression, constant
from app.store.tables.referral import (
    locator,
    referral,
    referral_history,
    resource_version,
    task,
)

#: The referral that a row belongs to.
REFERRAL = referral.alias("r")
TASK = task.alias("t")
#: A stored version of a resource.
VERSION = resource_version.alias("v")
#: The place of a FHIR id.
PLACE = locator.alias("l")
#: A move of a referral, which is shown as a Provenance.
MOVE = referral_history.alias("h")


def current(
    plan: SqlExpression, kind: SqlExpression, id_: SqlExpression, *columns: str
) -> Select[Any]:
    """Selects columns of the current version of one resource, beside the row that names it."""
    c = resource_version.alias("c")
    return (
        select(*(c.c[column] for column in columns))
        .where(c.c.plan == plan, c.c.type == kind, c.c.id == id_)
        .order_by(c.c.version.desc())
        .limit(constant(1))
        .correlate_except(c)
    )
