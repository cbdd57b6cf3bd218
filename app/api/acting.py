"""The ways in which a handler reads or changes what is its caller's: the database holds it to that.

A move is read so too (`app.store.referral.reopen`), and then written for the service, since it
touches what the caller may not see: places, the next in line, the endpoints of others. Handlers
that write so take `Statements` and `Connection` of `app.api.deployment`.
"""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Request

from app.api.caller import CallerDep
from app.api.deployment import deployment
from app.store.acting import Acting
from app.store.database import Transaction
from app.store.reading.access import visibility


async def acting(request: Request, caller: CallerDep) -> Acting:
    """Gives a handler the database as its caller sees it."""
    return Acting(deployment(request).database, visibility(caller).who)


CallersRows = Annotated[Acting, Depends(acting)]


async def own_transaction(request: Request, caller: CallerDep) -> AsyncIterator[Transaction]:
    """The request's transaction, for its caller; rolled back unless the handler returns."""
    async with (await acting(request, caller)).begin() as transaction:
        yield transaction


CallersTransaction = Annotated[Transaction, Depends(own_transaction, scope="function")]
