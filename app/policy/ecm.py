"""Enhanced Care Management (ECM): finds the populations of focus that the facts meet
(facts.md 6.4).
"""

from dataclasses import dataclass, replace

from app.policy.criteria import BY_A_PERSON, NOT_LIVE, SET_ASIDE, Node
from app.policy.exclusions import exclude
from app.policy.finding import Finding, pending
from app.policy.missing import AskedCriterion, find_open
from app.policy.model import Criterion, DeterminationOutcome, Reason
from app.policy.policy import ANY_COUNTY, Policy, PolicyPopulation
from app.policy.reading import Reading

ECM = "ECM"


@dataclass(frozen=True, slots=True)
class _Populations:
    """The populations of a plan: decided by the rules, decided by a person, and not live yet, with
    the day from which each of the last is live, if the policy says so.
    """

    live: list[AskedCriterion]
    person: list[AskedCriterion]
    later: list[AskedCriterion]
    begins: dict[str, str]

    def criteria(self) -> tuple[Criterion, ...]:
        later = [_with_detail(a.answer, self._not_live(a.answer.name)) for a in self.later]
        person = [_with_detail(a.answer, BY_A_PERSON) for a in self.person]
        return (*(a.answer for a in self.live), *person, *later)

    def _not_live(self, code: str) -> str:
        begins = self.begins.get(code)
        return f"{NOT_LIVE}; begins here on {begins}" if begins else NOT_LIVE

    def too_early(self, policy: Policy) -> str:
        """Say which populations are met before they are live, and from when each of them is."""
        return " ".join(
            f"“{policy.data.populations[code].name.en}” is met and "
            + (f"begins here on {self.begins[code]}." if self.begins.get(code) else "has no date.")
            for code in _true(self.later)
        )


def find_ecm(
    policy: Policy, county: str | None, claimed: tuple[str, ...], reading: Reading
) -> Finding:
    """Find the answer for ECM in one county, exclusions included."""
    excluded = exclude(policy, ECM, county, reading)
    populations = _read(policy, county or ANY_COUNTY, reading)
    criteria = (*excluded.criteria, *populations.criteria())
    if excluded.reasons:
        return Finding(
            DeterminationOutcome.DENIED, excluded.reasons, (), (), criteria, administrative=True
        )
    if excluded.set_aside:
        # The note names the exclusion, and not the reason, which everybody reads.
        notes = tuple(f"{name} {SET_ASIDE}" for name in excluded.set_aside)
        for_a_person = pending([Reason("review-required")], criteria)
        return replace(for_a_person, populations=_true(populations.live), notes=notes)
    return replace(_decide(policy, populations, claimed, reading), criteria=criteria)


def _read(policy: Policy, county: str, reading: Reading) -> _Populations:
    """Read every population of the plan, also those that the referral does not claim."""
    populations = _Populations([], [], [], {})
    for population in policy.populations:
        live, later = population.split(county, reading.as_of)
        person = population.is_for_a_person(reading.as_of)
        _ask(populations.person if person else populations.live, population, live, reading)
        if later is not None:
            populations.begins[population.code] = population.begins(county, reading.as_of)
            _ask(populations.later, population, later, reading)
    return populations


def _ask(
    into: list[AskedCriterion], population: PolicyPopulation, node: Node | None, reading: Reading
) -> None:
    if node is not None:
        into.append(AskedCriterion(node, node.read(reading), population.code))


def _decide(
    policy: Policy, populations: _Populations, claimed: tuple[str, ...], reading: Reading
) -> Finding:
    met = _true(populations.live)
    if met:
        return Finding(DeterminationOutcome.APPROVED, (Reason("population-met"),), met)
    person = _true(populations.person)
    if any(asked.answer.result is None for asked in populations.live):
        return _unknown(populations, claimed, person, reading)
    if person:
        return Finding(DeterminationOutcome.PENDING, (Reason("review-required"),), person)
    if any(asked.answer.result is None for asked in populations.person):
        return _unknown(populations, claimed, person, reading)
    reasons = [Reason("no-population")]
    if too_early := populations.too_early(policy):
        reasons.append(Reason("not-yet-live", too_early))
    return Finding(DeterminationOutcome.DENIED, tuple(reasons))


def _unknown(
    populations: _Populations, claimed: tuple[str, ...], person: tuple[str, ...], reading: Reading
) -> Finding:
    """Make the finding where facts are missing. If a population that a person decides is met, the
    other populations of that kind are not asked for: they would change nothing.
    """
    live = populations.live
    asked = live if person else [*live, *populations.person]
    first = sorted(asked, key=lambda a: a.population not in claimed)
    alternatives = [live] if len(asked) == len(live) else [live, asked]
    found = find_open(first, alternatives, reading, claimed)
    reasons = [Reason("facts-missing")]
    if not claimed:
        reasons.append(Reason("population-missing"))
    if person:
        reasons.append(Reason("review-required"))
    return Finding(
        DeterminationOutcome.PENDING, tuple(reasons), person, found.facts, ways=found.ways
    )


def _true(asked: list[AskedCriterion]) -> tuple[str, ...]:
    return tuple(a.population for a in asked if a.population and a.answer.result is True)


def _with_detail(answer: Criterion, detail: str) -> Criterion:
    return Criterion(
        answer.name, answer.result, answer.citation, detail, answer.facts, answer.children
    )
