"""One row finds a referral with all that has its id: its Task and its authorization need no own row.

Resources that earlier versions gave an id of their own keep the row that finds them.
"""

from alembic import op

revision = "one_place"
down_revision = "few_foreign_keys"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("DELETE FROM locator WHERE type <> 'ServiceRequest' AND id = referral_id")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("""INSERT INTO locator (type, id, plan, referral_id)
        SELECT DISTINCT v.type, v.id, v.plan, v.referral_id
        FROM resource_version v JOIN locator l ON l.type = 'ServiceRequest'
            AND l.id = v.referral_id AND l.plan = v.plan
        WHERE v.type <> 'ServiceRequest' ON CONFLICT DO NOTHING""")
