"""`python -m app check-places`: what offers count as taken, against what referrals hold."""

from rich.console import Console

from app.base.settings import Settings
from app.journey.waitlist import recount
from app.store.database import begin, create_engine


async def check_places(settings: Settings) -> int:
    """0 when every count agrees with the referrals; 1 with a line for each that does not."""
    engine = create_engine(settings, pool_size=1)
    try:
        async with begin(engine) as connection:
            found = await recount(connection)
    finally:
        await engine.dispose()
    console = Console()
    for one in found:
        line = f"{one.plan} {one.offer_id}: {one.taken} taken, {one.held} held by referrals"
        console.print(line, highlight=False, soft_wrap=True)
    if not found:
        console.print("Every place that is taken is held by a referral.", highlight=False)
    return 1 if found else 0
