"""A move of a stored referral: it is read, composed and written, in two round trips.

Nothing is locked in between. The statement that writes checks what was read: the referral's
version, and the place that the move takes. Where somebody else was faster, or where the move needs
several statements (it gives a referral another plan, or exchanges one place for another), all is
done again in a transaction that locks first, which nobody can overtake.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress

from app.journey.finish import NeedsLocks, finish
from app.journey.intake.context import RequestContext
from app.journey.waitlist import release_place
from app.store.database import Database, Source, Transaction
from app.store.referral.changes import Changes
from app.store.referral.draft import Draft
from app.store.referral.store import PlaceGone, StaleReferral

#: Reads a referral through the source that it gets, checks the request, and composes the move.
Compose = Callable[[Source], Awaitable[Draft]]
#: Hands on the places that a written change has freed.
Give = Callable[[Transaction, Draft, RequestContext], Awaitable[None]]


async def make_move(database: Database, compose: Compose, context: RequestContext) -> Changes:
    """Makes one move and commits it; calls `compose` once, or a second time under locks.

    A place that the move frees goes to the next in line in the same transaction.
    """
    with suppress(StaleReferral, PlaceGone, NeedsLocks):
        draft = await compose(database)
        if not draft.freed:
            return await finish(database, draft)
        if draft.proposed is None:
            async with database.begin() as transaction:
                return await write_move(transaction, draft, context)
    async with database.begin() as transaction:
        return await write_move(transaction, await compose(transaction), context)


async def write_move(
    transaction: Transaction, draft: Draft, context: RequestContext, give: Give = release_place
) -> Changes:
    """Writes a composed move, then hands on the places that the move frees.

    `give` hands the places on; the default gives them to the next in line. Raises where `finish`
    does.
    """
    changes = await finish(transaction, draft)
    await give(transaction, draft, context)
    return changes
