"""The words by which a search finds a version stand beside it.

What was stored before has none yet: `python -m app migrate` reads it (app/commands/migrate.py), some rows at
a time, and finds by this index what is left to do.
"""

import sqlalchemy as sa
from alembic import op

revision = "stored"
down_revision = "linear"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column(
        "resource_version",
        sa.Column(
            "words",
            sa.Text(),
            nullable=True,
            comment="by which a search finds it; null until it has been read",
        ),
    )
    op.create_index(
        "ix_resource_version_unread",
        "resource_version",
        ["plan", "type", "id"],
        unique=False,
        postgresql_where="words IS NULL",
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_index(
        "ix_resource_version_unread",
        table_name="resource_version",
        postgresql_where="words IS NULL",
    )
    op.drop_column("resource_version", "words")
