"""Nothing infinite is stored: an authorization that ends with the calendar ends on its last day.

Approvals of a service wished for in the year 9999 had stored `infinity`, which no reader reads
back: those rows are mended first, and a check refuses the next one.
"""

from alembic import op

revision = "linear"
down_revision = "0001"
branch_labels = None
depends_on = None

#: Table → its days, then its moments, that somebody may state.
DAYS = {"service_authorization": ("starts_on", "ends_on"), "determination": ("as_of",)}
MOMENTS = {
    "referral": ("received_at", "decision_due", "void_due"),
    "information_request": ("void_due", "remind_at"),
    "webhook_endpoint": ("ends_at",),
}


def _mend(table: str, column: str, first: str, last: str) -> None:
    op.execute(f"UPDATE {table} SET {column} = '{last}' WHERE {column} = 'infinity'")
    op.execute(f"UPDATE {table} SET {column} = '{first}' WHERE {column} = '-infinity'")


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table, columns in DAYS.items():
        for column in columns:
            _mend(table, column, "0001-01-02", "9999-12-30")
    for table, columns in MOMENTS.items():
        for column in columns:
            _mend(table, column, "0001-01-02T00:00Z", "9999-12-31T23:59:59Z")
    for table, columns in {**DAYS, **MOMENTS}.items():
        said = " AND ".join(f"isfinite({column})" for column in columns)
        op.create_check_constraint(op.f(f"ck_{table}_finite"), table, said)


def downgrade() -> None:
    for table in (*DAYS, *MOMENTS):
        op.drop_constraint(op.f(f"ck_{table}_finite"), table, type_="check")
