"""Conditions for what a caller sees: parties see their referrals, plan staff see their plan's.

A resource of a referral is visible to those who see the referral. Every other resource belongs to a
roster (visible to its plan's staff only) or to the network (visible to every authenticated caller).
A resource that the caller may not see is not found: reads answer 404, searches leave it out. The
routes check whether a scope allows the request at all. The text of a statement contains no value of
a caller: all values are given by name, and `seen_by` lists them.

Before a referral's plan is known, its parties see the referral; the staff of every plan see the
least of it (`app.fhir.subset`), so that they can say whose member it is about.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    Select,
    and_,
    any_,
    case,
    false,
    not_,
    or_,
    select,
    true,
    tuple_,
)

from app.base.errors import not_found
from app.base.heavy_work import mark_if_heavy, to_thread_if_heavy
from app.base.ids import place_of_id
from app.base.settings import settings
from app.fhir.reference import is_id
from app.fhir.subset import SHOWN, least
from app.model.caller import ROSTER, UNASSIGNED, Caller
from app.policy.library import policy_folder
from app.store.reading.tables import PLACE, REFERRAL
from app.store.statement import SqlCondition, SqlExpression, constant, text_given, texts_given
from app.store.tables.referral import party

#: The plan key of resources that belong to no plan.
NO_PLAN = "*"
#: Types of the network: every authenticated caller reads those that belong to no referral.
NETWORK_TYPES = frozenset({"Organization", "HealthcareService"})

#: Every plan key that a referral may have, for the indexes.
PLANS = texts_given("plans")
#: The type and the id of one resource that is read.
KIND, ID = text_given("kind"), text_given("id")
_ORGANIZATION = text_given("organization")
#: The plans of the directory's rows that a search shows (`directory_plans`).
DIRECTORY_PLANS = texts_given("directory")
_STAFF, _ROSTER = texts_given("staff"), texts_given("roster")
_PARTY = party.alias("p")


@dataclass(frozen=True, slots=True)
class Visibility:
    """The organization, staff plans and roster plans by which one caller sees resources."""

    organization_id: str
    staff_plans: Sequence[str]
    roster_plans: Sequence[str]
    #: When, and for what purpose the caller asks: by these the member's Consents are read.
    at: datetime
    purpose: str = "TREAT"

    @property
    def staff(self) -> bool:
        return bool(self.staff_plans)

    @property
    def who(self) -> str:
        """The caller as row security reads it (`app.store.acting`)."""
        staff = [*self.staff_plans, UNASSIGNED] if self.staff else []
        return f"{self.organization_id}|{','.join(staff)}|{','.join(self.roster_plans)}"

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
    return Visibility(caller.organization_id, staff, roster, caller.at, caller.purpose)


@cache
def plan_keys() -> tuple[str, ...]:
    """Lists every plan key that a referral may have; searches name them, for the indexes."""
    folder = policy_folder(settings().policy_path)
    inside = folder.iterdir() if folder.is_dir() else ()
    named = {entry.name for entry in inside if entry.is_dir()}
    return (*sorted(named), UNASSIGNED)


def directory_plans(kind: str, seen: Visibility) -> Sequence[str]:
    """Lists the plan keys to search: all for the network, the caller's roster plans for rosters."""
    return (*plan_keys(), NO_PLAN) if kind in NETWORK_TYPES else seen.roster_plans


def seen_by(seen: Visibility, *, least: bool = False) -> dict[str, Any]:
    """Returns the values of the conditions of this module.

    With `least`, a search also finds the referrals of which staff see the least.
    """
    staff = seen.staff_plans
    return {
        "plans": plan_keys(),
        "organization": seen.organization_id,
        "staff": (*staff, UNASSIGNED) if least and staff else staff,
        "roster": seen.roster_plans,
        "at": seen.at,
        "purpose": seen.purpose,
    }


def part_in(
    plan: SqlExpression, organization_id: SqlExpression, referral_id: SqlExpression
) -> Select[Any]:
    """Selects the part that an organization has in a referral now: the rows say which."""
    return (
        select(constant(1))
        .where(
            _PARTY.c.plan == plan,
            _PARTY.c.organization_id == organization_id,
            _PARTY.c.referral_id == referral_id,
            _PARTY.c.until.is_(None),
        )
        .correlate_except(_PARTY)
    )


def _party_to(plan: SqlExpression, referral_id: SqlExpression) -> Select[Any]:
    """Selects the caller's own part in one referral, for a row that is checked by itself.

    `OFFSET 0` keeps the planner from reading all parts of the organization first.
    """
    return part_in(plan, _ORGANIZATION, referral_id).offset(constant(0))


def sees_referral(*, staff: bool, few: bool = False) -> SqlCondition:
    """Makes the condition that the caller sees a row of `REFERRAL`.

    The condition names the plans first, so that the database can use its keys. With `few` the other
    conditions of the search leave few rows, and so each row is checked by itself; otherwise the
    search starts from the referrals that the organization is a party to.
    """
    plan, id_ = REFERRAL.c.plan, REFERRAL.c.id
    if few:
        seen: SqlCondition = _party_to(plan, id_).exists()
    else:
        parts = select(_PARTY.c.plan, _PARTY.c.referral_id).where(
            _PARTY.c.plan == any_(PLANS),
            _PARTY.c.organization_id == _ORGANIZATION,
            _PARTY.c.until.is_(None),
        )
        seen = tuple_(plan, id_).in_(parts)
    if staff:
        seen = or_(plan == any_(_STAFF), seen)
    return and_(plan == any_(PLANS), seen)


def sees_place() -> SqlCondition:
    """Makes the condition that the caller sees all of the resource at a row of `PLACE`."""
    network = PLACE.c.type.in_([constant(kind) for kind in sorted(NETWORK_TYPES)])
    return case(
        (PLACE.c.referral_id.is_(None), or_(network, PLACE.c.plan == any_(_ROSTER))),
        else_=or_(
            PLACE.c.plan == any_(_STAFF),
            _party_to(PLACE.c.plan, PLACE.c.referral_id).exists(),
        ),
    )


def is_place_of(kind: SqlExpression) -> SqlCondition:
    """Makes the condition that `PLACE` is a row of a referral, or of a resource of this type."""
    return PLACE.c.type.in_([kind, constant("ServiceRequest")])


def whole_or_least(*, staff: bool, kind: SqlExpression = KIND) -> tuple[SqlCondition, SqlCondition]:
    """Makes two conditions on a row of `PLACE`: the caller sees all of the resource, and sees it.

    Only staff find resources of which they see the least. `kind` is the resource's type.
    """
    if not staff:
        return true(), sees_place()
    shown = kind.in_([constant(one) for one in SHOWN])
    least = and_(PLACE.c.plan == constant(UNASSIGNED), PLACE.c.referral_id.is_not(None), shown)
    return sees_place(), or_(sees_place(), least)


def sees_least(plan: SqlExpression, referral_id: SqlExpression, *, staff: bool) -> SqlCondition:
    """Makes the condition that the caller sees only the least of a referral's resource."""
    if not staff:
        return false()
    alone = not_(_party_to(plan, referral_id).exists())
    return and_(plan == constant(UNASSIGNED), referral_id.is_not(None), alone)


def check_id(kind: str, resource_id: str) -> str:
    """Refuses an id that FHIR does not allow (404): the database would refuse some of its bytes."""
    if not is_id(resource_id):
        raise not_found(kind)
    return resource_id


#: The row of `PLACE` of one resource (`KIND`, `ID`): its referral's, or else its own.
AT_ID: SqlCondition = and_(is_place_of(KIND), PLACE.c.id == text_given("place"))


def at_id(kind: str, resource_id: str, seen: Visibility) -> dict[str, Any]:
    """Returns the values of `AT_ID` and of `seen_by`; 404 for a text that cannot be an id."""
    id_ = check_id(kind, resource_id)
    return {"kind": kind, "id": id_, "place": place_of_id(id_), **seen_by(seen)}


async def shown_least(kind: str, body: bytes) -> bytes:
    """The least of a referral whose plan is not known, for staff who look for it."""
    mark_if_heavy(len(body))
    return await to_thread_if_heavy(least, kind, body)
