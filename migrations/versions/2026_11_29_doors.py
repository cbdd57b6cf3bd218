"""Doors that stood open: what full content goes by, and scopes for what is sent along.

An endpoint from before has no client on record: any of its organization's vouches for it.
"""

import sqlalchemy as sa
from alembic import op

revision = "doors"
down_revision = "stored"
branch_labels = None
depends_on = None

#: What a referral's Bundle brings; whoever refers could create these without a scope that says so.
SENT_ALONG = (
    "Organization", "QuestionnaireResponse", "Condition", "Encounter", "Observation",
    "DocumentReference", "Consent", "Provenance", "Patient", "Coverage", "AllergyIntolerance", "CarePlan",
    "CareTeam", "Device", "DiagnosticReport", "EpisodeOfCare", "FamilyMemberHistory", "Goal",
    "Immunization", "Location", "Medication", "MedicationRequest", "MedicationStatement",
    "Practitioner", "PractitionerRole", "Procedure", "RelatedPerson", "RiskAssessment",
)  # fmt: skip


def _scopes(old: str, new: str) -> None:
    kinds = ", ".join(f"'system/{kind}.{old}'" for kind in SENT_ALONG)
    op.execute(
        "UPDATE client SET scopes = ARRAY(SELECT CASE WHEN s IN"
        f" ({kinds}) THEN split_part(s, '.', 1) || '.{new}' ELSE s END FROM unnest(scopes) s)"
        " WHERE 'system/ServiceRequest.crus' = ANY (scopes)"
    )


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column(
        "webhook_endpoint",
        sa.Column(
            "client_id",
            sa.Text(),
            comment="whose scopes full content goes by: who made it or changed it last",
        ),
    )
    _scopes("rs", "crs")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    _scopes("crs", "rs")
    op.drop_column("webhook_endpoint", "client_id")
