"""What every operation on a referral shares: its legality, its policy, and how it is written.

An illegal move is 409 with nothing written and nothing announced; two people who move the same
referral are told apart by the guarded update (spec.md 2).
"""

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.base.errors import Refusal, refuse
from app.base.heavy_work import to_thread_if_heavy
from app.base.local_time import local_date
from app.journey.intake.context import RequestContext
from app.model.lifecycle import Event, IllegalMove, next_state
from app.policy.policy import Policy
from app.store.database import constraint
from app.store.referral.changes import Changes
from app.store.referral.draft import Draft
from app.store.referral.rows import build_rows
from app.store.referral.store import StaleReferral, write
from app.store.tables.decision import OVERLAPS


def illegal(move: IllegalMove) -> Refusal:
    """409: names the present state and what is possible in it."""
    state = move.state.value if move.state else "not received"
    waits = f" ({move.status.value})" if move.status else ""
    possible = ", ".join(move.allowed) or "nothing: a correction is a new referral"
    text = f"The referral is {state}{waits}, so {move.event.value} is not possible. Possible: "
    return refuse(409, "conflict", f"{text}{possible}.")


def require_move(draft: Draft, event: Event) -> None:
    """Refuses an illegal move before anything is looked for or locked on its behalf."""
    after = draft.after
    next_state(after.state, event, after.business_status)


def policy_of(draft: Draft, context: RequestContext) -> Policy | None:
    """The plan's policy on the day of receipt; None while the plan is not known."""
    return context.rules.library.policy(draft.after.plan, local_date(draft.after.received_at))


async def finish(connection: AsyncConnection, draft: Draft) -> Changes:
    """Writes the composed move."""
    changes = await to_thread_if_heavy(build_rows, draft)
    try:
        await write(connection, changes)
    except StaleReferral:
        text = "Somebody else moved the referral in between. Read it again."
        raise refuse(409, "conflict", text) from None
    except IntegrityError as error:
        if constraint(error) not in OVERLAPS:
            raise
        text = (
            "The member was given an authorization of this service for an overlapping period in "
            "the same moment. Nothing was written. Send the same again: then this one is known."
        )
        raise refuse(409, "duplicate", text) from None
    return changes
