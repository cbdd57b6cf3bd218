"""What the clocks do to a referral, and how to let time pass for them."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from app.base.clock import ServiceClock
from app.journey.intake.context import rules_of
from app.store.database import Database
from app.workers.clocks import Swept, sweep_all
from app.workers.quarantine import Quarantine


class StandingClock(ServiceClock):
    """Stands at one moment: a second before midnight stays that on a machine that is busy."""

    def __init__(self, moment: datetime) -> None:
        super().__init__()
        self._moment = moment

    def now(self) -> datetime:
        return self._moment


async def strike(
    service: Any,
    *,
    workers: int = 1,
    aside: Quarantine | None = None,
    moment: datetime | None = None,
) -> Swept:
    """One sweep of all plans, by so many workers at once, at a moment or else at the service's
    time. `aside`: what the sweeps before have set aside.
    """
    clock = StandingClock(moment or service.clock.now())
    known = rules_of(service.settings)
    databases = [Database(service.settings, size=1) for _ in range(workers)]
    base = service.settings.fhir_base
    try:
        swept = await asyncio.gather(
            *(sweep_all(database, known, clock, base, aside=aside) for database in databases)
        )
    finally:
        for database in databases:
            await database.close()
    return Swept(sum(each.fired for each in swept), sum(each.left for each in swept))


async def at(service: Any, moment: str, *, workers: int = 1) -> int:
    """It is this moment, and the clocks have struck; how many alarms fired.

    What each of several workers passed over because another had it locked is the next sweep's.
    """
    service.at(moment)
    now = datetime.fromisoformat(moment)
    swept = await strike(service, workers=workers, moment=now)
    again = await strike(service, moment=now) if workers > 1 and swept.left else Swept()
    return swept.fired + again.fired


async def told(service: Any, referral: str, *types: str) -> list[str]:
    """The messages about a referral in order: of these types, or all."""
    rows = await service.rows(
        "SELECT event_type FROM message WHERE referral_id = $1 ORDER BY seq", referral
    )
    return [kind for (kind,) in rows if not types or kind in types]


async def moves(service: Any, referral: str, event: str) -> list[tuple[Any, ...]]:
    """(to state, actor, reasons) of each move of a kind."""
    return await service.rows(
        "SELECT to_state, actor, reason FROM referral_history WHERE referral_id = $1"
        " AND event = $2 ORDER BY seq",
        referral,
        event,
    )


async def due(service: Any, referral: str, column: str = "void_due") -> str | None:
    """A due moment of the referral, in California."""
    ((moment,),) = await service.rows(
        f"SELECT ({column} AT TIME ZONE 'America/Los_Angeles')::text FROM referral WHERE id = $1",
        referral,
    )
    return moment


async def asked(service: Any, referral: str, by: str = "hospital") -> Sequence[dict[str, Any]]:
    """The requests for information of a referral, the first first."""
    found = await service.found(f"CommunicationRequest?referral=ServiceRequest/{referral}", by)
    return sorted(found, key=lambda each: each["authoredOn"])
