"""Where the rows of each resource type come from. What is asked of them is `catalog.py`."""

from app.fhir import render_provenance
from app.store.reading.parameters import Arm

_BESIDE = """resource_version v JOIN referral r ON r.plan = v.plan AND r.id = v.referral_id"""
#: The row is the current version of its resource.
LATEST = """NOT EXISTS (SELECT 1 FROM resource_version w WHERE w.plan = v.plan AND w.type = v.type
    AND w.id = v.id AND w.version > v.version)"""

_CHILD_ARM = Arm(_BESIDE, "v.plan", "v.id", "v.updated_at")
_DIRECTORY_ARM = Arm("resource_version v", "v.plan", "v.id", "v.updated_at", owned=False)
ARMS: dict[str, tuple[Arm, ...]] = {
    "ServiceRequest": (Arm("referral r", "r.plan", "r.id", "r.updated_at"),),
    "Task": (
        Arm(
            "task t JOIN referral r ON r.plan = t.plan AND r.id = t.referral_id",
            "t.plan",
            "t.id",
            "t.updated_at",
        ),
    ),
    "ClaimResponse": (
        Arm(
            "service_authorization a JOIN referral r ON r.plan = a.plan AND r.id = a.referral_id",
            "r.plan",
            "r.id",
            "a.updated_at",
        ),
    ),
    "HealthcareService": (_DIRECTORY_ARM,),
    # A move of a referral is shown as one; beside these, what referrers sent themselves.
    "Provenance": (
        Arm(
            "referral_history h JOIN referral r ON r.plan = h.plan AND r.id = h.referral_id",
            "h.plan",
            render_provenance.ID,
            "h.at",
            words=render_provenance.WORDS,
        ),
        _CHILD_ARM,
    ),
    **dict.fromkeys(("Patient", "Coverage", "Organization"), (_CHILD_ARM, _DIRECTORY_ARM)),
    "QuestionnaireResponse": (_CHILD_ARM, _DIRECTORY_ARM),
}


def arms(kind: str) -> tuple[Arm, ...]:
    """Where the rows of a type come from; most stand beside a referral."""
    return ARMS.get(kind, (_CHILD_ARM,))
