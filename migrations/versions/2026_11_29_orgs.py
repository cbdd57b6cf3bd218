"""An NPI is one organization's, who made an organization is kept, and changes wait for a second word.

Of several that have the same NPI already, the oldest has it; the others' resources stay as they are
until they are changed, and then say so. Of organizations from before nobody knows who made them.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "orgs"
down_revision = "doors"
branch_labels = None
depends_on = None

#: The key of text that is too long is the same here as in `app.base.text`: the column holds it.
BACKFILL = """INSERT INTO organization_npi (organization_id, npi)
SELECT DISTINCT ON (o.npi) o.id, o.npi FROM organization o
LEFT JOIN resource_version v ON v.plan = '*' AND v.type = 'Organization' AND v.id = o.id
    AND v.version = 1
WHERE o.npi IS NOT NULL ORDER BY o.npi, coalesce(v.updated_at, o.updated_at), o.id"""


#: Referrals find nobody by a number that is another's.
UNNAMED = """UPDATE organization o SET npi = NULL WHERE o.npi IS NOT NULL AND NOT EXISTS
    (SELECT 1 FROM organization_npi n WHERE n.organization_id = o.id AND n.npi = o.npi)"""
UNNAMED_OFFERS = """UPDATE offer f SET npi = '' FROM organization o
WHERE o.id = f.organization_id AND o.npi IS NULL AND f.npi <> ''"""
#: The second word's own clients say it: what a role grants since, clients from before have, too.
GRANTED = """UPDATE client SET scopes = array_replace(scopes, '{old}', '{new}')
WHERE 'system/ServiceRequest.crus' = ANY (scopes)"""
BEFORE, SINCE = "system/Organization.crs", "system/Organization.crus"


def _proposals() -> None:
    op.create_table(
        "organization_proposal",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("based_on", sa.Integer(), nullable=False, comment="the version that it changes"),
        sa.Column("changes", pg.ARRAY(sa.Text()), nullable=False, comment="of name, address, npi"),
        sa.Column(
            "body", sa.LargeBinary(), nullable=False, comment="the Organization as it would be"
        ),
        sa.Column(
            "state",
            sa.Text(),
            nullable=False,
            comment="open | confirmed | rejected | overtaken",
        ),
        sa.Column("proposed_by", sa.Text(), nullable=False, comment="the client"),
        sa.Column(
            "proposed_for",
            sa.Text(),
            nullable=False,
            comment="the client's organization: it gives no second word",
        ),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.Text(), comment="the client; null where it was overtaken"),
        sa.Column("decided_for", sa.Text(), comment="the client's organization"),
        sa.Column("decided_at", sa.DateTime(timezone=True)),
        sa.Column("note", sa.Text()),
        sa.CheckConstraint(
            "state IN ('open', 'confirmed', 'rejected', 'overtaken')",
            name=op.f("ck_organization_proposal_state"),
        ),
        sa.CheckConstraint(
            "(state = 'open') = (decided_at IS NULL)",
            name=op.f("ck_organization_proposal_decided"),
        ),
        sa.CheckConstraint(
            "state NOT IN ('confirmed', 'rejected') OR (decided_by IS NOT NULL"
            " AND decided_for IS NOT NULL AND decided_for <> proposed_for)",
            name=op.f("ck_organization_proposal_second_word"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organization_proposal")),
    )
    op.create_index(
        "ix_organization_proposal_proposed_at", "organization_proposal", ["proposed_at", "id"]
    )
    op.create_index(
        "uq_organization_proposal_open",
        "organization_proposal",
        ["organization_id", "proposed_for"],
        unique=True,
        postgresql_where="state = 'open'",
    )


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "organization_npi",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("npi", sa.Text(), nullable=False, comment="as a key holds it"),
        sa.PrimaryKeyConstraint("organization_id", "npi", name="pk_organization_npi"),
    )
    op.create_index("uq_organization_npi", "organization_npi", ["npi"], unique=True)
    for statement in (BACKFILL, UNNAMED, UNNAMED_OFFERS):
        op.execute(statement)
    op.add_column(
        "organization",
        sa.Column(
            "made_by",
            sa.Text(),
            comment="the plan whose client made it; null where it was loaded",
        ),
    )
    _proposals()
    op.execute(GRANTED.format(old=BEFORE, new=SINCE))


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(GRANTED.format(old=SINCE, new=BEFORE))
    op.drop_table("organization_proposal")
    op.drop_column("organization", "made_by")
    op.drop_table("organization_npi")
