"""`$deny`, `$void` and `$cancel`: what ends a referral without a service."""

from dataclasses import replace

from app.base.errors import refuse
from app.fhir.parameters import Given
from app.journey.finish import policy_of, require_move
from app.journey.intake.context import RequestContext
from app.model.lifecycle import Event
from app.model.record import voids
from app.policy.model import Reason
from app.store.referral.draft import Act, Draft


def deny_by_person(draft: Draft, given: Given, context: RequestContext) -> None:
    """Says no, with at least one reason."""
    require_move(draft, Event.DENY)
    reasons = tuple(given.reasons())
    if not reasons:
        text = "A denial needs at least one `reason`: a code of determination-reason, or a text."
        raise refuse(422, "required", text, given.at("reason"))
    details = replace(draft.details, reasons=reasons, missing=())
    draft.move(
        Event.DENY, Act(context.actor, details, policy_of(draft, context), given.text("note"))
    )


def void_by_person(draft: Draft, given: Given, context: RequestContext) -> None:
    """Ends it only when the clock could: information asked for, none came, the time is over."""
    require_move(draft, Event.VOID)
    if not voids(draft.after, draft.open_request, context.now):
        text = (
            "A referral becomes void only when information was asked for and none came in the time "
            "that the plan gives. Decide it, or ask for information."
        )
        raise refuse(409, "conflict", text)
    details = replace(draft.details, reasons=(Reason("information-not-received"),))
    draft.move(
        Event.VOID, Act(context.actor, details, policy_of(draft, context), given.text("note"))
    )


def cancel_by_party(
    draft: Draft, given: Given, context: RequestContext, *, mistaken: bool = False
) -> None:
    """Takes it back, by the requester or by the plan; an authorization ends, its place is free.

    Without a reason it was withdrawn, or, by the plan, declined by the member. `mistaken`: it was
    sent by mistake, and its ServiceRequest says so.
    """
    require_move(draft, Event.CANCEL)
    if draft.details.begun:
        text = (
            f"The referral is {draft.after.state} ({draft.after.business_status}) and its service "
            "has begun, so cancel is not possible: the performer resumes it or ends it."
        )
        raise refuse(409, "conflict", text)
    ours = context.actor.organization_id == draft.after.organization_id
    reasons = tuple(given.reasons()) or (Reason("withdrawn" if ours else "declined-by-member"),)
    details = replace(draft.details, reasons=reasons, missing=(), mistaken=mistaken)
    draft.move(
        Event.CANCEL, Act(context.actor, details, policy_of(draft, context), given.text("note"))
    )
