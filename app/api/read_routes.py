"""Reads and searches of everything that belongs to a referral."""

from fastapi import APIRouter

from app.api.reads import add_reading

router = APIRouter()

#: Type → who reads it mostly, and an example.
_TYPES: dict[str, tuple[str, list[str]]] = {
    "ServiceRequest": ("Referrals", ["referral-approved"]),
    "Task": ("Providers", ["task"]),
    "ClaimResponse": ("Referrals", ["claim-response"]),
    "Communication": ("Referrals", ["communication"]),
    "CommunicationRequest": ("Referrals", ["communication-request"]),
    "QuestionnaireResponse": ("Referrals", ["questionnaire-response"]),
    "Condition": ("Referrals", ["condition"]),
    "Encounter": ("Referrals", ["encounter"]),
    "Observation": ("Referrals", ["observation"]),
    "DocumentReference": ("Referrals", ["document-reference"]),
    "Consent": ("Referrals", ["consent"]),
    "Provenance": ("Plan staff", ["provenance"]),
}

for _kind, (_tag, _examples) in _TYPES.items():
    add_reading(router, _kind, _tag, _examples)
