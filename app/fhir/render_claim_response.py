"""The authorization as a ClaimResponse (`use` = preauthorization), with PAS' review action."""

from collections.abc import Mapping
from typing import Any

from app.fhir import codes
from app.fhir.dates import instant
from app.model.record import Authorization, Referral

_APPROVED = "A1"  # X12 306: certified in total; the code is used, the words are ours


def claim_response(
    referral: Referral,
    authorization: Authorization,
    patient: Mapping[str, Any],
    plan_organization: str | None,
    identifier: Mapping[str, Any],
) -> dict[str, Any]:
    """`identifier` is the referral's: the requester's own where there is one."""
    insurer: dict[str, Any] = (
        {"reference": f"Organization/{plan_organization}"}
        if plan_organization
        else {"identifier": {"system": codes.PLAN_ID, "value": referral.plan}}
    )
    review = {
        "url": codes.PAS_REVIEW_ACTION,
        "extension": [
            {
                "url": codes.PAS_REVIEW_ACTION_CODE,
                "valueCodeableConcept": {"coding": [{"system": codes.X12_306, "code": _APPROVED}]},
            },
            {"url": "number", "valueString": authorization.number},
        ],
    }
    return {
        "resourceType": "ClaimResponse",
        "id": referral.id,
        "meta": {"versionId": str(referral.version), "lastUpdated": instant(referral.updated_at)},
        "extension": [
            {
                "url": codes.AUTHORIZED_REFERRAL,
                "valueReference": {"reference": f"ServiceRequest/{referral.id}"},
            }
        ],
        "identifier": [{"system": codes.AUTHORIZATION_ID, "value": authorization.number}],
        "status": "active" if authorization.status == "open" else "cancelled",
        "type": {"coding": [{"system": codes.CLAIM_TYPE, "code": "professional"}]},
        "use": "preauthorization",
        "patient": dict(patient),
        "created": instant(referral.updated_at),
        "insurer": insurer,
        "requestor": {"reference": f"Organization/{referral.organization_id}"},
        "request": {"identifier": dict(identifier)},
        "outcome": "complete",
        "disposition": f"{codes.SERVICES.get(authorization.service, authorization.service)} "
        "authorized",
        "preAuthRef": authorization.number,
        "preAuthPeriod": {
            "start": authorization.starts_on.isoformat(),
            "end": authorization.ends_on.isoformat(),
        },
        "item": [_item(authorization, review)],
    }


def _item(authorization: Authorization, review: Mapping[str, Any]) -> dict[str, Any]:
    adjudication: dict[str, Any] = {
        "extension": [review],
        "category": {"coding": [{"system": codes.ADJUDICATION, "code": "submitted"}]},
    }
    if authorization.units:
        adjudication["value"] = authorization.units["quantity"]
        adjudication["reason"] = {"text": authorization.units["unit"]}
    item: dict[str, Any] = {"itemSequence": 1, "adjudication": [adjudication]}
    if authorization.performer_id:
        item["extension"] = [
            {
                "url": codes.PAS_AUTHORIZED_PROVIDER,
                "extension": [
                    {
                        "url": "provider",
                        "valueReference": {
                            "reference": f"Organization/{authorization.performer_id}"
                        },
                    }
                ],
            }
        ]
    return item
