"""Plan staff approve a referral or assign its performer: the member gets a place, or waits for one.

Serves `$approve` and `$assign`, and the Task of the plan's staff (`app.journey.serve`). Both find
the place by `app.journey.capacity.places.place`.
"""

from collections.abc import Sequence
from dataclasses import replace

from app.base.errors import Issue, Refusal, refuse
from app.base.local_time import local_date
from app.fhir.parameters import Given
from app.fhir.service_request import read_named, read_referral
from app.journey.capacity.assign import preference, serving
from app.journey.capacity.places import hold, place
from app.journey.decision.apply import Grant, approve, reassign
from app.journey.finish import policy_of, require_move
from app.journey.intake.context import RequestContext
from app.journey.intake.gather import gather
from app.journey.intake.submission import wish_of
from app.journey.receive import requested_units
from app.model.known import Assignment, HeldAuthorization, Inquiry, Known, Offer, Wish
from app.model.lifecycle import UNDER_WAY, Event
from app.model.record import Details
from app.policy.model import DeterminationOutcome, EligibilityQuestion, Reason
from app.policy.policy import Policy
from app.store.database import Source
from app.store.referral.draft import Act, Draft

EXCEPTION = "exception-granted"

#: The exclusions of facts.md 6.3. An exception against one of them needs two calls: the first
#: proposes the exception, the second confirms it.
HARD = frozenset(
    {
        "not-a-member",
        "not-offered",
        "not-yet-live",
        "line-of-business",
        "excluded-1915c",
        "excluded-program",
        "delegated-plan",
    }
)


async def approve_by_person(
    source: Source,
    draft: Draft,
    question: EligibilityQuestion | None,
    given: Given,
    context: RequestContext,
    *,
    matched: bool,
) -> None:
    """Approves the referral. Against the rules' recommendation an approval is an exception, whose
    reason is recorded.

    Against an exclusion (`HARD`) the first call only records the exception, and a second call
    confirms it. `matched` means that the caller named the version that it has read (`If-Match` with
    the ETag). Without `matched` the second call is 428, so that neither a repeat of the first call
    nor a client that always sends `*` confirms the exception.
    """
    require_move(draft, Event.APPROVE)
    policy = _require_policy(draft, context)
    details = _details_of_approval(draft.details, given)
    if _against_an_exclusion(draft.details):
        if not draft.details.exception_proposed:
            _propose(draft, Act(context.actor, draft.details, policy, given.text("note")))
            return
        if not matched:
            text = (
                "The exception is proposed. To confirm it, read the referral and send `If-Match` "
                "with its ETag; `*` confirms nothing."
            )
            raise refuse(428, "conflict", text)
    known = await network(source, draft, context)
    wish = _wish(draft, given, context.fhir_base)
    ordered = ordered_offers(draft, known, wish)
    if given.reference("performer") is not None:
        _require_offer(ordered, wish, given)
    placement = await place(source, draft.after.plan, ordered, wish)
    request = read_referral(draft.sent, (), local_date(draft.after.received_at))
    units = requested_units(question) if question else None
    latest = context.rules.latest_start(draft.after.plan, local_date(context.now))
    wanted = min(request.occurrence_start, latest) if request.occurrence_start else None
    grant = Grant(placement, _previous_authorization(draft, known), wanted, units)
    note, decider = given.text("note"), given.text("decided-by")
    approve(draft, Act(context.actor, details, policy, note, decider), grant)
    _require_no_overlap(draft, known)


async def assign_by_person(
    source: Source, draft: Draft, given: Given, context: RequestContext
) -> None:
    """Gives an approved referral to the named performer, also while the service goes on.

    A change at the member's request carries the `reason` `declined-by-member` (spec.md 6). 409 if
    the performer has the referral already, or has no room for a service that has begun.
    """
    require_move(draft, Event.ASSIGN)
    wish = _named_performer(given, context.fhir_base)
    known = await network(source, draft, context)
    ordered = [offer for offer in ordered_offers(draft, known, wish) if wish.names(offer)]
    _require_offer(ordered, wish, given)
    before = draft.after
    if before.performer_id in {offer.organization_id for offer in ordered}:
        raise refuse(409, "conflict", "The referral is with this performer already.")
    rows = [offer.id for offer in ordered] + ([before.offer_id] if before.offer_id else [])
    await hold(source, before.plan, rows)
    placement = await place(source, before.plan, ordered, wish)
    if before.business_status in UNDER_WAY and placement.assignment is Assignment.WAITLISTED:
        text = "This performer has no room. A service that has begun is not moved to wait."
        raise refuse(409, "conflict", text)
    act = Act(context.actor, draft.details, policy_of(draft, context), given.text("note"))
    reassign(draft, act, placement, tuple(given.reasons()))


def _require_offer(ordered: Sequence[Offer], wish: Wish, given: Given) -> None:
    """Raises 422 if the performer could not take the member even with a free place."""
    if not any(wish.names(offer) for offer in ordered):
        text = "This performer does not offer the service under the plan in the member's county."
        raise refuse(422, "business-rule", text, given.at("performer"))


def _require_policy(draft: Draft, context: RequestContext) -> Policy:
    policy = policy_of(draft, context)
    if policy is None or draft.after.service is None or draft.after.member_id is None:
        text = "Approving needs to know the member, the plan and the service. Add what is missing."
        raise refuse(409, "conflict", text)
    return policy


def _require_no_overlap(draft: Draft, known: Known) -> None:
    """Raises 409 if the member has another authorization for the service in the same period."""
    new = draft.authorization
    for item in known.authorizations:
        held = item.authorization
        apart = new is None or held.ends_on < new.starts_on or new.ends_on < held.starts_on
        if held.service == draft.after.service and not apart:
            text = (
                f"The member has authorization {held.number} for this service from "
                f"{held.starts_on} to {held.ends_on}. Assign it to another performer, take it "
                "back, or refer anew with `basedOn` to go on from it."
            )
            raise refuse(409, "duplicate", text)


def _against_an_exclusion(details: Details) -> bool:
    denied = details.recommendation == DeterminationOutcome.DENIED.value
    return denied and any(reason.code in HARD for reason in details.reasons)


def _propose(draft: Draft, act: Act) -> None:
    """Records the proposed exception with its note: the first call of two. No move, no message."""
    details = replace(act.details, exception_proposed=True)
    draft.move(Event.ANNOTATE, replace(act, details=details), reasons=(Reason(EXCEPTION),))


def _details_of_approval(details: Details, given: Given) -> Details:
    if details.recommendation != DeterminationOutcome.DENIED.value:
        return replace(details, missing=())
    codes = {reason.code for reason in given.reasons()}
    text = (
        "The rules recommend to deny. To approve all the same, send `reason` with the code "
        "exception-granted and a `note` that says why."
    )
    absent = [
        Issue("business-rule", text, given.at(name))
        for name, there in (("reason", EXCEPTION in codes), ("note", given.text("note")))
        if not there
    ]
    if absent:
        raise Refusal(422, absent)
    reasons = (Reason(EXCEPTION),)
    return replace(details, reasons=reasons, missing=(), exception_proposed=False)


async def network(source: Source, draft: Draft, context: RequestContext) -> Known:
    """Gathers the plan's offers for the service, and the member's authorizations."""
    after = draft.after
    inquiry = Inquiry(
        organization_id=after.organization_id,
        client_id=context.actor.name,
        plans=(after.plan,),
        cin=after.cin,
        service=after.service,
    )
    return await gather(source, inquiry)


def _wish(draft: Draft, given: Given, base: str) -> Wish:
    """Returns the performer that the staff name, else the performer that the referrer asked for."""
    if given.reference("performer") is not None:
        return _named_performer(given, base)
    asked = draft.after.asked_performer_id
    return Wish(organization_ids=frozenset({asked})) if asked else Wish()


def _named_performer(given: Given, base: str) -> Wish:
    reference = given.reference("performer")
    wish = wish_of([read_named(reference)], base) if reference else None
    if not wish:
        text = "`performer` takes a Reference to a HealthcareService or an Organization."
        raise refuse(422, "required", text, given.at("performer"))
    return wish


def ordered_offers(draft: Draft, known: Known, wish: Wish) -> Sequence[Offer]:
    """Lists the offers that serve the member, best first."""
    offers = serving(
        known.offers.get(draft.after.plan, ()),
        service=draft.after.service or "",
        county=draft.after.county,
        populations=draft.details.populations,
    )
    return preference(offers, wish, Wish())


def _previous_authorization(draft: Draft, known: Known) -> HeldAuthorization | None:
    previous = draft.after.based_on
    return next((item for item in known.authorizations if item.referral_id == previous), None)
