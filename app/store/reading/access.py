"""Who sees what, as SQL: parties their referrals, plan staff their plan's, everybody the network.

A referral's resources follow the referral. Everything else is a roster (its plan's staff alone) or
the network (every authenticated caller). What is not to be seen is not found: 404, absent from
searches. No value of a caller stands in the text of a statement: values are bound.
Whether a scope allows the question at all is left to the routes.

A referral whose plan is not known yet is its parties'; plan staff see the least of it
(`app.fhir.subset`), to say whose member it is about.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from app.base.errors import not_found
from app.base.heavy_work import mark_if_heavy, to_thread_if_heavy
from app.base.settings import settings
from app.fhir.reference import is_id
from app.fhir.subset import SHOWN, least
from app.model.caller import ROSTER, UNASSIGNED, Caller
from app.policy.library import FILES

#: The plan key of what belongs to no plan.
NO_PLAN = "*"
#: Types of the network: readable by every authenticated caller where they belong to no referral.
NETWORK_TYPES = frozenset({"Organization", "HealthcareService"})


class SqlStatement:
    """Collects the parameters of one statement while its text is put together."""

    def __init__(self) -> None:
        self.values: list[Any] = []

    def bind(self, value: Any, cast: str = "text") -> str:
        self.values.append(value)
        return f"${len(self.values)}::{cast}"


@dataclass(frozen=True, slots=True)
class Visibility:
    """What one caller may see."""

    organization_id: str
    staff_plans: Sequence[str]
    roster_plans: Sequence[str]

    @property
    def staff(self) -> bool:
        return bool(self.staff_plans)

    def has(self, plan: str, organization_id: str) -> bool:
        """Whether a referral of this plan, sent by this organization, is the caller's own or its
        plan's; of one without a plan, others' staff see the least.
        """
        return organization_id == self.organization_id or plan in self.staff_plans


def visibility(caller: Caller) -> Visibility:
    """Plan staff see their plan's referrals and roster; `nwd/roster` alone shows the roster."""
    roster = [caller.plan] if caller.plan and (caller.staff or ROSTER in caller.scopes) else []
    staff = [caller.plan] if caller.plan and caller.staff else []
    return Visibility(caller.organization_id, staff, roster)


@cache
def plan_keys() -> tuple[str, ...]:
    """Every plan key that a referral may be kept under: a search names the plan first."""
    folder = Path(settings().policy_path) if settings().policy_path else FILES
    inside = folder.iterdir() if folder.is_dir() else ()
    named = {entry.name for entry in inside if entry.is_dir()}
    return (*sorted(named), UNASSIGNED)


def sees_referral(
    statement: SqlStatement, seen: Visibility, *, few: bool = False, least: bool = False
) -> str:
    """A condition on `r` (table referral). It is told the plan first, so that keys can be used.

    `least`: also what staff see the least of.

    `few`: other conditions leave few rows, so each is checked by itself (`OFFSET 0` keeps the
    planner from starting at the parties); otherwise the search starts from what the organization
    is party to.
    """
    plans = statement.bind(list(plan_keys()), "text[]")
    organization = statement.bind(seen.organization_id)
    party = (
        "(r.plan, r.id) IN (SELECT p.plan, p.referral_id FROM party p"
        f" WHERE p.plan = ANY ({plans}) AND p.organization_id = {organization}"
        " AND p.until IS NULL)"
    )
    if few:
        party = (
            "EXISTS (SELECT 1 FROM party p WHERE p.plan = r.plan"
            f" AND p.organization_id = {organization} AND p.referral_id = r.id"
            " AND p.until IS NULL OFFSET 0)"
        )
    if seen.staff:
        keys = [*seen.staff_plans, *([UNASSIGNED] if least else [])]
        party = f"(r.plan = ANY ({statement.bind(keys, 'text[]')}) OR {party})"
    return f"r.plan = ANY ({plans}) AND {party}"


#: A condition on `l` (table locator): parameters type, id, organization, staff plans, roster plans,
#: and whether the type is the network's.
SEES_LOCATED = """(CASE WHEN l.referral_id IS NULL
    THEN $6::bool OR l.plan = ANY ($5::text[])
    ELSE l.plan = ANY ($4::text[]) OR EXISTS (
        SELECT 1 FROM party p WHERE p.plan = l.plan AND p.organization_id = $3::text
        AND p.referral_id = l.referral_id AND p.until IS NULL) END)"""


#: Joined to `l`: `s.whole`, whether the caller sees all of it; and a condition with which staff
#: also find what they see the least of.
WHOLE = f"CROSS JOIN LATERAL (SELECT {SEES_LOCATED} AS whole) s"
WHOLE_OR_LEAST = f"""(s.whole OR (l.plan = '{UNASSIGNED}' AND l.referral_id IS NOT NULL
    AND l.type = ANY ('{{{",".join(SHOWN)}}}'::text[]) AND cardinality($4::text[]) > 0))"""


def least_of(statement: SqlStatement, seen: Visibility, plan: str, referral: str) -> str:
    """Whether a row that a search found (its plan and referral id) is one to see the least of."""
    if not seen.staff:
        return "false"
    organization = statement.bind(seen.organization_id)
    return f"""({plan} = '{UNASSIGNED}' AND {referral} IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM party p WHERE p.plan = {plan} AND p.organization_id = {organization}
        AND p.referral_id = {referral} AND p.until IS NULL))"""


def check_id(kind: str, resource_id: str) -> str:
    """An id that FHIR does not allow is nobody's (404); some bytes the database would refuse."""
    if not is_id(resource_id):
        raise not_found(kind)
    return resource_id


def located(kind: str, resource_id: str, seen: Visibility) -> tuple[Any, ...]:
    """The parameters of `SEES_LOCATED`; 404 for what cannot be an id."""
    return (
        kind,
        check_id(kind, resource_id),
        seen.organization_id,
        list(seen.staff_plans),
        list(seen.roster_plans),
        kind in NETWORK_TYPES,
    )


async def shown_least(kind: str, body: bytes) -> bytes:
    """The least of a referral whose plan is not known, for staff who look for it."""
    mark_if_heavy(len(body))
    return await to_thread_if_heavy(least, kind, body)
