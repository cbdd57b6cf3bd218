"""Writes the answer to `$check`: the result of the rules, criterion by criterion, as Parameters."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from app.base.local_time import LOCAL
from app.fhir.r4 import codes
from app.model.known import NamedOffer, Placement
from app.policy.citations import citation_in_words
from app.policy.model import Criterion, Determination, Missing, Reason, ShortestWay
from app.policy.readings import BearingReading

_RESULTS = {
    result: {"name": "result", "valueCode": code}
    for result, code in ((True, "true"), (False, "false"), (None, "unknown"))
}

CheckParameter = dict[str, Any]


def parameters(
    determination: Determination,
    placement: Placement | None,
    offers: Sequence[NamedOffer],
    due: datetime,
    explanation: str,
    readings: Sequence[BearingReading] = (),
) -> CheckParameter:
    """The Parameters of spec.md 4, then `explanation`, which says all of them in plain words.

    `offers` are the offers that could take the member, the best first; `readings` are how the
    plan's pages are read where they can be read two ways.
    """
    listed: list[CheckParameter] = [{"name": "outcome", "valueCode": determination.outcome.value}]
    listed += [_reason(reason) for reason in determination.reasons]
    listed += [
        {
            "name": "population",
            "valueCodeableConcept": {
                "coding": [codes.coding(codes.POPULATION, code, codes.POPULATIONS)]
            },
        }
        for code in determination.populations
    ]
    listed += [_missing(missing) for missing in determination.missing]
    listed += [_way(way) for way in determination.ways]
    listed += criteria(determination.criteria)
    if placement is not None:
        listed.append({"name": "assignment", "valueCode": placement.assignment.value})
    listed += [{"name": "performer", "valueReference": _performer(offer)} for offer in offers]
    listed += [_reading(reading) for reading in readings]
    if determination.policy:
        listed.append({"name": "policy", "valueString": determination.policy})
    listed.append({"name": "decisionDue", "valueDateTime": _local(due)})
    # Notes: conflicts between sources, unreadable answers, ignored exclusions (facts.md 4.4).
    listed += [{"name": "detail", "valueString": note} for note in determination.notes]
    listed.append({"name": "explanation", "valueString": explanation})
    return {"resourceType": "Parameters", "parameter": listed}


def _local(moment: datetime) -> str:
    """Write a moment as a FHIR dateTime in California time.

    Before 1883 California's offset had seconds, which FHIR does not allow: then in UTC.
    """
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


def _reading(reading: BearingReading) -> CheckParameter:
    return {
        "name": "reading",
        "part": [
            {"name": "source", "valueString": reading.source},
            {"name": "text", "valueString": reading.text},
        ],
    }


def _way(way: ShortestWay) -> CheckParameter:
    part = [{"name": "population", "valueCode": way.population}] if way.population else []
    part += [{"name": "fact", "valueString": fact} for fact in way.facts]
    return {"name": "way", "part": part}


def criteria(nodes: Iterable[Criterion], above: str = "") -> list[CheckParameter]:
    """The tree of criteria, each with its result, source and detail. The source in words is left
    out where the criterion above has the same.
    """
    return [_criterion(node, above) for node in nodes]


def _criterion(node: Criterion, above: str) -> CheckParameter:
    part: list[CheckParameter] = [
        {"name": "name", "valueString": node.name},
        _RESULTS[node.result],
    ]
    if node.citation:
        part.append({"name": "citation", "valueString": node.citation})
        if node.citation != above:
            part.append({"name": "source", "valueString": citation_in_words(node.citation)})
    if node.detail:
        part.append({"name": "detail", "valueString": node.detail})
    if node.facts:
        part += [{"name": "fact", "valueString": name} for name in node.facts]
    if node.children:
        part += criteria(node.children, node.citation)
    return {"name": "criterion", "part": part}


def _performer(offer: NamedOffer) -> CheckParameter:
    reference: CheckParameter = {"reference": f"Organization/{offer.organization_id}"}
    if offer.npi:
        reference["identifier"] = {"system": codes.NPI, "value": offer.npi}
    return reference
