"""Decides who may change an organization of the network, and stores changes that must wait.

An organization belongs to no plan, and several plans may send people to it. The plans that contract
with the organization may change it: a plan contracts with an organization if it has an active offer
of the organization, or if its own client made the organization. An organization that is itself a
plan is changed by that plan alone (docs/decisions/0007).

A change of name, address or NPI waits for a second word: of another plan that contracts with the
organization, or of the organization itself. People, letters and referrals find an organization by
these three, and so a wrong one harms every plan that contracts with it (docs/decisions/0007).

A change that waits is a proposal, a row of `organization_proposal`. Proposals are made and decided
while the organization is locked, so that of two words at once the second one meets the result of
the first. A write of the organization overtakes its open proposals (`app.store.directory.store`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, or_, select, tuple_

from app.base.errors import Issue, refuse
from app.base.ids import new_id
from app.fhir.directory import read_organization
from app.fhir.outcome import operation_outcome
from app.fhir.payload import Resource, identifiers
from app.fhir.r4 import codes
from app.fhir.r4.strict_json import dumps, parse
from app.model.caller import Caller
from app.store.database import Row, Source
from app.store.directory.record import Overtaken
from app.store.directory.store import examine, plain
from app.store.statement import Compiled, compiled, moment_given, number_given, text_given
from app.store.tables.directory import offer, organization, organization_proposal

_STANDING = """SELECT o.plan, o.made_by, ARRAY(SELECT p.plan FROM organization p
    WHERE p.plan IS NOT NULL AND EXISTS (SELECT 1 FROM offer f WHERE f.plan = p.plan
        AND f.organization_id = o.id AND f.active)) AS offering,
    EXISTS (SELECT 1 FROM client c CROSS JOIN unnest(c.scopes) s
        WHERE c.organization_id = o.id AND c.active AND NOT (c.demonstration AND $2::bool)
        AND s ~ '^system/([*]|Organization)[.][a-z]*u') AS speaks
FROM organization o WHERE o.id = $1::text"""


@dataclass(frozen=True, slots=True)
class ProposalStanding:
    """The standing of an organization: who may change it, and who may give the second word.

    `plan`: the plan that the organization is; `contracting`: the plans that contract with it;
    `speaks`: whether a client of its own may change it.
    """

    id: str
    plan: str | None
    contracting: frozenset[str]
    speaks: bool = False


async def standing_of(
    source: Source, organization_id: str, *, production: bool
) -> ProposalStanding | None:
    """Reads an organization's standing; None if the organization is not in the network."""
    row = await source.fetch_one(_STANDING, organization_id, production)
    if row is None:
        return None
    contracting = frozenset(row["offering"]) | ({row["made_by"]} - {None})
    return ProposalStanding(organization_id, row["plan"], contracting, row["speaks"])


def may_change(caller: Caller, standing: ProposalStanding | None) -> None:
    """Refuses with 403 a plan that does not contract with it; an unknown one is refused later."""
    if standing is None or standing.id == caller.organization_id:
        return
    if standing.plan is not None:
        text = "This organization is a plan, and changed by that plan alone. Ask its staff."
        raise refuse(403, "forbidden", text)
    if caller.plan not in standing.contracting:
        text = (
            "An organization is changed by the plans that contract with it. Add your active offer "
            "of it (a HealthcareService that it provides) first, or ask a plan that has one."
        )
        raise refuse(403, "forbidden", text)


def plans_claimed(caller: Caller, organization: Resource) -> Sequence[str]:
    """Lists the plans that an Organization claims to be; a claim that is not allowed is empty.

    422 for the caller's own organization without the plan's identifier: all members and offers of
    the plan depend on this identifier.
    """
    named = identifiers(organization, codes.PLAN_ID)
    if organization.get("id") != caller.organization_id:
        return ["" for _ in named]
    if caller.plan not in named:
        text = "This is your plan's own organization. Send it with the plan's identifier."
        raise refuse(422, "required", text, "Organization.identifier")
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
    """Lists the changes (name, address, NPI) that wait; none where nobody else has a word."""
    if standing is None or standing.id == caller.organization_id:
        return []
    if not (standing.speaks or standing.contracting - {caller.plan}):
        return []
    return changed(stored, sent)


def changed(stored: Mapping[str, Any], sent: Mapping[str, Any]) -> list[str]:
    """Lists which of `name`, `address` and `npi` differ."""
    differing = [
        word
        for word, elements in _ELEMENTS.items()
        if any(stored.get(element) != sent.get(element) for element in elements)
    ]
    before, after = read_organization(stored), read_organization(sent)
    npi = (before.npi, before.npis) != (after.npi, after.npis)
    return [*differing, "npi"] if npi else differing


def confirmers_in_words(caller: Caller, standing: ProposalStanding) -> str:
    """Words who may give the second word, for a sentence."""
    others = sorted(standing.contracting - {str(caller.plan)})
    named = [f"staff of {plan} with nwd/network" for plan in others]
    if standing.speaks:
        named.append("a client of the organization itself with system/Organization.u")
    return " or ".join(named)


def accepted(changes: Sequence[str], confirmers: str) -> dict[str, Any]:
    """Makes the answer to a change that waits: nothing is changed yet, and who must confirm it."""
    text = (
        f"Nothing is changed yet: the change of {', '.join(changes)} waits, and the whole update "
        f"with it, for the word of {confirmers}. It is given at the address in Location."
    )
    issue = Issue("informational", text, "Organization", severity="information")
    return operation_outcome([issue])


# Proposals

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


@dataclass(frozen=True, slots=True)
class ProposalsQuery:
    """The query of a list of proposals; `after`: moment and id of the last one shown before."""

    state: str | None = None
    organization: str | None = None
    after: tuple[datetime, str] | None = None
    limit: int = 50


async def lock(source: Source, organization_id: str) -> None:
    """Locks the organization and its proposals until the transaction ends."""
    await source.execute(_LOCK, organization_id)


async def propose(
    source: Source,
    caller: Caller,
    resource: Resource,
    changes: Sequence[str],
    after: int,
    now: datetime,
) -> str:
    """Stores a change of version `after` until it is decided, and returns the proposal's id.

    A repeated proposal gets the id of the first one; a new proposal replaces the open one of the
    same proposer. Raises the errors that writing the change would raise.
    """
    await lock(source, resource["id"])
    current = await source.fetch_one(_VERSION, resource["id"])
    if current is None or current["version"] != after:
        raise Overtaken
    await examine(source, [resource])
    own = await source.fetch_one(_OWN, resource["id"], caller.organization_id)
    if own is not None and plain(parse(own["body"])) == plain(resource):
        return str(own["id"])
    await take_back(source, caller, resource["id"], now)
    id_ = new_id()
    values = (id_, resource["id"], after, list(changes), dumps(resource))
    by = (caller.client_id, caller.organization_id, now)
    await source.execute(_ADD, *values, *by)
    return id_


async def take_back(source: Source, caller: Caller, organization_id: str, now: datetime) -> None:
    """Ends the open proposal of the caller's organization, which has sent another change."""
    await source.execute(_TAKE_BACK, organization_id, caller.organization_id, now)


async def decide(
    source: Source,
    caller: Caller,
    id_: str,
    state: str,
    note: str | None,
    now: datetime,
) -> None:
    """Records the decision about a proposal, and who made the decision."""
    by = (caller.client_id, caller.organization_id, now, note)
    await source.execute(_DECIDE, id_, state, *by)


async def one(source: Source, caller: Caller, id_: str) -> Row | None:
    """Reads a proposal with its body; None if there is none, or none that concerns the caller."""
    statement = _one().called(own=caller.organization_id, plan=caller.plan, id=id_)
    return await source.fetch_one(*statement)


async def listed(source: Source, caller: Caller, wanted: ProposalsQuery) -> Sequence[Row]:
    """Lists proposals that concern the caller, oldest first; one more than `limit` if any."""
    at, id_ = wanted.after or (None, None)
    shape = (wanted.state is not None, wanted.organization is not None, wanted.after is not None)
    statement = _page(*shape).called(
        own=caller.organization_id,
        plan=caller.plan,
        state=wanted.state,
        organization=wanted.organization,
        at=at,
        id=id_,
        rows=wanted.limit + 1,
    )
    return await source.fetch(*statement)


_p = organization_proposal.alias("p")


def _proposals(*more: ColumnElement[Any]) -> Select[Any]:
    """Selects what concerns the caller: of or by its organization, or of one its plan offers."""
    o, f = organization.alias("o"), offer.alias("f")
    plan = text_given("plan")
    offered = (f.c.plan == plan, f.c.organization_id == o.c.id, f.c.active)
    return (
        select(
            _p.c.id, _p.c.organization_id, o.c.name, _p.c.based_on, _p.c.changes, _p.c.state,
            _p.c.proposed_for, _p.c.proposed_at, _p.c.decided_for, _p.c.decided_at, _p.c.note,
            *more,
        )
        .join_from(_p, o, o.c.id == _p.c.organization_id)
        .where(
            or_(
                _p.c.organization_id == text_given("own"),
                _p.c.proposed_for == text_given("own"),
                o.c.made_by == plan,
                select(f.c.id).where(*offered).exists(),
            )
        )
    )  # fmt: skip


@cache
def _one() -> Compiled:
    return compiled(_proposals(_p.c.body).where(_p.c.id == text_given("id")))


@cache
def _page(state: bool, organization: bool, after: bool) -> Compiled:
    """Makes the statement of a page, once for each set of filters."""
    rows = _proposals().order_by(_p.c.proposed_at, _p.c.id)
    if state:
        rows = rows.where(_p.c.state == text_given("state"))
    if organization:
        rows = rows.where(_p.c.organization_id == text_given("organization"))
    if after:
        at = moment_given("at")
        rows = rows.where(tuple_(_p.c.proposed_at, _p.c.id) > tuple_(at, text_given("id")))
    return compiled(rows.limit(number_given("rows")))
