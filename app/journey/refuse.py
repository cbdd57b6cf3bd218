"""The plan denies or voids a referral, or the plan or the requester cancels it: no service follows.

Serves `$deny`, `$void` and `$cancel`, and the Tasks that mean the same moves.
"""

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
    """Denies the referral; 422 without a reason."""
    require_move(draft, Event.DENY)
    reasons = tuple(given.reasons())
    if not reasons:
        text = "A denial needs at least one `reason`: a code of determination-reason, or a text."
        raise refuse(422, "required", text, given.at("reason"))
    details = replace(draft.details, reasons=reasons, missing=())
    note, decider = given.text("note"), given.text("decided-by")
    draft.move(Event.DENY, Act(context.actor, details, policy_of(draft, context), note, decider))


def void_by_person(draft: Draft, given: Given, context: RequestContext) -> None:
    """Voids the referral, under the conditions of the clock: information was asked for, none came,
    and the time is over. Else 409.
    """
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
    """Cancels the referral for its requester or the plan: an authorization ends, its place is free.

    The reason is `withdrawn` if the requester names none, `declined-by-member` if the plan names
    none. `mistaken`: the referral was sent by mistake, and its ServiceRequest becomes
    `entered-in-error`. 409 once the service has begun.
    """
    require_move(draft, Event.CANCEL)
    if draft.details.begun:
        text = (
            f"The referral is {draft.after.state} ({draft.after.business_status}) and its service "
            "has begun, so cancel is not possible: the performer resumes it or ends it."
        )
        raise refuse(409, "conflict", text)
    by_requester = context.actor.organization_id == draft.after.organization_id
    reasons = tuple(given.reasons()) or (
        Reason("withdrawn" if by_requester else "declined-by-member"),
    )
    details = replace(draft.details, reasons=reasons, missing=(), mistaken=mistaken)
    draft.move(
        Event.CANCEL, Act(context.actor, details, policy_of(draft, context), given.text("note"))
    )
