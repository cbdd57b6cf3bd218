"""Who may change an organization of the network: the plans that contract with it.

An organization belongs to no plan, and several may send people to it. A plan contracts with one of
which it has an active offer, and with one that its own client made. One that is itself a plan is
that plan's alone (docs/decisions/0007).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from app.base.errors import refuse
from app.fhir import codes
from app.fhir.payload import identifiers
from app.model.caller import Caller
from app.store.database import fetch_one
from app.store.directory.record import Resource

_STANDING = """SELECT o.plan, o.made_by, ARRAY(SELECT p.plan FROM organization p
    WHERE p.plan IS NOT NULL AND EXISTS (SELECT 1 FROM offer f WHERE f.plan = p.plan
        AND f.organization_id = o.id AND f.active)),
    EXISTS (SELECT 1 FROM client c CROSS JOIN unnest(c.scopes) s
        WHERE c.organization_id = o.id AND c.active AND NOT (c.demonstration AND $2::bool)
        AND s ~ '^system/([*]|Organization)[.][a-z]*u')
FROM organization o WHERE o.id = $1::text"""


@dataclass(frozen=True, slots=True)
class Standing:
    """An organization's dealings: the plan that it is, the plans that contract with it, and whether
    a client of its own can speak for it.
    """

    id: str
    plan: str | None
    contracting: frozenset[str]
    speaks: bool = False


async def standing_of(
    connection: AsyncConnection, organization_id: str, *, production: bool
) -> Standing | None:
    """What the network knows of it; None for one that is not of the network."""
    row = await fetch_one(connection, _STANDING, (organization_id, production))
    if row is None:
        return None
    plan, made_by, offering, speaks = row
    contracting = frozenset(offering) | ({made_by} if made_by else set())
    return Standing(organization_id, plan, contracting, speaks)


def may_change(caller: Caller, standing: Standing | None) -> None:
    """403 for a plan that does not contract with it; what is of no network is refused later."""
    if standing is None or standing.id == caller.organization_id:
        return
    if standing.plan is not None:
        said = "This organization is a plan, and changed by that plan alone. Ask its staff."
        raise refuse(403, "forbidden", said)
    if caller.plan not in standing.contracting:
        said = (
            "An organization is changed by the plans that contract with it. Add your active offer "
            "of it (a HealthcareService that it provides) first, or ask a plan that has one."
        )
        raise refuse(403, "forbidden", said)


def plans_claimed(caller: Caller, organization: Resource) -> Sequence[str]:
    """The plans that an Organization says it is; what a plan may not claim is an empty word.

    422 for a plan's own without its identifier: all of its members and offers hang on that.
    """
    named = identifiers(organization, codes.PLAN_ID)
    if organization.get("id") != caller.organization_id:
        return ["" for _ in named]
    if caller.plan not in named:
        said = "This is your plan's own organization. Send it with the plan's identifier."
        raise refuse(422, "required", said, "Organization.identifier")
    return named
