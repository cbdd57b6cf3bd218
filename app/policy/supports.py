"""Community Supports: the plan's gate, the criteria of the service (facts.md 6.5), and its limits
(facts.md 7).

A limit compares the amounts used and requested with the most that the plan gives. A limit can only
stop an approval. The amount that an approval covers is a matter of the authorization (`terms` of
the policy).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal

from app.policy.criteria import NOT_STATED, Node
from app.policy.exclusions import exclude
from app.policy.finding import Finding
from app.policy.missing import AskedCriterion, StillOpen, joined
from app.policy.model import Criterion, DeterminationOutcome, Reason
from app.policy.policy import Policy, PolicyLimit
from app.policy.reading import Reading
from app.policy.schema import Limit

#: Part of the name of a fact → the unit of its amount.
_UNITS = {
    "_usd": "dollars",
    "_hours": "hours",
    "_days": "days",
    "_weeks": "weeks",
    "_times": "times",
}


@dataclass(frozen=True, slots=True)
class _Part:
    """One of the parts joined by `and`: its criterion as a node, the answer of the facts, and the
    reason of a denial where the answer is false.
    """

    node: Node | None
    answer: Criterion
    reason: str


def find_support(
    policy: Policy, service: str, county: str | None, reading: Reading, ecm: Callable[[], Finding]
) -> Finding:
    """Find the answer for one Community Support in one county, exclusions included.

    `ecm` finds the answer for ECM on the same facts; the gate of the plan may need that answer.
    """
    excluded = exclude(policy, service, county, reading)
    if service not in policy.supports:
        reasons = excluded.reasons or (Reason("not-offered"),)
        return Finding(
            DeterminationOutcome.DENIED, reasons, criteria=excluded.criteria, administrative=True
        )
    parts = _parts(policy, service, reading, ecm)
    criteria = (*excluded.criteria, *(part.answer for part in parts))
    if excluded.reasons:
        return Finding(
            DeterminationOutcome.DENIED, excluded.reasons, criteria=criteria, administrative=True
        )
    cell = policy.cell(service, county)
    partial = cell is not None and cell.partial
    return replace(_decide(policy, service, parts, partial, reading), criteria=criteria)


def _parts(
    policy: Policy, service: str, reading: Reading, ecm: Callable[[], Finding]
) -> list[_Part]:
    parts = []
    if policy.gate is not None:
        answer = policy.gate.read(reading)
        if answer.result is None:  # only then can the answer for ECM matter
            reading.ecm = ecm
            answer = policy.gate.read(reading)
        shown = replace(answer, name="plan gate")
        parts.append(_Part(policy.gate, shown, "plan-gate-not-met"))
    node = policy.supports[service]
    parts.append(_Part(node, node.read(reading), "service-criteria-not-met"))
    limits = [limit for limit in policy.limits if service in limit.data.services]
    parts += [_Part(x.unless, within_limit(x, reading), "limit-reached") for x in limits]
    return parts


def _decide(
    policy: Policy, service: str, parts: list[_Part], partial: bool, reading: Reading
) -> Finding:
    """Deny if one part is false; approve only if all parts are true."""
    failed = dict.fromkeys(part.reason for part in parts if part.answer.result is False)
    if failed:
        reasons = tuple(Reason(c, _source(policy, service, c)) for c in failed)
        return Finding(DeterminationOutcome.DENIED, reasons)
    unknown = [part for part in parts if part.answer.result is None]
    found = _open(unknown, reading)
    reasons = (Reason("partial-availability", policy.advice("partial")),) if partial else ()
    if found.facts:
        asking = (*reasons, Reason("facts-missing"))
        return Finding(DeterminationOutcome.PENDING, asking, missing=found.facts, ways=found.ways)
    if unknown:  # no fact to ask for: the gate needs an answer for ECM that a person gives
        return Finding(DeterminationOutcome.PENDING, (*reasons, Reason("review-required")))
    if partial:
        return Finding(DeterminationOutcome.PENDING, reasons)
    return Finding(DeterminationOutcome.APPROVED, (Reason("service-criteria-met"),))


def _open(unknown: list[_Part], reading: Reading) -> StillOpen:
    parts = []
    for part in unknown:
        if part.node is not None:
            is_limit = part.reason == "limit-reached"
            parts.append(
                AskedCriterion(part.node, part.answer.children[0] if is_limit else part.answer)
            )
    return joined(parts, reading)


def _source(policy: Policy, service: str, reason: str) -> str | None:
    """Return advice that says that a denial rests on another plan's documents (spec.md 2); None
    where the denial does not.
    """
    if reason == "plan-gate-not-met":
        return None
    if reason == "limit-reached" or policy.has_secondary_criteria(service):
        return policy.advice("secondary-source")
    return None


def within_limit(limit: PolicyLimit, reading: Reading) -> Criterion:
    """Answer True while the limit is not reached; unknown if the limit is reached and its exception
    is unknown.

    An unknown used amount does not reach the limit. With an unknown requested amount, the limit is
    reached only if nothing is left.
    """
    data = limit.data
    used, requested = _number(reading, data.used), _number(reading, data.requested)
    facts = (data.used,) if data.requested is None else (data.used, data.requested)
    name = f"within limit: {limit.name}"
    detail = _detail(used, requested, data)
    if used is None or not _over(used, requested, data.most):
        return Criterion(name, True, data.citation, detail, facts)
    if limit.unless is None:
        return Criterion(name, False, data.citation, detail, facts)
    excepted = limit.unless.read(reading)
    return Criterion(name, excepted.result, data.citation, detail, facts, (excepted,))


def _over(used: Decimal | int, requested: Decimal | int | None, most: int) -> bool:
    return used >= most if requested is None else used + requested > most


def _number(reading: Reading, name: str | None) -> Decimal | int | None:
    value = None if name is None else reading.value(name)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    return value


def _detail(used: Decimal | int | None, requested: Decimal | int | None, limit: Limit) -> str:
    """Word the amounts: `7,000 of 7,500 dollars used, 1,000 asked for`."""
    unit = next((word for end, word in _UNITS.items() if end in limit.used), "")
    most = f"{limit.most:,} {unit}".rstrip()
    parts = [f"at most {most}, how much is used is {NOT_STATED}"]
    if used is not None:
        times = f"used {used} {'time' if used == 1 else unit}, at most {limit.most}"
        parts = [times if unit == "times" else f"{used:,} of {most} used"]
    if requested is not None:
        parts.append(f"{requested:,} asked for")
    return ", ".join([*parts, *([limit.note] if limit.note else [])])
