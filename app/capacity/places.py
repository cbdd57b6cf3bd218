"""Takes and releases places, in the caller's transaction. Two referrals compete only here."""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncConnection

from app.capacity.assign import TAKING, Offer, Placement, Wish, named, waiting
from app.database import fetch_one

_TAKE = """
UPDATE offer SET taken = taken + 1
WHERE plan = $1 AND id = (
    SELECT id FROM offer
    WHERE plan = $1 AND id = ANY($2::text[]) AND active
      AND capacity_status = ANY($3::text[]) AND taken + taken_outside < places
    ORDER BY array_position($2::text[], id)
    LIMIT 1 FOR UPDATE)
RETURNING id, taken + taken_outside
"""

_RELEASE = "UPDATE offer SET taken = taken - 1 WHERE plan = $1 AND id = $2 AND taken > 0"


async def take(
    connection: AsyncConnection, plan: str, ordered: Sequence[Offer], wish: Wish
) -> Placement:
    """Takes a place with the first offer that still has one when its row is ours.

    The row lock decides the race: of N approvals on the last place exactly one gets it, the others
    see the place gone and are given the next offer, or wait.
    """
    able = [offer.id for offer in ordered if offer.status in TAKING]
    if not able:
        return waiting(ordered, wish)
    row = await fetch_one(connection, _TAKE, (plan, able, sorted(TAKING)))
    if row is None:
        return waiting(ordered, wish)
    offer = next(offer for offer in ordered if offer.id == row[0])
    return Placement(named(offer, wish), replace(offer, taken=row[1]))


async def release(connection: AsyncConnection, plan: str, offer_id: str) -> None:
    """Gives a place back."""
    await connection.exec_driver_sql(_RELEASE, (plan, offer_id))
