"""A decided referral has fewer entries in indexes: only what is pending is found by its due moment.

A member's open authorizations are found by the index that keeps them apart, and what continues an
authorization by an index that has nothing else.
"""

from alembic import op

revision = "fewer_entries"
down_revision = "one_place"
branch_labels = None
depends_on = None

PREVIOUS = "ix_service_authorization_previous"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_index(
        "ix_referral_pending", "referral", ["plan", "decision_due"],
        postgresql_where="state = 'pending'",
    )  # fmt: skip
    op.drop_index("ix_referral_state", "referral")
    op.drop_index("ix_service_authorization_member", "service_authorization")
    op.drop_index(PREVIOUS, "service_authorization")
    op.create_index(
        PREVIOUS, "service_authorization", ["plan", "previous_id"],
        postgresql_where="previous_id IS NOT NULL",
    )  # fmt: skip


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_index(PREVIOUS, "service_authorization")
    op.create_index(PREVIOUS, "service_authorization", ["plan", "previous_id"])
    op.create_index(
        "ix_service_authorization_member", "service_authorization", ["plan", "cin", "service"]
    )
    op.create_index("ix_referral_state", "referral", ["plan", "state", "decision_due"])
    op.drop_index("ix_referral_pending", "referral")
