"""`python -m app client add|rotate`: registers clients and renews secrets; shows a secret once."""

import sys
from collections.abc import Sequence

from app.base.clock import ServiceClock
from app.base.settings import settings
from app.model.caller import is_scope
from app.store.clients import PROVIDER, REQUESTER, STAFF, register, rotate
from app.store.database import opened

_KNOWN = "SELECT 1 FROM organization WHERE id = $1"
_ROLES = {"requester": REQUESTER, "provider": PROVIDER, "staff": STAFF}


async def add(client_id: str, organization_id: str, role: str, scopes: Sequence[str] | None) -> int:
    """Registers a client of an organization of the network. Returns the exit status."""
    unknown = [scope for scope in scopes or () if not is_scope(scope)]
    if unknown:
        return _fail(f"Not a scope: {', '.join(unknown)}")
    async with opened(settings(), size=1) as database:
        if await database.fetch_one(_KNOWN, organization_id) is None:
            return _fail("There is no such organization. Load the network first.")
        now = ServiceClock.of(settings()).now()
        granted = frozenset(scopes) if scopes else _ROLES[role]
        secret = await register(database, client_id, organization_id, granted, now)
    return _show(secret, "A client with this id exists already.")


async def renew(client_id: str) -> int:
    """Replaces a client's secret; tokens in use stay valid for up to five minutes."""
    async with opened(settings(), size=1) as database:
        secret = await rotate(database, client_id)
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
