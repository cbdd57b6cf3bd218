"""`/v1/clients`: a plan's staff register, read and keep clients; with `nwd/clients`.

They see and change the clients of the plan's own organization, and those that the plan's staff
registered; all others are unknown (404). The operator's command line (`app.commands.client`) keeps
all clients.
"""

from datetime import timedelta
from typing import Annotated

import orjson
from fastapi import APIRouter, Path, Query, Request, Response

from app.api.caller import CallerDep, require_scope
from app.api.contract.responses import errors
from app.api.deployment import Statements, deployment
from app.api.login.public_keys import fault_of_keys
from app.base.errors import Issue, Refusal, not_found, refuse
from app.journey.notification.targets import Guard
from app.model.caller import CLIENTS, Caller, grant, is_scope, usual_purpose
from app.store import clients as store
from app.store.database import Row, Source
from app.store.reading.cursor import Pages
from app.views.clients import (
    PREFIX,
    ClientChange,
    ClientFilters,
    ClientKeys,
    ClientRegistration,
    RegisteredClient,
    RegisteredClientInFull,
    RegisteredClients,
    RegisteredClientWithSecret,
    SecretRotation,
)

router = APIRouter(prefix=PREFIX, tags=["Access"])

_READING = errors(400, 403, 404)
_CHANGING = errors(400, 403, 404, 409, 422)
_WITHOUT_BODY = {**_READING, **errors(408, 413, 415)}

ClientId = Annotated[
    str,
    Path(description="The client_id.", min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._-]+$"),
]


@router.get(
    "",
    operation_id="listClients",
    summary="The clients that your plan keeps",
    description="Those of the plan's own organization, and those that its staff registered, the "
    "oldest first. With `nwd/clients`.",
    responses=errors(400, 403),
)
async def list_clients(
    request: Request,
    caller: CallerDep,
    source: Statements,
    filters: Annotated[ClientFilters, Query()],
) -> RegisteredClients:
    """One page."""
    keeper = _keeper(caller)
    pages = Pages(deployment(request).settings, caller, filters.link(PREFIX))
    position = pages.after(filters.cursor)
    after = (position.at, position.id) if position else None
    rows = await store.listed(source, keeper, after, filters.limit + 1)
    items = [RegisteredClient(**_shown(row)) for row in rows[: filters.limit]]
    last = items[-1] if len(rows) > filters.limit else None
    return RegisteredClients(items=items, next=pages.next(last.created, last.id) if last else None)


@router.post(
    "",
    operation_id="registerClient",
    summary="Register a client",
    description="For an organization of the network; of organizations that are plans, for your own "
    "alone. The answer carries its secret, this once, if it has one. 409 where the id is taken.",
    status_code=201,
    responses=_CHANGING,
)
async def register_client(
    request: Request,
    response: Response,
    caller: CallerDep,
    source: Statements,
    wanted: ClientRegistration,
) -> RegisteredClientWithSecret:
    """The client as it was registered."""
    keeper = _keeper(caller)
    row = await store.organization(source, wanted.organization)
    plan = row["plan"] if row else None
    faults = [*_faults_of_keys(request, wanted, wanted.organization)]
    if row is None:
        text = "No such Organization is known. Load it, or create it, first."
        faults.append(Issue("not-found", text, "organization"))
    elif plan is not None and wanted.organization != caller.organization_id:
        text = "Register clients of your own plan, or of organizations that are no plan."
        faults.append(Issue("forbidden", text, "organization"))
    scopes = _scopes(wanted, caller, faults)
    if wanted.id == store.OPERATOR:
        faults.append(Issue("value", "This word is taken. Choose another id.", "id"))
    keyed = bool(wanted.jwks or wanted.jwks_uri or wanted.certificate)
    if wanted.secret is False and not keyed:
        text = "Without secret, key and certificate it could never log in."
        faults.append(Issue("required", text, "secret"))
    if faults:
        raise Refusal(422, faults)
    new = store.NewClient(
        wanted.id,
        wanted.organization,
        scopes,
        wanted.purpose or usual_purpose(plan),
        wanted.name,
        _stored(wanted),
        with_secret=not keyed if wanted.secret is None else wanted.secret,
    )
    added, secret = await store.register(source, new, deployment(request).clock.now(), keeper)
    if not added:
        raise refuse(409, "duplicate", "A client with this id exists already. Choose another id.")
    response.headers["Location"] = f"{PREFIX}/{wanted.id}"
    row = await _own_client(source, keeper, wanted.id)
    return RegisteredClientWithSecret(**_shown(row), secret=secret)


@router.get(
    "/{id}",
    operation_id="readClient",
    summary="Read a client, and what was done to it",
    responses=_READING,
)
async def read_client(
    id: ClientId, caller: CallerDep, source: Statements
) -> RegisteredClientInFull:
    """The client; never its secret."""
    row = await _own_client(source, _keeper(caller), id)
    lines = [
        ClientChange(event=line["event"], by=line["actor"], at=line["at"])
        for line in await store.history(source, id)
    ]
    return RegisteredClientInFull(**_shown(row), history=lines)


@router.post(
    "/{id}/rotate-secret",
    operation_id="rotateClientSecret",
    summary="Replace a client's secret",
    description="The answer carries the new one, this once. The old one is good until the overlap "
    "ends; without overlap it ends now, and the tokens in use within two seconds.",
    responses=_CHANGING,
)
async def rotate_secret(
    id: ClientId,
    request: Request,
    caller: CallerDep,
    source: Statements,
    rotation: SecretRotation,
) -> RegisteredClientWithSecret:
    """The client with its new secret."""
    keeper, now = _keeper(caller), deployment(request).clock.now()
    overlap = timedelta(hours=rotation.overlap_hours)
    secret = await store.rotate(source, id, now, overlap, keeper)
    row = await _own_client(source, keeper, id)
    return RegisteredClientWithSecret(**_shown(row), secret=secret)


@router.put(
    "/{id}/keys",
    operation_id="replaceClientKeys",
    summary="Replace a client's keys",
    description="What is left out is removed; its secret stays as it is. The tokens in use end "
    "within two seconds: the client asks for new ones. To replace a key without a gap send a set "
    "with the old one and the new one, and later the new one alone; or register `jwks_uri`.",
    responses=_CHANGING,
)
async def replace_keys(
    id: ClientId, request: Request, caller: CallerDep, source: Statements, wanted: ClientKeys
) -> RegisteredClient:
    """The client with its new keys."""
    keeper = _keeper(caller)
    row = await _own_client(source, keeper, id)
    faults = _faults_of_keys(request, wanted, row["organization_id"])
    if faults:
        raise Refusal(422, faults)
    now = deployment(request).clock.now()
    await store.replace_keys(source, id, _stored(wanted), now, keeper)
    return RegisteredClient(**_shown(await _own_client(source, keeper, id)))


@router.post(
    "/{id}/switch-off",
    operation_id="switchClientOff",
    summary="Switch a client off",
    description="It gets no token any more, and those in use end within two seconds.",
    responses=_WITHOUT_BODY,
)
async def switch_off(
    id: ClientId, request: Request, caller: CallerDep, source: Statements
) -> RegisteredClient:
    """The client as it now is."""
    return await _switched(request, caller, source, id, on=False)


@router.post(
    "/{id}/switch-on",
    operation_id="switchClientOn",
    summary="Switch a client on again",
    description="It may ask for tokens again, with the secret and keys that it has.",
    responses=_WITHOUT_BODY,
)
async def switch_on(
    id: ClientId, request: Request, caller: CallerDep, source: Statements
) -> RegisteredClient:
    """The client as it now is."""
    return await _switched(request, caller, source, id, on=True)


async def _switched(
    request: Request, caller: Caller, source: Source, id_: str, *, on: bool
) -> RegisteredClient:
    keeper, now = _keeper(caller), deployment(request).clock.now()
    await store.switch(source, id_, now, on=on, keeper=keeper)
    return RegisteredClient(**_shown(await _own_client(source, keeper, id_)))


def _keeper(caller: Caller) -> store.ClientKeeper:
    """The plan's staff as keepers of clients. 403 without the scope, and for whoever is no plan."""
    require_scope(caller, CLIENTS)
    if caller.plan is None:
        raise refuse(403, "forbidden", "Clients are registered by the staff of a plan.")
    return store.ClientKeeper(caller.client_id, caller.plan, caller.organization_id)


async def _own_client(source: Source, keeper: store.ClientKeeper, id_: str) -> Row:
    row = await store.one(source, keeper, id_)
    if row is None:
        raise not_found("client")
    return row


def _scopes(wanted: ClientRegistration, caller: Caller, faults: list[Issue]) -> list[str]:
    """The scopes to grant. Adds a fault for each that the caller may not give away."""
    own = wanted.organization == caller.organization_id
    if wanted.role and wanted.scopes:
        faults.append(Issue("value", "Send `role` or `scopes`, not both.", "scopes"))
    elif wanted.role == "staff" and not own:
        text = "The role is for clients of your own plan's organization."
        faults.append(Issue("forbidden", text, "role"))
    scopes = sorted(wanted.scopes or store.ROLES[wanted.role or "requester"])
    held = caller.scopes if own else store.PROVIDER
    for index, scope in enumerate(scopes):
        if not is_scope(scope):
            text = "Not a scope. Write it as system/Task.rs, with the letters in the order cruds."
            faults.append(Issue("code-invalid", text, f"scopes[{index}]"))
        elif grant(scope, held)[1] != [scope]:
            text = f"This is more than {'your token has' if own else 'a provider may have'}."
            faults.append(Issue("forbidden", text, f"scopes[{index}]"))
    return scopes


def _faults_of_keys(request: Request, wanted: ClientKeys, organization: str) -> list[Issue]:
    if wanted.jwks is not None and wanted.jwks_uri is not None:
        return [Issue("value", "Send `jwks` or `jwks_uri`, not both.", "jwks_uri")]
    faults = [fault_of_keys(orjson.dumps(wanted.jwks), "jwks") if wanted.jwks is not None else None]
    if wanted.jwks_uri is not None:
        text = Guard.of(deployment(request).settings).fault(wanted.jwks_uri, organization)
        faults.append(Issue("value", text, "jwks_uri") if text else None)
    return [fault for fault in faults if fault is not None]


def _stored(wanted: ClientKeys) -> store.PublicKeys:
    jwks = orjson.dumps(wanted.jwks).decode() if wanted.jwks is not None else None
    return store.PublicKeys(jwks, wanted.jwks_uri, wanted.certificate)


def _shown(row: Row) -> dict[str, object]:
    return {
        "id": row["id"],
        "name": row["name"],
        "organization": row["organization_id"],
        "registered_by": row["plan"],
        "purpose": row["purpose"],
        "scopes": row["scopes"],
        "active": row["active"],
        "created": row["created_at"],
        "has_secret": row["has_secret"],
        "old_secret_expires": row["previous_secret_until"],
        "jwks": orjson.loads(row["jwks"]) if row["jwks"] else None,
        "jwks_uri": row["jwks_uri"],
        "certificate": row["certificate"],
    }
