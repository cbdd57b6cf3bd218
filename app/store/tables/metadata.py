"""The one `MetaData`, with names for all constraints, and functions for frequent columns.

Rules of the schema since the first migration: the plan comes first in every key of a table that
belongs to a plan; the application makes ids and times; no triggers, no advisory locks. So the
database can be distributed by plan later, and what grows with the years is partitioned by the month
of its ids (docs/decisions/0003). All rows of a change are written by one statement, and nothing
deletes a referral, so that no row can be left behind. Hence no foreign keys, whose check costs more
than a row, but those of `follows`.
"""

from typing import Any

from sqlalchemy import CheckConstraint, Column, DateTime, ForeignKeyConstraint, MetaData, Text

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def text(name: str, **options: Any) -> Column[str]:
    """Makes a text column that must have a value."""
    return Column(name, Text, nullable=False, **options)


def finite(*columns: str) -> CheckConstraint:
    """Makes the check that stated days and moments are finite: no reader takes infinite ones."""
    return CheckConstraint(" AND ".join(f"isfinite({name})" for name in columns), name="finite")


def follows() -> ForeignKeyConstraint:
    """Makes the foreign key of append-only rows to their referral.

    They follow the referral to another plan (`app.store.referral.change_of_plan`), though the
    service may not change them.
    """
    return ForeignKeyConstraint(
        ["plan", "referral_id"], ["referral.plan", "referral.id"], onupdate="CASCADE"
    )


def by_month(column: str) -> dict[str, Any]:
    """Makes the option of a table that is partitioned by the month of the ids in a column.

    The column has to be in the primary key and in every unique index. `app.store.months` makes the
    partitions; the migration that makes the table makes its default partition, too.
    """
    return {"postgresql_partition_by": f"RANGE ({column})"}


def moment(name: str, **options: Any) -> Column[Any]:
    """Makes a column for a timestamp with time zone that must have a value."""
    return Column(name, DateTime(timezone=True), nullable=False, **options)
