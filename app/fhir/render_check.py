"""The answer to `$check`: what the rules say, criterion by criterion, as Parameters."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from app.base.local_time import LOCAL
from app.fhir.r4 import codes
from app.model.known import NamedOffer, Placement
from app.policy.model import Criterion, Determination, Missing, Reason

_RESULTS = {True: "true", False: "false", None: "unknown"}

CheckParameter = dict[str, Any]


def parameters(
    determination: Determination,
    placement: Placement | None,
    offers: Sequence[NamedOffer],
    due: datetime,
    explanation: str,
) -> CheckParameter:
    """All of spec.md 4's parameters, then the whole in plain words; `offers` are those that could
    take the member, best first.
    """
    found: list[CheckParameter] = [{"name": "outcome", "valueCode": determination.outcome.value}]
    found += [_reason(reason) for reason in determination.reasons]
    found += [
        {
            "name": "population",
            "valueCodeableConcept": {
                "coding": [codes.coding(codes.POPULATION, code, codes.POPULATIONS)]
            },
        }
        for code in determination.populations
    ]
    found += [_missing(missing) for missing in determination.missing]
    found += criteria(determination.criteria)
    if placement is not None:
        found.append({"name": "assignment", "valueCode": placement.assignment.value})
    found += [{"name": "performer", "valueReference": _performer(offer)} for offer in offers]
    if determination.policy:
        found.append({"name": "policy", "valueString": determination.policy})
    found.append({"name": "decisionDue", "valueDateTime": _local(due)})
    # Conflicts between sources, unreadable answers, exclusions set aside (facts.md 4.4).
    found += [{"name": "detail", "valueString": note} for note in determination.notes]
    found.append({"name": "explanation", "valueString": explanation})
    return {"resourceType": "Parameters", "parameter": found}


def _local(moment: datetime) -> str:
    """California time as a FHIR dateTime; in UTC before 1883, when it had no whole minutes."""
    local = moment.astimezone(LOCAL).isoformat(timespec="seconds")
    return local if local.count(":") == 3 else moment.astimezone(UTC).isoformat(timespec="seconds")


def _reason(reason: Reason) -> CheckParameter:
    concept: dict[str, Any] = {
        "coding": [codes.coding(codes.DETERMINATION_REASON, reason.code, codes.REASONS)]
    }
    concept["text"] = reason.text or codes.REASONS.get(reason.code, reason.code)
    return {"name": "reason", "valueCodeableConcept": concept}


def _missing(missing: Missing) -> CheckParameter:
    return {
        "name": "missing",
        "part": [
            {"name": "fact", "valueString": missing.fact},
            {"name": "question", "valueString": missing.question},
        ],
    }


def criteria(nodes: Iterable[Criterion]) -> list[CheckParameter]:
    """The tree of criteria, each with its result, source and detail."""
    return [_criterion(node) for node in nodes]


def _criterion(node: Criterion) -> CheckParameter:
    part: list[CheckParameter] = [
        {"name": "name", "valueString": node.name},
        {"name": "result", "valueCode": _RESULTS[node.result]},
    ]
    if node.citation:
        part.append({"name": "citation", "valueString": node.citation})
    if node.detail:
        part.append({"name": "detail", "valueString": node.detail})
    part += [{"name": "fact", "valueString": name} for name in node.facts]
    part += criteria(node.children)
    return {"name": "criterion", "part": part}


def _performer(offer: NamedOffer) -> CheckParameter:
    reference: CheckParameter = {"reference": f"Organization/{offer.organization_id}"}
    if offer.npi:
        reference["identifier"] = {"system": codes.NPI, "value": offer.npi}
    return reference
