"""Is the member eligible, by the plan's published rules, at the date of receipt?

PURE. Puts together who the member is, what is stated of them and what they hold already, and puts
the question to the policy engine.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from app.journey.eligibility.identify import Identity
from app.journey.eligibility.merge import merge
from app.journey.eligibility.used import at_least, used_amounts
from app.model.known import Held, Known
from app.model.request import ReferralRequest
from app.policy.counties import member_county
from app.policy.engine import evaluate
from app.policy.library import Library
from app.policy.model import Determination, Fact, Facts, Question
from app.policy.policy import Policy
from app.policy.stated import SourcedFacts

#: Where a fact came from that our own authorizations state.
OURS = "authorizations"


@dataclass(frozen=True, slots=True)
class Case:
    """One referral put to the rules: the question, the answer, and what both rest on."""

    identity: Identity
    policy: Policy | None
    question: Question
    determination: Determination
    previous: Held | None

    @property
    def county(self) -> str | None:
        """The county that capacity is looked for in."""
        return self.question.county


def check_eligibility(
    library: Library,
    request: ReferralRequest,
    identity: Identity,
    stated: Sequence[SourcedFacts],
    known: Known,
    on: date,
) -> Case:
    """The plan's answer to the request as of a date, explained."""
    policy = library.policy(identity.plan, on) if identity.plan else None
    # Of a stranger under a mistyped number nothing is read.
    ours = known.authorizations if identity.identified else ()
    held = [item for item in ours if item.plan == identity.plan and _open(item, on)]
    facts = _with_held(merge(stated, identity.roster, request.coverages, on, library.plans), held)
    if policy is not None:
        facts = at_least(facts, used_amounts(policy, ours, on), OURS)
    previous = _continued(known, identity, request)
    question = Question(
        plan=identity.plan,
        service=request.service,
        as_of=on,
        county=_county(policy, facts),
        claimed=request.claimed,
        facts=facts,
        identified=identity.identified,
        already_authorized=_already(request, known, previous, identity, on),
    )
    return Case(identity, policy, question, evaluate(library, question), previous)


def _open(item: Held, on: date) -> bool:
    return item.authorization.starts_on <= on <= item.authorization.ends_on


def _with_held(facts: Facts, held: Sequence[Held]) -> Facts:
    """Our own authorizations count among the member's current ones (facts.md 3.2)."""
    if not held:
        return facts
    services = frozenset(item.authorization.service for item in held)
    before = facts.values.get("current_authorizations")
    if before is not None and isinstance(before.value, frozenset):
        services |= before.value
    values = {**facts.values, "current_authorizations": Fact(services, OURS)}
    return replace(facts, values=values)


def _continued(known: Known, identity: Identity, request: ReferralRequest) -> Held | None:
    """The authorization that a reauthorization goes on from: the last of those it is based on."""
    named = [
        item
        for item in known.authorizations
        if item.referral_id in known.based_on
        and item.plan == identity.plan
        and item.authorization.service == request.service
    ]
    return max(named, key=lambda item: item.authorization.ends_on, default=None)


def _already(
    request: ReferralRequest,
    known: Known,
    previous: Held | None,
    identity: Identity,
    on: date,
) -> bool:
    """An authorization for the same service that has not ended on the date, and that the request
    does not go on from (facts.md 6.7): also one that begins later, and one that goes on from the
    same.

    What the roster lists counts too, but only of a member whom the plan's roster knows.
    """
    if request.service is None or not identity.identified:
        return False
    lasting = [
        item.authorization.ends_on
        for item in known.authorizations
        if (item.plan, item.authorization.service) == (identity.plan, request.service)
        and item.authorization.ends_on >= on
    ]
    if previous is not None:
        return any(ends_on > previous.authorization.ends_on for ends_on in lasting)
    if lasting or identity.roster is None:
        return bool(lasting)
    roster = identity.roster.stated.values.get("current_authorizations")
    return (
        roster is not None
        and isinstance(roster.value, frozenset)
        and request.service in roster.value
    )


def _county(policy: Policy | None, facts: Facts) -> str | None:
    stated = facts.values.get("county")
    return member_county(stated and stated.value, policy.data.counties if policy else ())
