"""The family names of a roster's members, by which a member is identified."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0.3.0.families"
down_revision = "row_security"
branch_labels = None
depends_on = None

#: The names of the members that are there already, from the last version of each Patient.
KNOWN = """UPDATE member AS m SET families = n.families FROM (
    SELECT DISTINCT ON (v.plan, v.id) v.plan, v.id, ARRAY(
        SELECT name ->> 'family'
        FROM json_array_elements(convert_from(v.body, 'UTF8')::json -> 'name') AS name
        WHERE name ->> 'family' <> '') AS families
    FROM directory_version v WHERE v.type = 'Patient' ORDER BY v.plan, v.id, v.version DESC) n
WHERE n.plan = m.plan AND n.id = m.id AND n.families <> '{}'"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column(
        "member",
        sa.Column(
            "families",
            postgresql.ARRAY(sa.Text()),
            server_default="{}",
            nullable=False,
            comment="the family names of the roster's Patient",
        ),
    )
    op.execute(KNOWN)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_column("member", "families")
