"""A party changes a Task of a referral: the change moves the referral, adds to the Task, or both.

The referral's Task belongs to the requester and the plan: the requester cancels and adds, and plan
staff decide, through the functions of the operations (`approve`, `refuse`). The service Task
belongs to its performer, who moves the service. A move that the party may never make is 403; a move
that is not possible now is 409 (docs/moves.md).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from app.base.errors import refuse
from app.fhir.parameters import Given
from app.fhir.task import TaskUpdate, names_care_manager
from app.journey.approve import approve_by_person, network, ordered_offers
from app.journey.capacity.places import hold as hold_offers
from app.journey.capacity.places import place
from app.journey.decision.apply import decline
from app.journey.finish import policy_of, require_move
from app.journey.intake.context import RequestContext
from app.journey.refuse import cancel_by_party, deny_by_person
from app.model.caller import Caller
from app.model.known import Assignment, Offer, Placement, Wish
from app.model.lifecycle import MOVES, Event, IllegalMove, Party
from app.model.moves import ON_REFERRAL_TASK, ON_SERVICE_TASK, Verdict, event_meant, judge
from app.model.record import Referral
from app.store.database import Source
from app.store.referral.draft import Act, Draft
from app.store.referral.reopen import Opened

_DECLINED = """SELECT DISTINCT organization_id FROM referral_history
WHERE plan = $1 AND referral_id = $2 AND event = 'decline'"""


def parties_of(caller: Caller, referral: Referral) -> frozenset[Party]:
    """Names the parties that a caller is to a referral that it sees; `ASKED` if it is no other."""
    roles = {
        Party.REQUESTER: caller.organization_id == referral.organization_id,
        Party.PERFORMER: caller.organization_id == referral.performer_id,
        Party.STAFF: referral.plan in caller.staff_plans,
    }
    return frozenset(party for party, holds in roles.items() if holds) or frozenset({Party.ASKED})


async def change_referral_task(
    source: Source,
    opened: Opened,
    caller: Caller,
    update: TaskUpdate,
    context: RequestContext,
    *,
    matched: bool,
) -> None:
    """Makes the move and keeps the additions that a requester or plan sends in the referral's Task.

    `matched`: the caller named the version that it has read.
    """
    draft = opened.draft
    parties = parties_of(caller, draft.after) - {Party.PERFORMER}
    event = _event_of(draft, ON_REFERRAL_TASK, update)
    _allow(draft, parties, event or Event.ANNOTATE)
    draft.adopted = {**(draft.adopted or {}), **update.grown}
    if event is None:
        _annotate(draft, context)
        return
    _require_reason(event, update)
    given = _given_of(update)
    if event is Event.APPROVE:
        await approve_by_person(source, draft, opened.question, given, context, matched=matched)
    elif event is Event.DENY:
        deny_by_person(draft, given, context)
    else:
        mistaken = update.status == "entered-in-error"
        cancel_by_party(draft, given, context, mistaken=mistaken)


async def change_service_task(
    source: Source,
    opened: Opened,
    caller: Caller,
    update: TaskUpdate,
    context: RequestContext,
) -> None:
    """Makes the move and keeps the additions that the performer sends in its service Task."""
    draft = opened.draft
    event = _event_of(draft, ON_SERVICE_TASK, update)
    parties = parties_of(caller, draft.after) & {Party.PERFORMER} or {Party.ASKED}
    _allow(draft, parties, event or Event.ANNOTATE)
    kept = {**(draft.service_kept or {}), **update.grown}
    if update.output is not None:
        if names_care_manager(update.output) and draft.after.service != "ECM":
            text = "A lead care manager is named for Enhanced Care Management alone."
            raise refuse(422, "business-rule", text, "Task.output")
        kept["output"] = update.output
    draft.service_kept = kept
    await _serve(source, draft, event, update, context)


async def _serve(
    source: Source,
    draft: Draft,
    event: Event | None,
    update: TaskUpdate,
    context: RequestContext,
) -> None:
    if event is None:
        _annotate(draft, context)
        return
    _require_reason(event, update)
    act = Act(context.actor, draft.details, policy_of(draft, context))
    if event is Event.DECLINE:
        decline(draft, act, await _next_candidate(source, draft, context), update.reasons())
    else:
        draft.move(event, act, reasons=update.reasons())


def _require_reason(event: Event, update: TaskUpdate) -> None:
    if MOVES[event].needs_words:
        update.require_text()


def annotate(draft: Draft, act: Act) -> None:
    """Adds a row to the history of the referral, without a move."""
    draft.move(Event.ANNOTATE, act, reasons=())


def _annotate(draft: Draft, context: RequestContext) -> None:
    annotate(draft, Act(context.actor, draft.details, None))


async def _next_candidate(source: Source, draft: Draft, context: RequestContext) -> Placement:
    """Takes a place with the best offer that has not declined; without a place the member waits."""
    after = draft.after
    rows = await source.fetch(_DECLINED, after.plan, after.id)
    declined = {row["organization_id"] for row in rows} | {after.performer_id}
    asked = after.asked_performer_id
    wish = Wish(organization_ids=frozenset({asked} if asked else ()))
    known = await network(source, draft, context)
    able: Sequence[Offer] = [
        offer
        for offer in ordered_offers(draft, known, wish)
        if offer.organization_id not in declined
    ]
    held = [after.offer_id] if after.offer_id else []
    await hold_offers(source, after.plan, [*held, *(offer.id for offer in able)])
    placement = await place(source, after.plan, able, wish)
    if placement.assignment is Assignment.ASSIGNED:  # not the performer before
        return replace(placement, assignment=Assignment.ALTERNATE)
    return placement


def _event_of(
    draft: Draft, wanted: Mapping[str, tuple[Event, ...]], update: TaskUpdate
) -> Event | None:
    """Names the move that the new status means; None if the update only adds something."""
    if update.status is None:
        return None
    after = draft.after
    event = event_meant(wanted, update.status, after.state, after.business_status)
    if event is None:
        text = f"This Task is never set to that status by hand. Possible: {', '.join(wanted)}."
        raise refuse(409, "conflict", text, "Task.status")
    return event


def _allow(draft: Draft, parties: frozenset[Party] | set[Party], event: Event) -> None:
    after = draft.after
    match judge(parties, after.state, after.business_status, event):
        case Verdict.ALLOWED:
            return
        case Verdict.CONFLICT:
            raise IllegalMove(after.state, event, after.business_status)
        case _:
            text = (
                "Not yours to do on this Task: the requester and the plan move the referral's own, "
                "the performer moves its service Task."
            )
            raise refuse(403, "forbidden", text, "Task.status")


def require_annotation(draft: Draft) -> None:
    """Refuses an addition to a referral that has ended."""
    require_move(draft, Event.ANNOTATE)


def _given_of(update: TaskUpdate) -> Given:
    """Writes the reason of a Task in the form that the operations take."""
    concept = update.concept or {}
    parts: dict[str, list[dict[str, Any]]] = {}
    if concept:
        parts["reason"] = [{"valueCodeableConcept": dict(concept)}]
    if concept.get("text"):
        parts["note"] = [{"valueString": concept["text"]}]
    return Given(parts, {"reason": "Task.statusReason", "note": "Task.statusReason.text"})
