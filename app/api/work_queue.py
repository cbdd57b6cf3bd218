"""`/v1/work-queue`: referrals that wait for a person of the plan, and who has them in hand.

For plan staff, and only about their own plan. A move is an operation on the referral; every item
links to these operations.
"""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request

from app.api.acting import CallersRows
from app.api.caller import CallerDep, require_scope
from app.api.contract.responses import errors
from app.api.deployment import deployment
from app.api.detail import Detail, DetailAsked
from app.base.errors import busy, not_found, refuse
from app.model.caller import DECIDE, Caller
from app.policy.explain import explain
from app.policy.stored_form import answer_from_json
from app.store.database import Row
from app.store.reading.access import visibility
from app.store.reading.cursor import Pages, Position
from app.views.letters.outbox import letters_to_send
from app.views.workqueue import store
from app.views.workqueue.behind import NOTHING, behind
from app.views.workqueue.model import Explained, Queue, WorkQueueFilters
from app.views.workqueue.show import counted, item, notice

router = APIRouter(prefix="/v1/work-queue", tags=["Plan staff"])

QueuedReferralId = Annotated[
    str, Path(description="The referral's id.", min_length=1, max_length=64, pattern=r"^[\w.-]+$")
]
_READING = errors(400, 403, 404)
_CHANGING = errors(400, 403, 404, 409)


@router.get(
    "",
    operation_id="readWorkQueue",
    summary="What waits for you",
    description="Every referral of your plan that waits for a person or a clock: urgent ones "
    "first, then by due date; those that are approved and have no performer yet come last in each. "
    "Each item says why it waits and, under `next`, what you can do: copy the `href` and the body "
    "under `send`. Referrals whose plan is not known yet are shown to the staff of every plan. "
    "`notices` name who is not told any more, because their endpoint was disabled.",
    responses=_READING,
)
async def read_queue(
    request: Request,
    caller: CallerDep,
    source: CallersRows,
    filters: Annotated[WorkQueueFilters, Query()],
) -> Queue:
    """The page, and the counts of the whole queue."""
    plans = _plans(caller, filters.plan)
    pages = Pages(deployment(request).settings, caller, filters.link(router.prefix))
    now = deployment(request).clock.now()
    wanted = store.WorkQueueQuery(
        plans=plans,
        now=now,
        waits=filters.waits,
        urgent=filters.urgent,
        held=filters.assignee,
        client=caller.client_id,
        due_before=filters.due_before,
        after=_after(pages.after(filters.cursor)),
        limit=filters.limit,
    )
    rows = await store.queue_page(source, wanted)
    shown, seen = rows[: filters.limit], visibility(caller)
    known = await behind(source, plans, shown, seen, deployment(request).rules.library)
    return Queue(
        items=[
            item(row, now, pages.public_url, seen, known.get(row["id"], NOTHING)) for row in shown
        ],
        notices=[notice(row, pages.public_url) for row in await store.not_told(source, plans)],
        counts=counted(
            await store.counts(source, plans, now), await letters_to_send(source, plans)
        ),
        next=_next(pages, shown[-1]) if len(rows) > filters.limit else None,
    )


@router.get(
    "/{id}",
    operation_id="readWorkItem",
    summary="Why one referral waits",
    description="The item, with what the rules looked at in plain words and with sources.",
    responses=_READING,
)
async def read_item(
    id: QueuedReferralId,
    request: Request,
    caller: CallerDep,
    source: CallersRows,
    detail: DetailAsked = Detail.SHORT,
) -> Explained:
    """One item; 404 where it does not wait, or not for this caller."""
    plans = _plans(caller)
    now = deployment(request).clock.now()
    wanted = store.WorkQueueQuery(plans=plans, now=now, referral=id, limit=1)
    rows = await store.queue_page(source, wanted)
    if not rows:
        raise not_found("waiting referral")
    settings = deployment(request).settings
    seen = visibility(caller)
    library = deployment(request).rules.library
    known = (await behind(source, plans, rows, seen, library)).get(id, NOTHING)
    shown = item(rows[0], now, settings.public_url.rstrip("/"), seen, known)
    answer = answer_from_json(known.answer) if known.answer else None
    full = detail is Detail.FULL
    explanation = explain(answer, library, known.readings, full=full) if answer else None
    return Explained(**shown.model_dump(), explanation=explanation)


@router.post(
    "/{id}/claim",
    operation_id="claimWorkItem",
    summary="Take a referral in hand",
    description="So that nobody else works on it. Claiming again what is yours changes nothing; "
    "what a colleague has is 409, with the colleague's name. A claim reserves and forbids nothing: "
    "whoever may decide may still do so.",
    responses=_CHANGING,
)
async def claim_item(
    id: QueuedReferralId, request: Request, caller: CallerDep, source: CallersRows
) -> Explained:
    """The item as it now is."""
    plans = _plans(caller)
    now = deployment(request).clock.now()
    holder = await store.claim(source, plans, id, caller.client_id, now)
    shown = await read_item(id, request, caller, source)
    if holder is None:
        raise busy()  # released between the claim and the read
    if holder != caller.client_id:
        text = f"{holder} has this referral in hand. Ask them, or release it first."
        raise refuse(409, "conflict", text)
    return shown


@router.post(
    "/{id}/release",
    operation_id="releaseWorkItem",
    summary="Let go of a referral",
    description="By whoever has it or by a colleague: somebody may be away. Releasing what nobody "
    "has changes nothing.",
    responses=_CHANGING,
)
async def release_item(
    id: QueuedReferralId, request: Request, caller: CallerDep, source: CallersRows
) -> Explained:
    """The item as it now is."""
    await store.release(source, _plans(caller), id)
    return await read_item(id, request, caller, source)


def _plans(caller: Caller, wanted: str | None = None) -> list[str]:
    """The plans to read. 403 for a caller who is not plan staff, 404 for another plan's name."""
    require_scope(caller, DECIDE)
    if wanted is None:
        return caller.staff_plans
    if wanted not in caller.staff_plans:
        raise not_found("plan")
    return [wanted]


def _after(position: Position | None) -> tuple[int, datetime, str] | None:
    """The place in the queue after which to read: the rank of an item goes before its id."""
    if position is None:
        return None
    rank, _, referral = position.id.partition(":")
    return int(rank), position.at, referral


def _next(pages: Pages, last: Row) -> str:
    return pages.next(last["at"], f"{last['rank']}:{last['id']}")
