"""Puts one referral to one plan's rules: `evaluate` answers with a determination.

The order follows facts.md 6: the member and the service (6.6), exclusions (6.3), populations (6.4)
or Community Supports (6.5), open authorizations (6.7). The decision stage decides whether the
answer takes effect by itself, and what happens then.
"""

from collections.abc import Iterable
from dataclasses import replace

from app.policy.counties import member_county
from app.policy.counts import ages
from app.policy.dictionary import Dictionary
from app.policy.ecm import ECM, find_ecm
from app.policy.finding import Finding, pending
from app.policy.library import Library
from app.policy.model import (
    Determination,
    DeterminationOutcome,
    EligibilityQuestion,
    Missing,
    Reason,
    ShortestWay,
)
from app.policy.policy import Policy
from app.policy.reading import Reading
from app.policy.supports import find_support

_ASKING = frozenset({"facts-missing", "population-missing"})


def evaluate(library: Library, question: EligibilityQuestion) -> Determination:
    """Answer a question by the policy in force: the outcome with its reasons, its criteria, and the
    facts that could still change the outcome.
    """
    policy = library.policy(question.plan, question.as_of) if question.plan else None
    return evaluate_under(policy, library.dictionary, question)


def evaluate_under(
    policy: Policy | None, dictionary: Dictionary, question: EligibilityQuestion
) -> Determination:
    """Answer a question by the given policy, for a replay or a trial of a new file. None: the plan
    is not known.
    """
    if policy is None:
        finding = _without_plan(question)
    else:
        finding = _for_this_member(question, _find(policy, question, dictionary))
    missing = tuple(Missing(f, dictionary.question(f)) for f in finding.missing)
    return Determination(
        outcome=finding.outcome,
        reasons=finding.reasons,
        populations=finding.populations,
        missing=missing,
        criteria=finding.criteria,
        policy=policy.version if policy else None,
        as_of=question.as_of,
        administrative=finding.administrative,
        notes=(*question.facts.notes, *finding.notes),
        ways=finding.ways,
    )


def _without_plan(question: EligibilityQuestion) -> Finding:
    """Make the finding where no plan is known: of facts, only a missing service is asked for."""
    reasons = [Reason("member-unidentified")]
    if question.service is not None:
        return pending(reasons, ())
    return _without_service(reasons)


def _without_service(reasons: Iterable[Reason] = ()) -> Finding:
    asking = [*reasons, Reason("facts-missing")]
    return pending(asking, (), ("service",), (ShortestWay(("service",)),))


def _for_this_member(question: EligibilityQuestion, finding: Finding) -> Finding:
    """Leave the answer to a person if the member is not identified, or if the service is authorized
    already.
    """
    if not question.identified:
        asking = [r for r in finding.reasons if r.code in _ASKING]
        unknown = finding.outcome is DeterminationOutcome.PENDING
        return pending(
            [Reason("member-unidentified"), *(asking if unknown else [])],
            finding.criteria,
            finding.missing,
            finding.ways,
        )
    if question.already_authorized and not finding.administrative and question.service:
        reasons = (Reason("already-authorized"), *finding.reasons)
        return replace(finding, outcome=DeterminationOutcome.PENDING, reasons=reasons)
    return finding


def _find(policy: Policy, question: EligibilityQuestion, dictionary: Dictionary) -> Finding:
    if question.service is None:
        return _without_service()
    facts, on = question.facts, question.as_of
    needless = dictionary.needless(facts.sex, ages(facts.birth, on) if facts.birth else None)
    reading = Reading(facts, on, policy.data.counts, needless, dictionary.seldom)
    county = _county(policy, question, reading)
    if county is not None or not policy.data.counties:
        finding = _find_in(policy, question.service, county, question.claimed, reading)
    else:
        finding = _find_anywhere(policy, question, reading)
    return _with_questions_beside(policy, question.service, finding, reading)


def _county(policy: Policy, question: EligibilityQuestion, reading: Reading) -> str | None:
    stated = reading.value("county") if question.county is None else question.county
    return member_county(stated, policy.data.counties)


def _find_in(
    policy: Policy, service: str, county: str | None, claimed: tuple[str, ...], reading: Reading
) -> Finding:
    if policy.family(service) == "ecm":
        return find_ecm(policy, county, claimed, reading)
    reading.ecm = None
    return find_support(policy, service, county, reading, lambda: _ecm(policy, county, reading))


def _ecm(policy: Policy, county: str | None, reading: Reading) -> Finding:
    """Find the answer for ECM, which `ecm_eligible` needs; found once for one county."""
    finding = find_ecm(policy, county, (), reading)
    reading.ecm = lambda: finding
    return finding


def _find_anywhere(policy: Policy, question: EligibilityQuestion, reading: Reading) -> Finding:
    """Find the answer where the county is not known: the answer that all counties of the plan
    share; else pending, and the county is asked for.
    """
    service = question.service or ECM
    findings = [
        _find_in(policy, service, county, question.claimed, reading)
        for county in policy.data.counties
    ]
    first = findings[0]
    if all(f.outcome is first.outcome and f.codes() == first.codes() for f in findings):
        everywhere = tuple(
            p for p in first.populations if all(p in f.populations for f in findings)
        )
        missing = dict.fromkeys(fact for f in findings for fact in f.missing)
        ways = tuple(way for way in first.ways if all(way in f.ways for f in findings))
        return replace(first, populations=everywhere, missing=tuple(missing), ways=ways)
    missing = dict.fromkeys(["county", *(fact for f in findings for fact in f.missing)])
    asking = [Reason("facts-missing")]
    if any("population-missing" in f.codes() for f in findings):
        asking.append(Reason("population-missing"))
    return pending(asking, first.criteria, tuple(missing), _by_county(findings))


def _by_county(findings: Iterable[Finding]) -> tuple[ShortestWay, ...]:
    """List the ways where the answer depends on the county: the county, and what a county that
    does not deny still needs.
    """
    found: dict[ShortestWay, None] = {}
    for finding in findings:
        if finding.outcome is not DeterminationOutcome.DENIED:
            for way in finding.ways or (ShortestWay(()),):
                found[ShortestWay(("county", *way.facts), way.population)] = None
    alone = ShortestWay(("county",))
    return (alone,) if alone in found else tuple(found)


def _with_questions_beside(
    policy: Policy, service: str, finding: Finding, reading: Reading
) -> Finding:
    """Add the facts that the plan asks for with every support, for any outcome (facts.md 6.5)."""
    if policy.family(service) == "ecm":
        return finding
    asked = [f for f in policy.data.asks_beside if reading.value(f) is None]
    return replace(finding, missing=tuple(dict.fromkeys([*finding.missing, *asked])))
