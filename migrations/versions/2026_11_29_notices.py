"""A member's notice goes to an address that the roster has, or that a person has released.

What was sent before went where its sender had looked; it reads as it did.
"""

import sqlalchemy as sa
from alembic import op

revision = "notices"
down_revision = "searches"
branch_labels = None
depends_on = None

_REACHABLE = """UPDATE member m SET reachable = true FROM (
    SELECT DISTINCT ON (plan, id) plan, id, convert_from(body, 'UTF8')::jsonb AS patient
    FROM resource_version WHERE type = 'Patient' AND referral_id IS NULL
    ORDER BY plan, id, version DESC) v
WHERE v.plan = m.plan AND v.id = m.id AND jsonb_path_exists(v.patient,
    '$.address[*] ? (@.use != "old" || !exists(@.use)) ? (exists(@.line[0]))')"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column(
        "member",
        sa.Column(
            "reachable",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="the roster has an address that a letter can be sent to",
        ),
    )
    op.execute(_REACHABLE)
    op.add_column(
        "correspondence",
        sa.Column(
            "released_at",
            sa.DateTime(timezone=True),
            comment="since when it may go to an address that the referral alone states",
        ),
    )
    op.add_column("correspondence", sa.Column("released_by", sa.Text(), comment="the client"))
    op.add_column("correspondence", sa.Column("release_note", sa.Text(), comment="why it may"))
    op.execute(
        """UPDATE correspondence SET released_at = sent_at, released_by = sent_by,
        release_note = 'Sent before addresses were released.'
        WHERE recipient = 'member' AND sent_by IS NOT NULL"""
    )
    op.create_check_constraint(
        "released",
        "correspondence",
        "(released_at IS NULL) = (release_note IS NULL)"
        " AND (released_at IS NULL) = (released_by IS NULL)",
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_constraint("released", "correspondence", type_="check")
    for column in ("release_note", "released_by", "released_at"):
        op.drop_column("correspondence", column)
    op.drop_column("member", "reachable")
