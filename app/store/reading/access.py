"""SQL conditions for what a caller sees: parties see their referrals, plan staff their plan's.

A resource of a referral is visible to those who see the referral. Every other resource belongs to a
roster (visible to its plan's staff only) or to the network (visible to every authenticated caller).
A resource that the caller may not see is not found: reads answer 404, searches leave it out. The
routes check whether a scope allows the request at all. The text of a statement contains no value of
a caller: all values are bound.

Before a referral's plan is known, its parties see the referral; the staff of every plan see the
least of it (`app.fhir.subset`), so that they can say whose member it is about.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from app.base.errors import not_found
from app.base.heavy_work import mark_if_heavy, to_thread_if_heavy
from app.base.settings import settings
from app.fhir.reference import is_id
from app.fhir.subset import SHOWN, least
from app.model.caller import ROSTER, UNASSIGNED, Caller
from app.policy.library import policy_folder

#: The plan key of resources that belong to no plan.
NO_PLAN = "*"
#: Types of the network: every authenticated caller reads those that belong to no referral.
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
    """The organization, staff plans and roster plans by which one caller sees resources."""

    organization_id: str
    staff_plans: Sequence[str]
    roster_plans: Sequence[str]

    @property
    def staff(self) -> bool:
        return bool(self.staff_plans)

    def has(self, plan: str, organization_id: str) -> bool:
        """Tells whether the caller sees all of a referral with this plan and this sender.

        The caller does as the sender, or as staff of the plan. Of a referral without a plan, staff
        see the least only.
        """
        return organization_id == self.organization_id or plan in self.staff_plans


def visibility(caller: Caller) -> Visibility:
    """Derives what a caller sees: plan staff see referrals and roster, `nwd/roster` the roster."""
    roster = [caller.plan] if caller.plan and (caller.staff or ROSTER in caller.scopes) else []
    staff = [caller.plan] if caller.plan and caller.staff else []
    return Visibility(caller.organization_id, staff, roster)


@cache
def plan_keys() -> tuple[str, ...]:
    """Lists every plan key that a referral may have; searches name them, for the indexes."""
    folder = policy_folder(settings().policy_path)
    inside = folder.iterdir() if folder.is_dir() else ()
    named = {entry.name for entry in inside if entry.is_dir()}
    return (*sorted(named), UNASSIGNED)


def sees_referral(
    statement: SqlStatement, seen: Visibility, *, few: bool = False, least: bool = False
) -> str:
    """Composes the condition that the caller sees a row of `r` (table referral).

    The condition names the plans first, so that the database can use its keys. With `least` it also
    holds for referrals of which staff see the least. With `few` the other conditions of the search
    leave few rows, and so each row is checked by itself (`OFFSET 0` keeps the planner from starting
    at the parties); otherwise the search starts from the referrals that the organization is a
    party to.
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


#: A join to `l` that adds `s.whole`: whether the caller sees all of the resource. Beside it, a
#: condition by which staff also find the resources of which they see the least.
WHOLE = f"CROSS JOIN LATERAL (SELECT {SEES_LOCATED} AS whole) s"
WHOLE_OR_LEAST = f"""(s.whole OR (l.plan = '{UNASSIGNED}' AND l.referral_id IS NOT NULL
    AND l.type = ANY ('{{{",".join(SHOWN)}}}'::text[]) AND cardinality($4::text[]) > 0))"""


def least_of(statement: SqlStatement, seen: Visibility, plan: str, referral: str) -> str:
    """Composes whether the caller sees only the least of a row; `plan`, `referral`: its columns."""
    if not seen.staff:
        return "false"
    organization = statement.bind(seen.organization_id)
    return f"""({plan} = '{UNASSIGNED}' AND {referral} IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM party p WHERE p.plan = {plan} AND p.organization_id = {organization}
        AND p.referral_id = {referral} AND p.until IS NULL))"""


def check_id(kind: str, resource_id: str) -> str:
    """Refuses an id that FHIR does not allow (404): the database would refuse some of its bytes."""
    if not is_id(resource_id):
        raise not_found(kind)
    return resource_id


def located(kind: str, resource_id: str, seen: Visibility) -> tuple[Any, ...]:
    """Returns the parameters of `SEES_LOCATED`; 404 for a text that cannot be an id."""
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
