"""Takes and releases places: the one spot where referrals compete.

By itself a decision goes by the numbers that were read: it proposes a place, and the statement that
writes the referral takes the place (`app.store.referral.statement`). Who loses that race decides
again in a transaction, which locks the offers first.
"""

from collections.abc import Sequence
from dataclasses import replace

from app.journey.capacity.assign import assignment_to, placement_now, placement_waiting
from app.model.known import TAKING, NamedOffer, Offer, Placement, Wish
from app.store.database import Source, Transaction

# Locks offers in the order of their ids, not of the preference. An offer that fills up while this
# statement waits for its row stays locked; in the order of preference, two referrals with opposite
# preferences would then wait for each other.
_TAKE = """
UPDATE offer SET taken = taken + 1
WHERE plan = $1 AND id = (
    SELECT id FROM (
        SELECT id FROM offer
        WHERE plan = $1 AND id = ANY($2::text[]) AND active
          AND capacity_status = ANY($3::text[]) AND taken + taken_outside < places
        ORDER BY id FOR UPDATE) AS held
    ORDER BY array_position($2::text[], id) LIMIT 1)
RETURNING id, capacity_status
"""

_HOLD = "SELECT 1 FROM offer WHERE plan = $1 AND id = ANY($2::text[]) ORDER BY id FOR UPDATE"

_RELEASE = "UPDATE offer SET taken = taken - 1 WHERE plan = $1 AND id = $2 AND taken > 0"


async def place(source: Source, plan: str, ordered: Sequence[Offer], wish: Wish) -> Placement:
    """Names the offer that gets the member; in a transaction also takes its place."""
    if isinstance(source, Transaction):
        return await _take(source, plan, ordered, wish)
    return replace(placement_now(ordered, wish), proposed=True)


async def _take(
    transaction: Transaction, plan: str, ordered: Sequence[Offer], wish: Wish
) -> Placement:
    """Takes a place with the first offer that still has one once its row is locked.

    The row lock decides the race: of N approvals for the last place exactly one gets it. The others
    see the place gone, and get a place with the next offer, or wait.
    """
    able = [offer for offer in ordered if offer.status in TAKING]
    placed = await _try_to_take(transaction, plan, able, wish) if able else None
    if placed is not None:
        return placed
    wait = placement_waiting(ordered, wish)
    if wait.offer is None:
        return wait
    # A place may become free between the try above and the wait. So lock the offer's row, and try
    # once more: a place freed before the lock is found now; a release after the lock finds this
    # referral in the list.
    await hold(transaction, plan, [wait.offer.id])
    return await _try_to_take(transaction, plan, [wait.offer], wish) or wait


async def _try_to_take(
    transaction: Transaction, plan: str, offers: Sequence[NamedOffer], wish: Wish
) -> Placement | None:
    ids = [offer.id for offer in offers]
    row = await transaction.fetch_one(_TAKE, plan, ids, sorted(TAKING))
    if row is None:
        return None
    offer = next(offer for offer in offers if offer.id == row["id"])
    return Placement(assignment_to(offer, wish), replace(offer, status=row["capacity_status"]))


async def hold(source: Source, plan: str, offer_ids: Sequence[str]) -> None:
    """Locks offers, in the order of their ids, until the end of the transaction.

    Without a transaction there is nothing to lock: the statement that writes the referral checks
    the place.
    """
    if isinstance(source, Transaction):
        await source.execute(_HOLD, plan, list(offer_ids))


async def release(transaction: Transaction, plan: str, offer_id: str) -> None:
    """Gives one place back to the offer."""
    await transaction.execute(_RELEASE, plan, offer_id)
