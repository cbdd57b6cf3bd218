"""The record of every access and move, and the seals that chain it: two append-only tables."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "record"
down_revision = "consent_rules"
branch_labels = None
depends_on = None

SERVICE = "(SELECT nwd_acts_for_service())"
POLICIES = {
    "audit_event": "plan = ANY ((SELECT nwd_staff_plans())::text[])",
    "audit_seal": "false",
}


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "audit_event",
        sa.Column(
            "plan", sa.Text(), nullable=False, comment="whose chain: a plan key, or * for no plan"
        ),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("recorded", sa.DateTime(timezone=True), nullable=False),
        sa.Column("action", sa.Text(), nullable=False, comment="C, R, U, D or E"),
        sa.Column(
            "interaction",
            sa.Text(),
            nullable=False,
            comment="read, search-type, approve, disclose …",
        ),
        sa.Column("status", sa.Integer(), nullable=False, comment="of the HTTP answer"),
        sa.Column(
            "client",
            sa.Text(),
            nullable=True,
            comment="a client id, `rules`, `clock`, a command; null if unknown",
        ),
        sa.Column(
            "organization",
            sa.Text(),
            nullable=True,
            comment="that the client acts for; of a disclosure, who was told",
        ),
        sa.Column("purpose", sa.Text(), nullable=True, comment="HL7 v3 PurposeOfUse"),
        sa.Column("address", sa.Text(), nullable=True, comment="the client's network address"),
        sa.Column(
            "kind",
            sa.Text(),
            nullable=True,
            comment="the FHIR type; null for what is no FHIR resource",
        ),
        sa.Column(
            "about",
            postgresql.ARRAY(sa.Text()),
            nullable=False,
            comment="type and id: Patient/1, Task/2",
        ),
        sa.Column("query", sa.Text(), nullable=True, comment="of a search, as sent"),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.CheckConstraint("status BETWEEN 200 AND 599", name=op.f("ck_audit_event_status")),
        sa.CheckConstraint(
            "action IN ('C', 'R', 'U', 'D', 'E')", name=op.f("ck_audit_event_action")
        ),
        sa.CheckConstraint("isfinite(recorded)", name=op.f("ck_audit_event_finite")),
        sa.PrimaryKeyConstraint("plan", "id", name=op.f("pk_audit_event")),
        postgresql_partition_by="RANGE (id)",
    )
    op.create_index(
        "ix_audit_event_about", "audit_event", ["about"], unique=False, postgresql_using="gin"
    )
    op.create_index(
        "ix_audit_event_recorded", "audit_event", ["plan", "recorded", "id"], unique=False
    )
    op.execute("CREATE TABLE audit_event_default PARTITION OF audit_event DEFAULT")
    op.create_table(
        "audit_seal",
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False, comment="1, 2, 3 … without gaps"),
        sa.Column(
            "first_seq",
            sa.BigInteger(),
            nullable=False,
            comment="of the first event in the chain",
        ),
        sa.Column(
            "events",
            postgresql.ARRAY(sa.Text()),
            nullable=False,
            comment="ids, in the order of the chain",
        ),
        sa.Column("last_id", sa.Text(), nullable=False, comment="the highest of these ids"),
        sa.Column(
            "hashes",
            sa.LargeBinary(),
            nullable=False,
            comment="SHA-256 after each event, joined",
        ),
        sa.Column("sealed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "number > 0 AND first_seq > 0 AND cardinality(events) > 0"
            " AND last_id = events[cardinality(events)]"
            " AND octet_length(hashes) = 32 * cardinality(events)",
            name=op.f("ck_audit_seal_whole"),
        ),
        sa.CheckConstraint("isfinite(sealed_at)", name=op.f("ck_audit_seal_finite")),
        sa.PrimaryKeyConstraint("plan", "number", name=op.f("pk_audit_seal")),
    )
    op.create_index("ix_audit_seal_last_id", "audit_seal", ["plan", "last_id"], unique=False)
    # Whoever acts for a caller may add to the record; staff see their plan's, nobody else any.
    for table, seen in POLICIES.items():
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY seen ON {table} USING ({SERVICE} OR {seen}) WITH CHECK (true)")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_table("audit_seal")
    op.drop_table("audit_event")
