"""Resources that a move of a referral stores are one row; those of the directory have their own."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "sets"
down_revision = "fewer_entries"
branch_labels = None
depends_on = None

VIEW = """CREATE VIEW resource_version WITH (security_invoker = true) AS
SELECT s.plan, s.referral_id, k.type,
    s.referral_id || substr(e.name, length(k.type) + 1) AS id, e.version, s.updated_at,
    s.bodies[e.place] AS body, s.words[e.place] AS words
FROM resource_set s
CROSS JOIN LATERAL unnest(s.names, s.versions) WITH ORDINALITY AS e(name, version, place)
CROSS JOIN LATERAL (SELECT split_part(e.name, '.', 1) AS type) AS k"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_table("resource_version")
    op.drop_index("ix_correspondence_referral", "correspondence")
    op.drop_index("ix_task_referral", "task")
    for table in ("task", "correspondence"):
        op.drop_constraint(f"pk_{table}", table)
        op.create_primary_key(f"pk_{table}", table, ["plan", "referral_id", "id"])
    op.create_table(
        "directory_version",
        sa.Column("plan", sa.Text(), nullable=False, comment="`*` for organizations"),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False, comment="FHIR JSON, ready to send"),
        sa.Column(
            "words", sa.Text(), comment="by which a search finds it; null until it has been read"
        ),
        sa.PrimaryKeyConstraint("plan", "type", "id", "version", name="pk_directory_version"),
    )
    op.create_index(
        "ix_directory_version_unread",
        "directory_version",
        ["plan", "type", "id"],
        postgresql_where="words IS NULL",
    )
    op.create_table(
        "resource_set",
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("referral_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False, comment="of the referral"),
        sa.Column(
            "number",
            sa.Text(),
            nullable=False,
            comment="of the row among those of the version; of a letter sent later, its id",
        ),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "names",
            postgresql.ARRAY(sa.Text()),
            nullable=False,
            comment="type, and what the id adds to the referral's: Task, Patient.1e2",
        ),
        sa.Column(
            "versions", postgresql.ARRAY(sa.Integer()), nullable=False, comment="of each resource"
        ),
        sa.Column(
            "bodies",
            postgresql.ARRAY(sa.LargeBinary()),
            nullable=False,
            comment="FHIR JSON, ready to send",
        ),
        sa.Column(
            "words",
            postgresql.ARRAY(sa.Text()),
            comment="by which a search finds it; null until it has been read",
        ),
        sa.PrimaryKeyConstraint("plan", "referral_id", "version", "number", name="pk_resource_set"),
    )
    op.create_index(
        "ix_resource_set_unread",
        "resource_set",
        ["plan", "referral_id", "version", "number"],
        postgresql_where="words IS NULL",
    )
    op.execute(VIEW)


def downgrade() -> None:
    op.execute("DROP VIEW resource_version")
