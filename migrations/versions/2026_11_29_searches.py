"""More to search by: what was stored before is read again.

`python -m app migrate` reads versions that have no words (app/commands/migrate.py), some rows at a time. A
search looks at the current version alone, so the older ones stay as they are.
"""

from alembic import op

revision = "searches"
down_revision = "orgs"
branch_labels = None
depends_on = None

#: Types that are searched by something new, or by another element.
_TYPES = (
    "Task", "ServiceRequest", "QuestionnaireResponse", "Communication", "CommunicationRequest",
    "Observation",
)  # fmt: skip


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    types = ", ".join(f"'{kind}'" for kind in _TYPES)
    op.execute(
        f"""UPDATE resource_version v SET words = NULL WHERE v.type IN ({types})
        AND NOT EXISTS (SELECT 1 FROM resource_version w WHERE w.plan = v.plan
            AND w.type = v.type AND w.id = v.id AND w.version > v.version)"""
    )


def downgrade() -> None:
    """Words that nobody asks for do no harm."""
