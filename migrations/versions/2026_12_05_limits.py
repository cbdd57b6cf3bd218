"""What callers have used of their quotas, and the members whom they asked about."""

import sqlalchemy as sa
from alembic import op

revision = "0.3.0.limits"
down_revision = "record"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "quota_use",
        sa.Column("name", sa.Text(), nullable=False, comment="the quota"),
        sa.Column(
            "key",
            sa.Text(),
            nullable=False,
            comment="a client, or the hash of a client and its address",
        ),
        sa.Column(
            "spent_until",
            sa.Double(),
            nullable=False,
            comment="when all of the quota is there again",
        ),
        sa.Column("granted", sa.Integer(), nullable=False, comment="what was given the last time"),
        sa.Column(
            "locked_until",
            sa.Double(),
            server_default="0",
            nullable=False,
            comment="after too many failures; 0: never was",
        ),
        sa.Column(
            "strikes",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="locks in a row",
        ),
        sa.CheckConstraint("granted >= 0 AND strikes >= 0", name=op.f("ck_quota_use_counts")),
        sa.CheckConstraint("length(key) <= 200", name=op.f("ck_quota_use_key")),
        sa.PrimaryKeyConstraint("name", "key", name=op.f("pk_quota_use")),
    )
    op.create_table(
        "asked_member",
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column(
            "member", sa.Text(), nullable=False, comment="a keyed hash of the CIN, never the CIN"
        ),
        sa.Column("until", sa.Double(), nullable=False, comment="a day after it was counted"),
        sa.CheckConstraint("length(member) = 43", name=op.f("ck_asked_member_member")),
        sa.PrimaryKeyConstraint("client_id", "member", name=op.f("pk_asked_member")),
    )
    for table in ("quota_use", "asked_member"):  # the service counts; no caller sees counts
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY seen ON {table} USING ((SELECT nwd_acts_for_service()))")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_table("asked_member")
    op.drop_table("quota_use")
