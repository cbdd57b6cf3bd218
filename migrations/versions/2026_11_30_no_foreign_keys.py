"""The tables have no foreign keys any more: a check of one costs more than the row.

All rows of a change are written by one statement, and nothing deletes a referral or a message: no
row can be left behind. A referral that gets another plan takes its rows with it
(`app/store/referral/change_of_plan.py`).
"""

from alembic import op

revision = "no_foreign_keys"
down_revision = "checks"
branch_labels = None
depends_on = None

OF_REFERRAL = (
    "determination",
    "information_request",
    "party",
    "referral_history",
    "service_authorization",
    "task",
)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table in OF_REFERRAL:
        op.drop_constraint(op.f(f"fk_{table}_referral"), table, type_="foreignkey")
    op.drop_constraint(op.f("fk_delivery_message"), "delivery", type_="foreignkey")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_foreign_key(
        op.f("fk_delivery_message"), "delivery", "message", ["plan", "message_id"], ["plan", "id"],
        onupdate="CASCADE",
    )  # fmt: skip
    for table in OF_REFERRAL:
        op.create_foreign_key(
            op.f(f"fk_{table}_referral"), table, "referral", ["plan", "referral_id"],
            ["plan", "id"], onupdate="CASCADE",
        )  # fmt: skip
