"""The service finishes a move: it checks that the move is legal, and writes it in one statement.

Every operation on a referral shares these functions. An illegal move is 409: nothing is written or
announced. If two people move a referral at once, the guarded update of its row lets one succeed.
The other's move is composed anew, on the referral as it now is (`app.journey.move`).
"""

from app.base.errors import Refusal, refuse
from app.base.heavy_work import to_thread_if_heavy
from app.base.local_time import local_date
from app.journey.intake.context import RequestContext
from app.model.lifecycle import Event, IllegalMove, next_state
from app.policy.policy import Policy
from app.store.database import Source
from app.store.database_errors import ConstraintViolated, constraint
from app.store.referral.changes import Changes
from app.store.referral.draft import Draft
from app.store.referral.rows import build_rows
from app.store.referral.store import write
from app.store.tables.decision import OVERLAPS


def illegal(move: IllegalMove) -> Refusal:
    """Makes the 409 of an illegal move: names the present state and the moves possible in it."""
    state = move.state.value if move.state else "not received"
    waits = f" ({move.status.value})" if move.status else ""
    possible = ", ".join(move.allowed) or "nothing: a correction is a new referral"
    text = f"The referral is {state}{waits}, so {move.event.value} is not possible. Possible: "
    return refuse(409, "conflict", f"{text}{possible}.")


def require_move(draft: Draft, event: Event) -> None:
    """Raises `IllegalMove`, before the caller looks anything up or locks anything for the move."""
    after = draft.after
    next_state(after.state, event, after.business_status)


def policy_of(draft: Draft, context: RequestContext) -> Policy | None:
    """Finds the plan's policy on the day of receipt; None while the plan is not known."""
    return context.rules.library.policy(draft.after.plan, local_date(draft.after.received_at))


class NeedsLocks(Exception):
    """The move takes several statements, and so a transaction that has locked the referral."""


async def finish(source: Source, draft: Draft) -> Changes:
    """Writes the composed move.

    Raises 409 if somebody gave the member an authorization of the service for an overlapping period
    in the same moment. Raises `StaleReferral` or `PlaceGone` if somebody else was faster: then the
    caller decides again.
    """
    changes = await to_thread_if_heavy(build_rows, draft)
    try:
        await write(source, changes)
    except ConstraintViolated as error:
        if constraint(error) not in OVERLAPS:
            raise
        text = (
            "The member was given an authorization of this service for an overlapping period in "
            "the same moment. Nothing was written. Send the same again: then this one is known."
        )
        raise refuse(409, "duplicate", text) from None
    return changes
