"""Webhook endpoints: create, read, change, disable, enable, rotate the secret, send a test.

Any client of the organization may use its endpoints; the endpoints of another organization are
unknown (404). An owner reads everything of an endpoint but its secrets and header values.
`app.api.webhook_messages` uses the shared parts of the routes, too.
"""

from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response

from app.api.acting import CallersRows, CallersTransaction
from app.api.caller import CallerDep, require
from app.api.contract.responses import errors
from app.api.deployment import deployment
from app.base.errors import Issue, Refusal, not_found, refuse
from app.base.ids import new_id
from app.fhir.searchset import TYPES
from app.journey.notification import store
from app.journey.notification.endpoint import (
    Endpoint,
    EndpointChange,
    EndpointWithSecret,
    NewEndpoint,
    Rotation,
    TestSent,
)
from app.journey.notification.secrets import Secret, Vault, new_secret, public_key
from app.journey.notification.targets import Guard
from app.model.caller import UNASSIGNED, Caller
from app.store.database import Row, Source

# Shared parts of the routes

PREFIX = "/v1/webhook-endpoints"
READING = errors(400, 403, 404)
CHANGING = errors(400, 403, 404, 409, 422)
#: Responses of an operation that takes no body, and refuses a body that is too slow, too large or
#: not JSON.
WITHOUT_BODY = {**CHANGING, **errors(408, 413, 415)}

EndpointId = Annotated[
    str, Path(description="The endpoint's id.", min_length=1, max_length=64, pattern=r"^[^\x00]+$")
]


async def own_endpoint(
    source: Source, caller: Caller, id_: str, letter: str = "r", *, lock: bool = False
) -> Row:
    """The caller's endpoint; 404 for an endpoint of another organization.

    403 without `letter` on Subscription: in FHIR an endpoint is a Subscription.
    """
    require(caller, "Subscription", letter)
    row = await store.endpoint(source, caller.organization_id, id_, lock=lock)
    if row is None:
        raise not_found("webhook endpoint")
    return row


def must_be_active(row: Row) -> None:
    """Raises 409 while the endpoint is disabled."""
    if row["status"] != "active":
        raise refuse(409, "conflict", "The endpoint is disabled. Enable it first.")


def now_of(request: Request) -> datetime:
    """The time by the service's clock."""
    return deployment(request).clock.now()


# The routes

router = APIRouter(prefix=PREFIX, tags=["Notifications"])

#: How many endpoints one organization may have.
MOST_ENDPOINTS = 50


@router.post("", operation_id="createWebhookEndpoint", status_code=201, responses=CHANGING)
async def create_endpoint(
    request: Request,
    response: Response,
    caller: CallerDep,
    wanted: NewEndpoint,
    connection: CallersTransaction,
) -> EndpointWithSecret:
    """Register a webhook endpoint.

    The answer carries the signing secret, this once (Standard Webhooks 1.0.0). A test message
    follows at once, unless `send_test` is false.
    """
    require(caller, "Subscription", "c")
    _require_payload(caller, wanted.payload)
    _check(request, caller, wanted.url, wanted.plans)
    if len(await store.endpoints(connection, caller.organization_id)) >= MOST_ENDPOINTS:
        raise refuse(409, "too-costly", f"An organization has at most {MOST_ENDPOINTS} endpoints.")
    vault, now = _vault(request), now_of(request)
    secret = new_secret(wanted.signature == "asymmetric")
    row: dict[str, Any] = {
        **_columns(wanted, vault),
        "organization_id": caller.organization_id,
        "client_id": caller.client_id,
        "id": new_id(),
        "status": "active",
        "secrets": vault.seal_secrets([Secret(secret)]),
        "created_at": now,
        "updated_at": now,
    }
    await store.add(connection, row)
    if wanted.send_test:
        await store.send_test(connection, caller.organization_id, row["id"], now)
    response.headers["Location"] = f"{router.prefix}/{row['id']}"
    return await _with_secret(request, caller, row["id"], secret, connection)


@router.get("", operation_id="listWebhookEndpoints", responses=errors(400, 403))
async def list_endpoints(
    request: Request, caller: CallerDep, source: CallersRows
) -> list[Endpoint]:
    """List your organization's endpoints, oldest first."""
    require(caller, "Subscription", "s")
    vault, now = _vault(request), now_of(request)
    rows = await store.endpoints(source, caller.organization_id)
    return [as_owner_reads(row, vault, now) for row in rows]


@router.get("/{id}", operation_id="readWebhookEndpoint", responses=READING)
async def read_endpoint(
    id: EndpointId,
    request: Request,
    caller: CallerDep,
    source: CallersRows,
) -> Endpoint:
    """Read one endpoint."""
    row = await own_endpoint(source, caller, id)
    return as_owner_reads(row, _vault(request), now_of(request))


@router.patch("/{id}", operation_id="changeWebhookEndpoint", responses=CHANGING)
async def change_endpoint(
    id: EndpointId,
    request: Request,
    caller: CallerDep,
    change: EndpointChange,
    connection: CallersTransaction,
) -> Endpoint:
    """Change an endpoint's URL, filters, payload, headers or description.

    What is left out stays. A new URL gets what is still waiting, too. Who changes an endpoint that
    gets the full payload must be allowed to read what it carries.
    """
    row = await own_endpoint(connection, caller, id, "u", lock=True)
    url = change.url if "url" in change.model_fields_set else None
    _check(request, caller, url, change.plans if "plans" in change.model_fields_set else [])
    columns = _columns(change, _vault(request))
    _require_payload(caller, columns.get("payload", row["payload"]))
    values = {**columns, "client_id": caller.client_id, "updated_at": now_of(request)}
    await store.change(connection, caller.organization_id, id, values)
    return as_owner_reads(
        await own_endpoint(connection, caller, id, "u"), _vault(request), now_of(request)
    )


@router.post("/{id}/disable", operation_id="disableWebhookEndpoint", responses=READING)
async def disable_endpoint(
    id: EndpointId,
    request: Request,
    caller: CallerDep,
    connection: CallersTransaction,
) -> Endpoint:
    """Disable an endpoint. Its messages are held, and sent when it is enabled again."""
    await own_endpoint(connection, caller, id, "u", lock=True)
    values = {"status": "disabled", "disabled_reason": "owner", "updated_at": now_of(request)}
    await store.change(connection, caller.organization_id, id, values)
    await store.hold(connection, caller.organization_id, id)
    return as_owner_reads(
        await own_endpoint(connection, caller, id, "u"), _vault(request), now_of(request)
    )


@router.post("/{id}/enable", operation_id="enableWebhookEndpoint", responses=READING)
async def enable_endpoint(
    id: EndpointId,
    request: Request,
    caller: CallerDep,
    connection: CallersTransaction,
) -> Endpoint:
    """Enable an endpoint: what was held for it is sent, in order, with the whole schedule."""
    await own_endpoint(connection, caller, id, "u", lock=True)
    now = now_of(request)
    values = dict.fromkeys(("disabled_reason", "failing_since", "paused_until"))
    await store.change(
        connection,
        caller.organization_id,
        id,
        {**values, "status": "active", "updated_at": now},
    )
    await store.resume(connection, caller.organization_id, id, now)
    return as_owner_reads(
        await own_endpoint(connection, caller, id, "u"), _vault(request), now_of(request)
    )


@router.post("/{id}/rotate-secret", operation_id="rotateWebhookSecret", responses=CHANGING)
async def rotate_secret(
    id: EndpointId,
    request: Request,
    caller: CallerDep,
    rotation: Rotation,
    connection: CallersTransaction,
) -> EndpointWithSecret:
    """Make a new secret. Both sign until the overlap ends: the new one first."""
    row = await own_endpoint(connection, caller, id, "u", lock=True)
    vault, now = _vault(request), now_of(request)
    newest, *older = vault.open_secrets(row["secrets"], now)
    secret = new_secret(newest.asymmetric)
    kept: list[Secret] = []
    if rotation.overlap_hours:
        ends = now + timedelta(hours=rotation.overlap_hours)
        kept = [Secret(newest.value, ends.isoformat()), *older]
    values = {"secrets": vault.seal_secrets([Secret(secret), *kept]), "updated_at": now}
    await store.change(connection, caller.organization_id, id, values)
    return await _with_secret(request, caller, id, secret, connection)


@router.post(
    "/{id}/test", operation_id="testWebhookEndpoint", status_code=202, responses=WITHOUT_BODY
)
async def send_test(
    id: EndpointId,
    request: Request,
    caller: CallerDep,
    source: CallersRows,
) -> TestSent:
    """Send an `endpoint.test` message, whatever the filters."""
    must_be_active(await own_endpoint(source, caller, id, "u"))
    now = now_of(request)
    message = await store.send_test(source, caller.organization_id, id, now)
    return TestSent(message_id=message)


async def _with_secret(
    request: Request, caller: Caller, id_: str, secret: str, source: Source
) -> EndpointWithSecret:
    row = await store.endpoint(source, caller.organization_id, id_)
    if row is None:
        raise not_found("webhook endpoint")
    endpoint = as_owner_reads(row, _vault(request), now_of(request))
    return EndpointWithSecret(
        **endpoint.model_dump(), secret=None if Secret(secret).asymmetric else secret
    )


def _columns(wanted: EndpointChange | NewEndpoint, vault: Vault) -> dict[str, Any]:
    """The columns for what an owner sent; a new endpoint gets defaults for the rest."""
    sent = wanted.model_dump(
        mode="json",
        exclude={"signature", "send_test"},
        exclude_unset=isinstance(wanted, EndpointChange),
    )
    if "headers" in sent:
        sent["headers"] = vault.seal_headers(sent["headers"])
    return sent


def _require_payload(caller: Caller, payload: str) -> None:
    """Raises 403 unless the caller may read each type that the payload carries.

    `subscription_content.py` checks again when the payload is sent.
    """
    for kind in TYPES if payload == "full" else ():
        require(caller, kind, "r")


def _check(request: Request, caller: Caller, url: str | None, plans: list[str]) -> None:
    """Raises 422 for a URL that the service does not send to, or a filter that no message passes.

    A filter takes the keys of plans, and the organization's own id, which messages about the
    organization itself carry.
    """
    guard = Guard.of(deployment(request).settings)
    fault = None if url is None else guard.fault(url, caller.organization_id)
    issues = [] if fault is None else [Issue("value", fault, "url")]
    known = (*deployment(request).rules.plans, UNASSIGNED, caller.organization_id)
    for index, plan in enumerate(plans):
        if plan not in known:
            text = f"No such plan here. The plans are {', '.join(known)}."
            issues.append(Issue("code-invalid", text, f"plans[{index}]"))
    if issues:
        raise Refusal(422, issues)


def _vault(request: Request) -> Vault:
    return Vault(deployment(request).settings)


def as_owner_reads(row: Row, vault: Vault, now: datetime) -> Endpoint:
    """The endpoint as its owner reads it at `now`."""
    newest, *older = vault.open_secrets(row["secrets"], now)
    stored = set(row.keys())
    return Endpoint(
        **{name: row[name] for name in Endpoint.model_fields if name in stored},
        header_names=sorted(vault.open_headers(row["headers"])),
        public_key=public_key(newest.value),
        old_secret_expires_at=older[0].expires_at if older else None,
    )
