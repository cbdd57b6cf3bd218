"""`/v1/organization-proposals`: changes of organizations that wait for a second word.

The plans that contract with an organization, and its own clients, read its proposals. Any of them
but the proposer confirms or rejects a proposal. `app.api.directory` makes the proposals.
"""

from typing import Annotated

import orjson
from fastapi import APIRouter, Path, Query, Request, Response

from app.api.acting import CallersRows, CallersTransaction
from app.api.caller import CallerDep, require, require_scope
from app.api.contract.responses import errors
from app.api.deployment import deployment
from app.api.directory import refusals_as_answers
from app.base.errors import not_found, refuse
from app.fhir.r4.strict_json import parse
from app.model.caller import NETWORK, Caller
from app.store.database import Row, Source
from app.store.directory import organization as store
from app.store.directory.store import write
from app.store.reading.cursor import Pages
from app.views.proposals import (
    PREFIX,
    Confirmation,
    OrganizationProposal,
    OrganizationProposalInFull,
    OrganizationProposalLinks,
    OrganizationProposals,
    ProposalFilters,
    Rejection,
)

router = APIRouter(prefix=PREFIX, tags=["Directory"])

_READING = errors(400, 403, 404)
_CHANGING = errors(400, 403, 404, 409, 422)
_PERMITTED = (
    " For the staff of a plan that contracts with the organization, with `nwd/network`, and for a "
    "client of the organization itself; with `system/Organization.u`, and never for whoever "
    "proposed the change. 409 where it is decided already, or overtaken."
)

ProposalId = Annotated[
    str,
    Path(
        description="The proposal's id.", min_length=1, max_length=64, pattern=r"^[A-Za-z0-9.-]+$"
    ),
]


@router.get(
    "",
    operation_id="listOrganizationProposals",
    summary="Changes that wait for a second word",
    description="Proposed changes of the name, address or NPI of organizations that your plan "
    "contracts with, or of your own, the oldest first. `state=open` are those that wait.",
    responses=_READING,
)
async def list_proposals(
    request: Request,
    caller: CallerDep,
    source: CallersRows,
    filters: Annotated[ProposalFilters, Query()],
) -> OrganizationProposals:
    """One page."""
    _require_access(caller, "r")
    pages = Pages(deployment(request).settings, caller, filters.link(PREFIX))
    after = pages.after(filters.cursor)
    wanted = store.ProposalsQuery(
        state=filters.state,
        organization=filters.organization,
        after=(after.at, after.id) if after else None,
        limit=filters.limit,
    )
    rows = await store.listed(source, caller, wanted)
    items = [_shown(row, caller, pages.public_url) for row in rows[: filters.limit]]
    last = items[-1] if len(rows) > filters.limit else None
    return OrganizationProposals(
        items=items, next=pages.next(last.proposed, last.id) if last else None
    )


@router.get(
    "/{id}",
    operation_id="readOrganizationProposal",
    summary="Read a proposed change of an organization",
    description="With the Organization as it would be.",
    response_model=OrganizationProposalInFull,
    responses=_READING,
)
async def read_proposal(
    id: ProposalId, request: Request, caller: CallerDep, source: CallersRows
) -> Response:
    """404 for what concerns others alone."""
    _require_access(caller, "r")
    row = await _visible_proposal(source, caller, id)
    shown = _shown(row, caller, _base(request)).model_dump(mode="json")
    body = orjson.dumps({**shown, "resource": orjson.Fragment(row["body"])})
    return Response(body, headers={"Cache-Control": "no-store"}, media_type="application/json")


@router.post(
    "/{id}/confirm",
    operation_id="confirmOrganizationProposal",
    summary="Let a proposed change take effect",
    description="The organization is written as proposed, as its next version." + _PERMITTED,
    responses=_CHANGING,
)
async def confirm(
    id: ProposalId,
    request: Request,
    caller: CallerDep,
    connection: CallersTransaction,
    confirmation: Confirmation | None = None,
) -> OrganizationProposal:
    """The proposal as it now is."""
    row = await _lock_open(connection, caller, id)
    now = deployment(request).clock.now()
    note = confirmation.note if confirmation else None
    await store.decide(connection, caller, id, "confirmed", note, now)
    with refusals_as_answers(request):
        await write(connection, [parse(row["body"])], now, after=row["based_on"])
    return _shown(await _visible_proposal(connection, caller, id), caller, _base(request))


@router.post(
    "/{id}/reject",
    operation_id="rejectOrganizationProposal",
    summary="Refuse a proposed change",
    description="The organization stays as it is; `note` says why." + _PERMITTED,
    responses=_CHANGING,
)
async def reject(
    id: ProposalId,
    request: Request,
    caller: CallerDep,
    rejection: Rejection,
    connection: CallersTransaction,
) -> OrganizationProposal:
    """The proposal as it now is."""
    await _lock_open(connection, caller, id)
    now = deployment(request).clock.now()
    await store.decide(connection, caller, id, "rejected", rejection.note, now)
    return _shown(await _visible_proposal(connection, caller, id), caller, _base(request))


def _require_access(caller: Caller, letter: str) -> None:
    """Raises 403 without the scope of `letter`; staff of a plan need `nwd/network`, too.

    Plan staff keep the network; other callers act for themselves.
    """
    require(caller, "Organization", letter)
    if caller.plan is not None:
        require_scope(caller, NETWORK)


async def _visible_proposal(source: Source, caller: Caller, id_: str) -> Row:
    row = await store.one(source, caller, id_)
    if row is None:
        raise not_found("proposal")
    return row


async def _lock_open(source: Source, caller: Caller, id_: str) -> Row:
    """Locks the organization of a proposal, and returns the proposal where the caller may decide.

    404 for a proposal that concerns others alone, 403 for the proposer, 409 for a decided proposal.
    """
    _require_access(caller, "u")
    unlocked = await _visible_proposal(source, caller, id_)
    await store.lock(source, unlocked["organization_id"])
    row = await _visible_proposal(source, caller, id_)
    if row["proposed_for"] == caller.organization_id:
        text = "You proposed this change: the second word is another's. A new update replaces it."
        raise refuse(403, "forbidden", text)
    if row["state"] != "open":
        text = f"This proposal is {row['state']}; a change is proposed by a new update."
        raise refuse(409, "conflict", text)
    return row


def _base(request: Request) -> str:
    base = deployment(request).settings.public_url
    return base.rstrip("/")


def _shown(row: Row, caller: Caller, base: str) -> OrganizationProposal:
    own = f"{base}{PREFIX}/{row['id']}"
    may_decide = (
        caller.may("Organization", "u")
        and row["state"] == "open"
        and row["proposed_for"] != caller.organization_id
    )
    return OrganizationProposal(
        id=row["id"],
        organization=row["organization_id"],
        organization_name=row["name"],
        changes=row["changes"],
        based_on=row["based_on"],
        state=row["state"],
        proposed_by=row["proposed_for"],
        proposed=row["proposed_at"],
        decided_by=row["decided_for"],
        decided=row["decided_at"],
        note=row["note"],
        links=OrganizationProposalLinks(
            self=own,
            organization=f"{base}/fhir/Organization/{row['organization_id']}",
            confirm=f"{own}/confirm" if may_decide else None,
            reject=f"{own}/reject" if may_decide else None,
        ),
    )
