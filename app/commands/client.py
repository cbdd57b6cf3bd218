"""`python -m app client add|rotate`: registers clients and renews secrets; shows a secret once."""

import sys
from collections.abc import Sequence

from sqlalchemy import select

from app.base.clock import ServiceClock
from app.base.settings import settings
from app.model.caller import is_scope
from app.store.clients import PROVIDER, REQUESTER, STAFF, register, rotate
from app.store.database import begin, create_engine
from app.store.tables.directory import organization

_ROLES = {"requester": REQUESTER, "provider": PROVIDER, "staff": STAFF}


async def add(client_id: str, organization_id: str, role: str, scopes: Sequence[str] | None) -> int:
    """Registers a client of an organization of the network. Returns the exit status."""
    unknown = [scope for scope in scopes or () if not is_scope(scope)]
    if unknown:
        return _fail(f"Not a scope: {', '.join(unknown)}")
    engine = create_engine(settings(), pool_size=1)
    try:
        async with begin(engine) as connection:
            organizations = await connection.execute(
                select(organization.c.id).where(organization.c.id == organization_id)
            )
            if organizations.first() is None:
                return _fail("There is no such organization. Load the network first.")
            now = ServiceClock.of(settings()).now()
            granted = frozenset(scopes) if scopes else _ROLES[role]
            secret = await register(connection, client_id, organization_id, granted, now)
    finally:
        await engine.dispose()
    return _show(secret, "A client with this id exists already.")


async def renew(client_id: str) -> int:
    """Replaces a client's secret; tokens in use stay valid for up to five minutes."""
    engine = create_engine(settings(), pool_size=1)
    try:
        async with begin(engine) as connection:
            secret = await rotate(connection, client_id)
    finally:
        await engine.dispose()
    return _show(secret, "There is no client with this id.")


def _show(secret: str | None, otherwise: str) -> int:
    if secret is None:
        return _fail(otherwise)
    sys.stdout.write(f"{secret}\n")
    sys.stderr.write("This is the client's secret. It is shown this once.\n")
    return 0


def _fail(text: str) -> int:
    sys.stderr.write(text + "\n")
    return 1
