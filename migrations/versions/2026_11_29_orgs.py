"""An NPI is one organization's, and who made an organization is kept.

Of several that have the same NPI already, the oldest has it; the others' resources stay as they are
until they are changed, and then say so. Of organizations from before nobody knows who made them.
"""

import sqlalchemy as sa
from alembic import op

revision = "orgs"
down_revision = "doors"
branch_labels = None
depends_on = None

#: The key of text that is too long is the same here as in `app.letters`: the column holds it.
BACKFILL = """INSERT INTO organization_npi (organization_id, npi)
SELECT DISTINCT ON (o.npi) o.id, o.npi FROM organization o
LEFT JOIN resource_version v ON v.plan = '*' AND v.type = 'Organization' AND v.id = o.id
    AND v.version = 1
WHERE o.npi IS NOT NULL ORDER BY o.npi, coalesce(v.updated_at, o.updated_at), o.id"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "organization_npi",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("npi", sa.Text(), nullable=False, comment="as a key holds it"),
        sa.PrimaryKeyConstraint("organization_id", "npi", name="pk_organization_npi"),
    )
    op.create_index("uq_organization_npi", "organization_npi", ["npi"], unique=True)
    op.execute(BACKFILL)
    op.add_column(
        "organization",
        sa.Column(
            "made_by",
            sa.Text(),
            comment="the plan whose client made it; null where it was loaded",
        ),
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_column("organization", "made_by")
    op.drop_table("organization_npi")
