"""Takes and releases places in the caller's transaction: the one spot where referrals compete."""

from collections.abc import Sequence
from dataclasses import replace

from app.journey.capacity.assign import assignment_to, placement_waiting
from app.model.known import TAKING, NamedOffer, Offer, Placement, Wish
from app.store.database import Source

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


async def take(connection: Source, plan: str, ordered: Sequence[Offer], wish: Wish) -> Placement:
    """Takes a place with the first offer that still has one once its row is locked.

    The row lock decides the race: of N approvals for the last place exactly one gets it. The others
    see the place gone, and get a place with the next offer, or wait.
    """
    able = [offer for offer in ordered if offer.status in TAKING]
    placed = await _try_to_take(connection, plan, able, wish) if able else None
    if placed is not None:
        return placed
    wait = placement_waiting(ordered, wish)
    if wait.offer is None:
        return wait
    # A place may become free between the try above and the wait. So lock the offer's row, and try
    # once more: a place freed before the lock is found now; a release after the lock finds this
    # referral in the list.
    await hold(connection, plan, [wait.offer.id])
    return await _try_to_take(connection, plan, [wait.offer], wish) or wait


async def _try_to_take(
    connection: Source, plan: str, offers: Sequence[NamedOffer], wish: Wish
) -> Placement | None:
    ids = [offer.id for offer in offers]
    row = await connection.fetch_one(_TAKE, plan, ids, sorted(TAKING))
    if row is None:
        return None
    offer = next(offer for offer in offers if offer.id == row[0])
    return Placement(assignment_to(offer, wish), replace(offer, status=row[1]))


async def hold(connection: Source, plan: str, offer_ids: Sequence[str]) -> None:
    """Locks offers, in the order of their ids, until the end of the transaction."""
    await connection.execute(_HOLD, plan, list(offer_ids))


async def release(connection: Source, plan: str, offer_id: str) -> None:
    """Gives one place back to the offer."""
    await connection.execute(_RELEASE, plan, offer_id)
