"""Few foreign keys are left: the check of one costs more than the row.

All rows of a change are written by one statement, and nothing deletes a referral or a message: no
row can be left behind. History and determinations keep theirs, by which they follow a referral that
gets another plan (`app/store/referral/change_of_plan.py`).
"""

from alembic import op

revision = "few_foreign_keys"
down_revision = "checks"
branch_labels = None
depends_on = None

OF_REFERRAL = (
    "information_request",
    "party",
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
