"""What members permit and refuse; and resources that tell of a substance use disorder are labelled.

The labels are put on stored resources by `migrate` afterwards, together with their search words
(`app.commands.migrate.reindex`): here only the rows that may need it are marked.
"""

import sqlalchemy as sa
from alembic import op

revision = "consent_rules"
down_revision = "0.3.0.callers"
branch_labels = None
depends_on = None

#: Every text of `app/policy/sensitive.yaml` as it was on the day of this migration begins so.
_MAY_TELL = (
    r'"(F1[0-68-9]|f1[0-68-9]|O99|Z71|G62|I42|K29|K70|K85|K86|dmc|high_risk_overdose'
    r'|publicly_intoxicated|SC"|residential-sud|sud"|substance-use|SUD|ETHUD|OPIOIDUD|42CFR|R"|V")'
)

UNREAD = (
    "UPDATE resource_set SET words = NULL WHERE EXISTS (SELECT FROM unnest(bodies) AS b(body) "
    f"WHERE convert_from(b.body, 'UTF8') ~ '{_MAY_TELL}')"
)
#: Whose rules a caller sees: those of its referrals and of its plan (see row_security).
_SEEN = (
    "(SELECT nwd_acts_for_service()) OR plan = ANY ((SELECT nwd_staff_plans())::text[])"
    " OR EXISTS (SELECT FROM party p WHERE p.plan = consent_rule.plan"
    " AND p.referral_id = consent_rule.referral_id"
    " AND p.organization_id = (SELECT nwd_organization()) AND p.until IS NULL OFFSET 0)"
)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "consent_rule",
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("referral_id", sa.Text(), nullable=False),
        sa.Column(
            "document",
            sa.Text(),
            nullable=False,
            comment="the Consent, or the Patient whose contact is unsafe",
        ),
        sa.Column(
            "number",
            sa.Integer(),
            nullable=False,
            autoincrement=False,
            comment="of the rule in its document",
        ),
        sa.Column("covers", sa.Text(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column(
            "dated",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="when the member said so: the latest rule holds",
        ),
        sa.Column("starts", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "recipients",
            sa.Text(),
            nullable=True,
            comment="a line each, Organization/… or npi|…; null: everybody",
        ),
        sa.Column(
            "purposes",
            sa.Text(),
            nullable=True,
            comment="a line each, HL7 v3 PurposeOfUse; null: every one",
        ),
        sa.Column("depth", sa.Integer(), nullable=False, comment="the deeper is the exception"),
        sa.CheckConstraint(
            "covers IN ('sensitive', 'clinical', 'contact')",
            name=op.f("ck_consent_rule_covers"),
        ),
        sa.CheckConstraint(
            "decision IN ('permit', 'deny', 'none')", name=op.f("ck_consent_rule_decision")
        ),
        sa.ForeignKeyConstraint(
            ["plan", "referral_id"],
            ["referral.plan", "referral.id"],
            name=op.f("fk_consent_rule_referral"),
            onupdate="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "plan", "referral_id", "document", "number", name=op.f("pk_consent_rule")
        ),
    )
    op.execute("ALTER TABLE consent_rule ENABLE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY seen ON consent_rule USING ({_SEEN})")
    op.execute(UNREAD)
