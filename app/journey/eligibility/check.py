"""Is the member eligible, by the plan's published rules, at the date of receipt?

PURE. Puts together who the member is, what is stated of them and what they hold already, and puts
the question to the policy engine.

How much of a limited service our own authorizations have used up (facts.md 3.2).

 What is authorized counts as used: the plan has given it away. What a limit counts, and over
how long, is policy data.

Who the member is, and under which plan: a mistyped number must never decide about a stranger.

 The CIN is looked up over the rosters of all plans served (`app.journey.intake.gather`); what
is found is believed only where birth date and plan, if they are stated, agree (spec.md 4, "Who the
member is").
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal

from app.journey.eligibility.merge import merge
from app.model.caller import UNASSIGNED
from app.model.known import HeldAuthorization, Known, KnownMember
from app.model.record import Authorization
from app.model.request import ReferralRequest
from app.policy.counties import member_county
from app.policy.counts import minus_months
from app.policy.engine import evaluate
from app.policy.library import Library
from app.policy.model import Determination, EligibilityQuestion, Fact, Facts
from app.policy.policy import Policy
from app.policy.schema import Limit
from app.policy.stated import RosterMember, SourcedFacts
from app.policy.stored_form import roster_from_json


@dataclass(frozen=True, slots=True)
class Identity:
    """The plan that the referral belongs to, and the member as its roster knows them."""

    plan: str | None
    identified: bool
    member_id: str | None = None
    roster: RosterMember | None = None

    @property
    def key(self) -> str:
        """The plan key to keep the referral under."""
        return self.plan or UNASSIGNED


def identify(
    request: ReferralRequest, found: Sequence[KnownMember], served: Sequence[str], on: date
) -> Identity:
    """The member of an intake.

    No CIN, an unknown CIN, or one found under another birth date or plan: not identified, and kept
    with the plan that was named, else the deployment's only plan, else no plan. A CIN in several
    rosters belongs to the one that covers it on the date; where no plan is named and that is not
    one alone, to no plan: a plan that loads another's number takes nothing by it.
    """
    stated = stated_plan(request, served)
    matches = [(member, roster_from_json(member.facts)) for member in found]
    fitting = [
        (member, roster)
        for member, roster in matches
        if stated in (None, member.plan) and same_birth(request.birth_date, member.birth_date)
    ]
    fitting = [pair for pair in fitting if _covered(pair[1], on)] or fitting
    if not request.cin or len({member.plan for member, _ in fitting}) != 1:
        return Identity(stated or only(served), identified=False)
    member, roster = fitting[0]
    return Identity(member.plan, True, member.id, roster)


def take_at_word(request: ReferralRequest, served: Sequence[str]) -> Identity:
    """The member of a question without a CIN: the payload's Patient and Coverage hold."""
    plan = stated_plan(request, served) or only(served)
    return Identity(plan, identified=plan is not None)


def stated_plan(request: ReferralRequest, served: Sequence[str]) -> str | None:
    """The plan that the payload names; an unknown payor counts as no Coverage."""
    return request.plan if request.plan in served else None


def only(served: Sequence[str]) -> str | None:
    """The deployment's only plan."""
    return served[0] if len(served) == 1 else None


def same_birth(sent: str | None, known: str | None) -> bool:
    """Whether two birth dates agree; a partial one agrees with every day that it may mean."""
    return not sent or not known or sent.startswith(known) or known.startswith(sent)


def _covered(roster: RosterMember, on: date) -> bool:
    return any(coverage.covers(on) for coverage in roster.coverages)


#: Where a fact came from that our own authorizations state.
OURS = "authorizations"


@dataclass(frozen=True, slots=True)
class Case:
    """One referral put to the rules: the question, the answer, and what both rest on."""

    identity: Identity
    policy: Policy | None
    question: EligibilityQuestion
    determination: Determination
    previous: HeldAuthorization | None

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
    question = EligibilityQuestion(
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


def _open(item: HeldAuthorization, on: date) -> bool:
    return item.authorization.starts_on <= on <= item.authorization.ends_on


def _with_held(facts: Facts, held: Sequence[HeldAuthorization]) -> Facts:
    """Our own authorizations count among the member's current ones (facts.md 3.2)."""
    if not held:
        return facts
    services = frozenset(item.authorization.service for item in held)
    before = facts.values.get("current_authorizations")
    if before is not None and isinstance(before.value, frozenset):
        services |= before.value
    values = {**facts.values, "current_authorizations": Fact(services, OURS)}
    return replace(facts, values=values)


def _continued(
    known: Known, identity: Identity, request: ReferralRequest
) -> HeldAuthorization | None:
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
    previous: HeldAuthorization | None,
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


_ONE_DAY = timedelta(days=1)


def used_amounts(
    policy: Policy, held: Iterable[HeldAuthorization], on: date
) -> dict[str, Decimal | int]:
    """The facts `cs_used_…` as our own authorizations of this plan state them; those of which
    nothing is authorized are left out. `held` may hold what other plans gave: it is not counted.
    """
    given = [item.authorization for item in held if item.plan == policy.plan]
    found: dict[str, Decimal | int] = {}
    for limit in policy.limits:
        data = limit.data
        of_service = [item for item in given if item.service in data.services]
        counted = _within(data, of_service, on)
        amount = sum(_amount(policy, item) for item in counted)
        if amount:
            found[data.used] = amount
    return found


def at_least(facts: Facts, used: Mapping[str, Decimal | int], source: str) -> Facts:
    """The facts with what our own authorizations prove to be used; more that is stated holds."""
    values, notes = dict(facts.values), list(facts.notes)
    for name, amount in used.items():
        before = values.get(name)
        if before is not None and isinstance(before.value, int | Decimal):
            if before.value >= amount:
                continue
            notes.append(f"{name}: {before.source} and {source} differ; the larger one holds")
        values[name] = Fact(amount, source)
    return Facts(values, facts.events, facts.events_complete, facts.birth, tuple(notes))


def _within(limit: Limit, given: Sequence[Authorization], on: date) -> list[Authorization]:
    if limit.over == "calendar-year":
        return [item for item in given if item.starts_on.year == on.year]
    if limit.over == "twelve-months":
        return [item for item in given if item.ends_on >= minus_months(on, 12)]
    return _in_a_row(given, on) if limit.over == "in-a-row" else list(given)


def _in_a_row(given: Sequence[Authorization], on: date) -> list[Authorization]:
    """Those that lead up to the day without a gap, and those that go on from it."""
    row, edge = [], on
    for item in sorted(given, key=lambda item: item.ends_on, reverse=True):
        if item.ends_on + _ONE_DAY < edge:
            break
        row.append(item)
        edge = min(edge, item.starts_on)
    return row


def _amount(policy: Policy, given: Authorization) -> Decimal | int:
    """The amount in the unit that the policy authorizes in; one given by times counts once."""
    term = policy.data.terms.get(given.service)
    unit = term.unit if term else None
    if unit == "time":
        return 1
    units = given.units or {}
    if unit is None or units.get("unit") != unit:
        return 0
    amount = Decimal(str(units.get("quantity", 0)))
    return int(amount) if amount == amount.to_integral_value() else amount
