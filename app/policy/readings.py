"""Finds the readings of the plan's pages that bear on a case, for the people who decide it. PURE.

Where a page can be read two ways, the policy file says how it is read here (`readings`). Nothing of
this is stored: the stored question and its answer say which readings bear on the case, whenever
somebody looks at it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

from app.policy.citations import citation_in_words
from app.policy.counties import member_county
from app.policy.discreet import names_the_plan
from app.policy.ecm import find_ecm
from app.policy.library import Library
from app.policy.model import Determination, DeterminationOutcome, EligibilityQuestion
from app.policy.policy import Policy, PolicyReading
from app.policy.reading import Reading
from app.policy.schema import PageReading


@dataclass(frozen=True, slots=True)
class BearingReading:
    """One reading that bears on a case, as sentences: what the page says, and how it is read."""

    name: str
    data: PageReading

    @property
    def source(self) -> str:
        """The source in words, so that a reader can look it up."""
        return citation_in_words(self.data.citation)

    @property
    def text(self) -> str:
        return f"{self.data.says} {self.data.read_as}"


def bearing(
    library: Library, question: EligibilityQuestion, answer: Determination, *, staff: bool
) -> tuple[BearingReading, ...]:
    """List the readings that bear on a case, those to read before deciding first.

    To others than `staff` of the plan, a reading shows only where the facts that they may read make
    it bear on the case: the reading alone would tell of the roster otherwise.
    """
    policy = library.version(answer.policy) if answer.policy else None
    if policy is None or question.service is None:
        return ()
    if not staff:
        question = _without_the_plans_own(question)
    found = [BearingReading(each.name, each.data) for each in _bearing(policy, question, answer)]
    return tuple(sorted(found, key=lambda each: not each.data.before_deciding))


def _without_the_plans_own(question: EligibilityQuestion) -> EligibilityQuestion:
    facts = question.facts
    values = {n: f for n, f in facts.values.items() if not names_the_plan(f.source)}
    return replace(question, facts=replace(facts, values=values), lapsed=False)


def _bearing(
    policy: Policy, question: EligibilityQuestion, answer: Determination
) -> Iterator[PolicyReading]:
    service = question.service or ""
    county = member_county(question.county, policy.data.counties)
    at_issue = _at_issue(question, answer)
    reasons = {reason.code for reason in answer.reasons}
    facts = _facts_read(policy, question, county)
    for each in policy.readings:
        data = each.data
        if (
            not data.only_in_catalog
            and data.family in (None, policy.family(service))
            and (not data.services or service in data.services)
            and (not data.counties or county is None or county in data.counties)
            and (data.period is None or data.period.covers(question.as_of))
            and (not data.populations or not at_issue.isdisjoint(data.populations))
            and (not data.reasons or not reasons.isdisjoint(data.reasons))
            and (question.lapsed or not data.after_a_lapse)
            and (each.when is None or each.when.read(facts).result is True)
        ):
            yield each


def _at_issue(question: EligibilityQuestion, answer: Determination) -> set[str]:
    """Name the populations that matter to the answer: those claimed and met; while it is pending,
    those still open too; where it is a denial, all that were looked at.
    """
    named = {*question.claimed, *answer.populations}
    if answer.outcome is DeterminationOutcome.PENDING:
        named.update(node.name for node in answer.criteria if node.result is not False)
    elif answer.outcome is DeterminationOutcome.DENIED:
        named.update(node.name for node in answer.criteria)
    return named


def _facts_read(policy: Policy, question: EligibilityQuestion, county: str | None) -> Reading:
    facts = Reading(question.facts, question.as_of, policy.data.counts)
    facts.ecm = cache(lambda: find_ecm(policy, county, (), facts))
    return facts
