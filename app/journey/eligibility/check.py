"""Eligibility: asks the plan's published rules about the member, as of the date of receipt.

PURE. `identity.py` names the member and the plan; `check_eligibility` joins the facts stated of the
member with the authorizations that the member holds, and puts the question to the policy engine.

Our own authorizations tell how much of a limited service is used up (facts.md 3.2): an authorized
amount counts as used, because the plan has given it away. Policy data says which services a limit
counts, and over which period.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal

from app.journey.eligibility.identity import Identity
from app.journey.eligibility.merge import merge
from app.model.known import HeldAuthorization, Known
from app.model.record import Authorization, Details
from app.model.request import ReferralRequest
from app.policy.asking import questions_of
from app.policy.counties import member_county
from app.policy.counts import minus_months
from app.policy.engine import evaluate
from app.policy.library import Library
from app.policy.model import Determination, EligibilityQuestion, Fact, Facts
from app.policy.policy import Policy
from app.policy.schema import Limit
from app.policy.stated import OURS, SourcedFacts


@dataclass(frozen=True, slots=True)
class Case:
    """One referral as the rules see it: the question, the answer, and the basis of both."""

    identity: Identity
    policy: Policy | None
    question: EligibilityQuestion
    determination: Determination
    previous: HeldAuthorization | None

    @property
    def county(self) -> str | None:
        """The county where capacity is looked for."""
        return self.question.county

    @property
    def details(self) -> Details:
        """The determination in the form that the referral keeps, with what is asked first."""
        determination = self.determination
        missing, first = questions_of(determination, self.policy)
        return Details(
            reasons=determination.reasons,
            populations=determination.populations,
            missing=missing,
            recommendation=determination.outcome.value,
            asking=first,
        )


def check_eligibility(
    library: Library,
    request: ReferralRequest,
    identity: Identity,
    stated: Sequence[SourcedFacts],
    known: Known,
    on: date,
) -> Case:
    """Asks the plan's rules about the request as of a date; the answer is explained."""
    policy = library.policy(identity.plan, on) if identity.plan else None
    known = identity.concerning(known)
    own = known.authorizations
    held = [item for item in own if item.plan == identity.plan and _is_open(item, on)]
    facts = _with_current(
        merge(stated, identity.roster, request.coverages, on, library.plans), held
    )
    if policy is not None:
        facts = at_least(facts, used_amounts(policy, own, on), OURS)
    previous = _previous(known, identity, request)
    question = EligibilityQuestion(
        plan=identity.plan,
        service=request.service,
        as_of=on,
        county=_county(policy, facts),
        claimed=request.claimed,
        facts=facts,
        identified=identity.identified,
        already_authorized=_is_already_authorized(request, known, previous, identity, on),
        lapsed=previous is None and _has_ended(request, own, identity, on),
    )
    return Case(identity, policy, question, evaluate(library, question), previous)


def _is_open(item: HeldAuthorization, on: date) -> bool:
    return item.authorization.starts_on <= on <= item.authorization.ends_on


def _with_current(facts: Facts, held: Sequence[HeldAuthorization]) -> Facts:
    """Adds our own authorizations to the member's current authorizations (facts.md 3.2)."""
    if not held:
        return facts
    services = frozenset(item.authorization.service for item in held)
    before = facts.values.get("current_authorizations")
    if before is not None and isinstance(before.value, frozenset):
        services |= before.value
    values = {**facts.values, "current_authorizations": Fact(services, OURS)}
    return replace(facts, values=values)


def _previous(
    known: Known, identity: Identity, request: ReferralRequest
) -> HeldAuthorization | None:
    """Finds the authorization that the request continues: the last of those in its `basedOn`."""
    named = [
        item
        for item in known.authorizations
        if item.referral_id in known.based_on
        and item.plan == identity.plan
        and item.authorization.service == request.service
    ]
    return max(named, key=lambda item: item.authorization.ends_on, default=None)


def _is_already_authorized(
    request: ReferralRequest,
    known: Known,
    previous: HeldAuthorization | None,
    identity: Identity,
    on: date,
) -> bool:
    """Whether the member has another authorization for the service (facts.md 6.7).

    An authorization counts if it has not ended on the date and the request does not continue it:
    also an authorization that begins later, and another continuation of the same authorization.
    Authorizations listed by the roster count too, but only for a member that the roster knows.
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


def _has_ended(
    request: ReferralRequest, own: Sequence[HeldAuthorization], identity: Identity, on: date
) -> bool:
    """Whether an authorization of the plan for the service has ended before the date."""
    return any(
        item.authorization.ends_on < on
        for item in own
        if (item.plan, item.authorization.service) == (identity.plan, request.service)
    )


def _county(policy: Policy | None, facts: Facts) -> str | None:
    stated = facts.values.get("county")
    return member_county(stated and stated.value, policy.data.counties if policy else ())


# Limited services: the amount used up

_ONE_DAY = timedelta(days=1)


def used_amounts(
    policy: Policy, held: Iterable[HeldAuthorization], on: date
) -> dict[str, Decimal | int]:
    """Computes the facts `cs_used_…` from this plan's own authorizations.

    Facts with nothing authorized are left out. Authorizations of other plans in `held` do not
    count.
    """
    authorizations = [item.authorization for item in held if item.plan == policy.plan]
    amounts: dict[str, Decimal | int] = {}
    for limit in policy.limits:
        data = limit.data
        of_service = [item for item in authorizations if item.service in data.services]
        counted = _within(data, of_service, on)
        amount = sum(_amount(policy, item) for item in counted)
        if amount:
            amounts[data.used] = amount
    return amounts


def at_least(facts: Facts, used: Mapping[str, Decimal | int], source: str) -> Facts:
    """Raises the facts to the amounts in `used`; a larger stated amount stays."""
    values, notes = dict(facts.values), list(facts.notes)
    for name, amount in used.items():
        before = values.get(name)
        if before is not None and isinstance(before.value, int | Decimal):
            if before.value >= amount:
                continue
            notes.append(f"{name}: {before.source} and {source} differ; the larger one holds")
        values[name] = Fact(amount, source)
    return replace(facts, values=values, notes=tuple(notes))


def _within(limit: Limit, authorizations: Sequence[Authorization], on: date) -> list[Authorization]:
    if limit.over == "calendar-year":
        return [item for item in authorizations if item.starts_on.year == on.year]
    if limit.over == "twelve-months":
        return [item for item in authorizations if item.ends_on >= minus_months(on, 12)]
    return _without_gap(authorizations, on) if limit.over == "in-a-row" else list(authorizations)


def _without_gap(authorizations: Sequence[Authorization], on: date) -> list[Authorization]:
    """Selects the authorizations that lead up to the day without a gap, and the later ones."""
    row, edge = [], on
    for item in sorted(authorizations, key=lambda item: item.ends_on, reverse=True):
        if item.ends_on + _ONE_DAY < edge:
            break
        row.append(item)
        edge = min(edge, item.starts_on)
    return row


def _amount(policy: Policy, authorization: Authorization) -> Decimal | int:
    """Reads the amount in the unit of the policy; an authorization by times counts as 1."""
    term = policy.data.terms.get(authorization.service)
    unit = term.unit if term else None
    if unit == "time":
        return 1
    units = authorization.units or {}
    if unit is None or units.get("unit") != unit:
        return 0
    amount = Decimal(str(units.get("quantity", 0)))
    return int(amount) if amount == amount.to_integral_value() else amount
