"""Locks out who guesses at the token endpoint: failures count by client and address.

So nobody can lock a client out from elsewhere: from another address its own key is good as before.
Failures alone count; a lock lasts a minute, then twice as long each time, up to a quarter of an
hour, and meets good and bad credentials alike.
"""

import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.api.deployment import Deployment
from app.api.limits import ADDRESS_TRIES, TRIES
from app.base.errors import Issue, Refusal
from app.store.limits import locked_s, strike

_log = logging.getLogger(__name__)


@asynccontextmanager
async def tries_limited(parts: Deployment, client_id: str, address: str) -> AsyncIterator[None]:
    """Looks at the credentials of a client in the block, which raises 401 for wrong ones.

    Raises 429 with `Retry-After` without entering the block while their source is locked out.
    """
    limits, database = parts.limits, parts.database
    both, alone = limits.hashed(f"{client_id}\0{address}"), limits.hashed(address)
    async with limits.trying(both):
        names = [TRIES.name, ADDRESS_TRIES.name]
        if wait := await locked_s(database, names, [both, alone], time.time()):
            raise _locked(wait)
        try:
            yield
        except Refusal as refusal:
            if refusal.status == 401:
                for quota, key in ((TRIES, both), (ADDRESS_TRIES, alone)):
                    if await strike(database, quota, key, time.time()):
                        _log.warning("locked out", extra={"peer": address, "limit": quota.name})
            raise


def _locked(wait_s: int) -> Refusal:
    text = "Too many tries have failed. Try again when Retry-After says."
    issue = Issue("throttled", text, detail_code="temporarily_unavailable")
    headers = {"Retry-After": str(wait_s), "Cache-Control": "no-store", "Pragma": "no-cache"}
    return Refusal(429, (issue,), headers)
