"""Who may change an organization of the network: the plans that contract with it.

An organization belongs to no plan, and several may send people to it. A plan contracts with one of
which it has an active offer, and with one that its own client made. One that is itself a plan is
that plan's alone (docs/decisions/0007).

What of an organization waits for a second word when a plan changes it, and whose word that is.

 By its name, its address and its NPI people, letters and referrals find it: a wrong one harms
every plan that contracts with it (docs/decisions/0007).

Changes of organizations that wait for a second word: their rows.

Everything is done while the organization is locked, so that of two words at once the second one
finds what the first has made of it. A write of the organization overtakes what is open
(`app.store.directory.store`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from app.base.errors import Issue, refuse
from app.base.ids import new_id
from app.fhir.directory import read_organization
from app.fhir.outcome import operation_outcome
from app.fhir.payload import Resource, identifiers
from app.fhir.r4 import codes
from app.fhir.r4.strict_json import dumps, parse
from app.model.caller import Caller
from app.store.database import fetch_one
from app.store.directory.record import Overtaken
from app.store.directory.store import examine, plain

_STANDING = """SELECT o.plan, o.made_by, ARRAY(SELECT p.plan FROM organization p
    WHERE p.plan IS NOT NULL AND EXISTS (SELECT 1 FROM offer f WHERE f.plan = p.plan
        AND f.organization_id = o.id AND f.active)),
    EXISTS (SELECT 1 FROM client c CROSS JOIN unnest(c.scopes) s
        WHERE c.organization_id = o.id AND c.active AND NOT (c.demonstration AND $2::bool)
        AND s ~ '^system/([*]|Organization)[.][a-z]*u')
FROM organization o WHERE o.id = $1::text"""


@dataclass(frozen=True, slots=True)
class ProposalStanding:
    """An organization's dealings: the plan that it is, the plans that contract with it, and whether
    a client of its own can speak for it.
    """

    id: str
    plan: str | None
    contracting: frozenset[str]
    speaks: bool = False


async def standing_of(
    connection: AsyncConnection, organization_id: str, *, production: bool
) -> ProposalStanding | None:
    """What the network knows of it; None for one that is not of the network."""
    row = await fetch_one(connection, _STANDING, (organization_id, production))
    if row is None:
        return None
    plan, made_by, offering, speaks = row
    contracting = frozenset(offering) | ({made_by} if made_by else set())
    return ProposalStanding(organization_id, plan, contracting, speaks)


def may_change(caller: Caller, standing: ProposalStanding | None) -> None:
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


_ELEMENTS = {
    "name": ("name", "_name", "alias", "_alias"),
    "address": ("address", "telecom", "contact"),
}


def waits(
    caller: Caller,
    standing: ProposalStanding | None,
    stored: Mapping[str, Any],
    sent: Mapping[str, Any],
) -> list[str]:
    """What of name, address and NPI is changed; nothing where nobody else can speak."""
    if standing is None or standing.id == caller.organization_id:
        return []
    if not (standing.speaks or standing.contracting - {caller.plan}):
        return []
    return changed(stored, sent)


def changed(stored: Mapping[str, Any], sent: Mapping[str, Any]) -> list[str]:
    """Which of `name`, `address` and `npi` differ."""
    found = [
        word
        for word, elements in _ELEMENTS.items()
        if any(stored.get(element) != sent.get(element) for element in elements)
    ]
    before, after = read_organization(stored), read_organization(sent)
    npi = (before.npi, before.npis) != (after.npi, after.npis)
    return [*found, "npi"] if npi else found


def whose(caller: Caller, standing: ProposalStanding) -> str:
    """Who may give the second word, for a sentence."""
    others = sorted(standing.contracting - {str(caller.plan)})
    named = [f"staff of {plan} with nwd/network" for plan in others]
    if standing.speaks:
        named.append("a client of the organization itself with system/Organization.u")
    return " or ".join(named)


def accepted(changes: Sequence[str], who: str) -> dict[str, Any]:
    """The answer to a change that waits: nothing has happened yet, and what it takes."""
    said = (
        f"Nothing is changed yet: the change of {', '.join(changes)} waits, and the whole update "
        f"with it, for the word of {who}. It is given at the address in Location."
    )
    issue = Issue("informational", said, "Organization", severity="information")
    return operation_outcome([issue])


_LOCK = "SELECT 1 FROM locator WHERE type = 'Organization' AND id = $1::text FOR UPDATE"
_VERSION = "SELECT version FROM organization WHERE id = $1::text"
_OWN = """SELECT id, changes, body FROM organization_proposal
WHERE organization_id = $1::text AND proposed_for = $2::text AND state = 'open'"""
_TAKE_BACK = """UPDATE organization_proposal SET state = 'overtaken', decided_at = $3::timestamptz
WHERE organization_id = $1::text AND proposed_for = $2::text AND state = 'open'"""
_ADD = """INSERT INTO organization_proposal (id, organization_id, based_on, changes, body, state,
    proposed_by, proposed_for, proposed_at)
VALUES ($1, $2, $3, $4::text[], $5, 'open', $6, $7, $8)"""
_DECIDE = """UPDATE organization_proposal SET state = $2::text, decided_by = $3::text,
    decided_for = $4::text, decided_at = $5::timestamptz, note = $6::text WHERE id = $1::text"""
_SHOWN = """p.id, p.organization_id, o.name, p.based_on, p.changes, p.state, p.proposed_for,
    p.proposed_at, p.decided_for, p.decided_at, p.note"""
#: Whom a proposal concerns: its organization, who made it, the plans that contract ($2).
_CONCERNS = """FROM organization_proposal p JOIN organization o ON o.id = p.organization_id
WHERE (p.organization_id = $1::text OR p.proposed_for = $1::text OR o.made_by = $2::text
    OR EXISTS (SELECT 1 FROM offer f WHERE f.plan = $2::text AND f.organization_id = o.id
        AND f.active))"""


@dataclass(frozen=True, slots=True)
class ProposalsQuery:
    """Which proposals. `after` is the last one of the page before: moment and id."""

    state: str | None = None
    organization: str | None = None
    after: tuple[datetime, str] | None = None
    limit: int = 50


async def lock(connection: AsyncConnection, organization_id: str) -> None:
    """Nobody else changes the organization, or says a word about it, until the end."""
    await connection.exec_driver_sql(_LOCK, (organization_id,))


async def propose(
    connection: AsyncConnection,
    caller: Caller,
    resource: Resource,
    changes: Sequence[str],
    after: int,
    now: datetime,
) -> str:
    """Keeps a change of version `after` until it is decided; its id. The same again is the same.

    It takes the place of what its organization proposed before. Raises what writing would.
    """
    await lock(connection, resource["id"])
    found = await fetch_one(connection, _VERSION, (resource["id"],))
    if found is None or found[0] != after:
        raise Overtaken
    await examine(connection, [resource])
    own = await fetch_one(connection, _OWN, (resource["id"], caller.organization_id))
    if own is not None and plain(parse(own[2])) == plain(resource):
        return str(own[0])
    await take_back(connection, caller, resource["id"], now)
    id_ = new_id()
    values = (id_, resource["id"], after, list(changes), dumps(resource))
    by = (caller.client_id, caller.organization_id, now)
    await connection.exec_driver_sql(_ADD, (*values, *by))
    return id_


async def take_back(
    connection: AsyncConnection, caller: Caller, organization_id: str, now: datetime
) -> None:
    """What the caller's organization proposed before is open no more: it has sent another."""
    await connection.exec_driver_sql(_TAKE_BACK, (organization_id, caller.organization_id, now))


async def decide(
    connection: AsyncConnection,
    caller: Caller,
    id_: str,
    state: str,
    note: str | None,
    now: datetime,
) -> None:
    """Records whose word it was."""
    by = (caller.client_id, caller.organization_id, now, note)
    await connection.exec_driver_sql(_DECIDE, (id_, state, *by))


async def one(connection: AsyncConnection, caller: Caller, id_: str) -> RowMapping | None:
    """A proposal with its body; None where it is not there, or does not concern the caller."""
    sql = f"SELECT {_SHOWN}, p.body {_CONCERNS} AND p.id = $3::text"
    values = (caller.organization_id, caller.plan, id_)
    return (await connection.exec_driver_sql(sql, values)).mappings().first()


async def listed(
    connection: AsyncConnection, caller: Caller, wanted: ProposalsQuery
) -> Sequence[RowMapping]:
    """Those that concern the caller, the oldest first; one more than asked for, if there is."""
    values: list[Any] = [caller.organization_id, caller.plan]
    conditions = ""
    for column, value in (("state", wanted.state), ("organization_id", wanted.organization)):
        if value is not None:
            values.append(value)
            conditions += f" AND p.{column} = ${len(values)}::text"
    if wanted.after is not None:
        values += wanted.after
        at = len(values)
        conditions += f" AND (p.proposed_at, p.id) > (${at - 1}::timestamptz, ${at}::text)"
    values.append(wanted.limit + 1)
    sql = f"""SELECT {_SHOWN} {_CONCERNS}{conditions}
    ORDER BY p.proposed_at, p.id LIMIT ${len(values)}::int"""
    return (await connection.exec_driver_sql(sql, tuple(values))).mappings().fetchall()
