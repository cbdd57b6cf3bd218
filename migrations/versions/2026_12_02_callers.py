"""A client has keys, a purpose, a history, and tokens that end at once.

The plan's own clients ask to administer benefits (HPAYMT); all others ask to treat.
"""

import sqlalchemy as sa
from alembic import op

revision = "0.3.0.callers"
down_revision = "0.3.0.families"
branch_labels = None
depends_on = None

CHECKS = {
    "keys": "jwks IS NULL OR jwks_uri IS NULL",
    "previous": "(previous_secret_hash IS NULL) = (previous_secret_until IS NULL)",
    "series": "(token_series = 0) = (series_at IS NULL)",
    "purpose": "purpose IN ('TREAT', 'ETREAT', 'CAREMGT', 'COC', 'HPAYMT', 'HOPERAT', 'PUBHLTH')",
}


def columns():
    return (
        sa.Column("name", sa.Text(), nullable=True, comment="by which people know it"),
        sa.Column(
            "plan",
            sa.Text(),
            nullable=True,
            comment="the plan whose staff registered it; null: the operator",
        ),
        sa.Column(
            "purpose",
            sa.Text(),
            server_default="TREAT",
            nullable=False,
            comment="why it asks: HL7 v3 PurposeOfUse",
        ),
        sa.Column("jwks", sa.Text(), nullable=True, comment="JSON: its public keys"),
        sa.Column(
            "jwks_uri", sa.Text(), nullable=True, comment="where it publishes its public keys"
        ),
        sa.Column(
            "certificate",
            sa.Text(),
            nullable=True,
            comment="SHA-256 of its TLS certificate, base64url",
        ),
        sa.Column(
            "previous_secret_hash",
            sa.Text(),
            nullable=True,
            comment="good until previous_secret_until",
        ),
        sa.Column("previous_secret_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "token_series",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="tokens of an earlier series are refused",
        ),
        sa.Column(
            "series_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when token_series last changed",
        ),
    )


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for column in columns():
        op.add_column("client", column)
    for name, check in CHECKS.items():
        op.create_check_constraint(op.f(f"ck_client_{name}"), "client", check)
    op.create_index("ix_client_plan", "client", ["plan", "created_at", "id"])
    op.create_index("ix_client_organization", "client", ["organization_id"])
    op.create_index("ix_client_series", "client", ["series_at"])
    op.execute(
        "UPDATE client SET purpose = 'HPAYMT' FROM organization o WHERE o.id = organization_id AND o.plan IS NOT NULL"
    )
    op.create_table(
        "client_history",
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column(
            "actor",
            sa.Text(),
            nullable=False,
            comment="the client that did it; `operator` at the command line",
        ),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "event IN ('register', 'rotate', 'keys', 'switch-off', 'switch-on')",
            name=op.f("ck_client_history_event"),
        ),
        sa.PrimaryKeyConstraint("client_id", "id", name=op.f("pk_client_history")),
    )
    op.create_table(
        "client_assertion",
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("jti", sa.Text(), nullable=False, comment="SHA-256 of the assertion's id"),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("client_id", "jti", name=op.f("pk_client_assertion")),
    )
    op.create_index("ix_client_assertion_expires_at", "client_assertion", ["expires_at"])
    for table in ("client_history", "client_assertion"):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY seen ON {table} USING ((SELECT nwd_acts_for_service()))")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_table("client_assertion")
    op.drop_table("client_history")
    op.drop_index("ix_client_series", "client")
    op.drop_index("ix_client_organization", "client")
    op.drop_index("ix_client_plan", "client")
    for name in CHECKS:
        op.drop_constraint(op.f(f"ck_client_{name}"), "client")
    for column in columns():
        op.drop_column("client", column.name)
