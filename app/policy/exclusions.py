"""Administrative reasons, which deny a referral before any criterion of need is read: membership,
availability of the service, and the exclusions of the plan.

An exclusion denies only if the exclusion is true; an unknown exclusion excludes no member
(facts.md 6.3).
"""

from dataclasses import dataclass
from datetime import date

from app.policy.criteria import ANNOUNCED
from app.policy.model import Criterion, Reason
from app.policy.policy import Policy, PolicyExclusion
from app.policy.reading import Reading
from app.policy.schema import Cell


@dataclass(frozen=True, slots=True)
class Excluded:
    """Reasons to deny, the criteria that were read, and the names of the exclusions that are true
    but set aside, so that a person decides.
    """

    reasons: tuple[Reason, ...]
    criteria: tuple[Criterion, ...]
    set_aside: tuple[str, ...]


def exclude(policy: Policy, service: str, county: str | None, reading: Reading) -> Excluded:
    """Find all administrative reasons against a service for a member at a date."""
    covered = policy.coverage.read(reading)
    offered, unavailable = _availability(policy, service, county, reading.as_of)
    reasons = [Reason("not-a-member")] if covered.result is False else []
    reasons += [unavailable] if unavailable else []
    criteria = [covered, offered]
    set_aside = []
    family = policy.family(service)
    for exclusion in policy.exclusions:
        if exclusion.data.family != family or not _applies(exclusion, offered):
            continue
        answer = exclusion.node.read(reading)
        criteria.append(answer)
        if answer.result is not True:
            continue
        if exclusion.data.set_aside_by and reading.boolean(exclusion.data.set_aside_by):
            set_aside.append(exclusion.name)
        else:
            reasons.append(Reason(exclusion.data.reason, _advice(policy, exclusion, reading)))
    return Excluded(_once(reasons), tuple(criteria), tuple(set_aside))


def _availability(
    policy: Policy, service: str, county: str | None, on: date
) -> tuple[Criterion, Reason | None]:
    name = f"{service} offered"
    cell = policy.cell(service, county)
    if cell is None:
        text = "not listed by the plan for this county"
        return Criterion(name, False, _list(policy, service), text), Reason("not-offered")
    if cell.start is None:
        return Criterion(name, False, cell.citation, ANNOUNCED), Reason("not-yet-live", ANNOUNCED)
    undated = undated_in_words(policy, county, cell)
    # The detail of a criterion stands within a sentence; the text of a reason is one.
    within = f"{undated[:1].lower()}{undated[1:].removesuffix('.')}" if undated else None
    if on < cell.start:
        text = f"begins here on {cell.start}"
        says = (policy.advice("begins") or "It begins there on {date}.").replace(
            "{date}", cell.start.isoformat()
        )
        reason = Reason("not-yet-live", undated or says)
        return Criterion(name, False, cell.citation, within or text), reason
    text = within or f"since {cell.start}" + (", in part" if cell.partial else "")
    return Criterion(name, True, cell.citation, text), None


def undated_in_words(policy: Policy, county: str | None, cell: Cell) -> str | None:
    """Say what the date of an offer rests on where the plan's page gives none; None: it does."""
    start = policy.county_start(county)
    if cell.dated or start is None:
        return None
    return f"The page gives no date; {start.says}."


def _list(policy: Policy, service: str) -> str:
    """Cite the plan's list of Community Supports; for another service, the plan's page."""
    listing = policy.data.listing if policy.family(service) != "ecm" else None
    return listing.citation if listing else policy.data.source


def _applies(exclusion: PolicyExclusion, offered: Criterion) -> bool:
    """Tell whether an exclusion applies. The exclusion of members of a delegated plan applies only
    to a service that this plan offers here (facts.md 6.3).
    """
    return exclusion.data.reason != "delegated-plan" or offered.result is True


def _advice(policy: Policy, exclusion: PolicyExclusion, reading: Reading) -> str | None:
    data = exclusion.data
    if data.advice_when and reading.boolean(data.advice_when):
        return policy.advice(data.advice_if_true)
    return policy.advice(data.advice)


def _once(reasons: list[Reason]) -> tuple[Reason, ...]:
    """Keep the first reason of each code: several programs may exclude for one reason."""
    return tuple({reason.code: reason for reason in reversed(reasons)}.values())[::-1]
