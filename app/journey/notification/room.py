"""Telling an offer's own organization and its plan that its room was stated anew."""

from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from app.journey.notification.announce import announce
from app.model.messages import About, EventType
from app.store.database import fetch_one

_CONCERNED = """SELECT o.organization_id, o.service, (SELECT p.id FROM organization p
    WHERE p.plan = o.plan) FROM offer o WHERE o.plan = $1 AND o.id = $2"""


async def announce_room(
    connection: AsyncConnection, plan: str, offer_id: str, now: datetime, base: str
) -> None:
    """`capacity.changed`, in the transaction that wrote it. The numbers are read by its link."""
    row: Any = await fetch_one(connection, _CONCERNED, (plan, offer_id))
    if row is None:
        return
    owner, service, plan_organization = row
    about = About(plan=plan, service=service, performer_id=owner, offer_id=offer_id)
    told = sorted({owner, plan_organization} - {None})
    await announce(connection, EventType.CAPACITY_CHANGED, told, about, now, base)
