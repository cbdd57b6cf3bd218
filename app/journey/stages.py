"""THE JOURNEY: intake → eligibility → capacity → decision → notification, on one screen.

Gather, then decide, then apply. `gather` reads everything in one statement; the rules are pure; the
place is taken under a row lock; one statement writes the referral and all that follows from it, the
messages to be sent included. The caller's transaction commits before the response leaves.
"""

from sqlalchemy.ext.asyncio import AsyncConnection

from app.base.heavy_work import to_thread_if_heavy
from app.journey.capacity.assign import preference, serving
from app.journey.capacity.places import take
from app.journey.decision.apply import Grant, approve, ask
from app.journey.decision.decide import decide
from app.journey.eligibility.check import Case, Identity, check_eligibility, identify
from app.journey.intake.context import RequestContext
from app.journey.intake.submission import Submission, require_start
from app.journey.receive import receive, requested_units
from app.model.known import Known, Offer
from app.model.lifecycle import Event
from app.model.record import Details
from app.policy.rules import Rules
from app.store.referral.draft import Act, Draft


async def process(
    connection: AsyncConnection, submission: Submission, known: Known, context: RequestContext
) -> Draft:
    """Takes one new referral through the stages; what comes of it is sealed and written by
    intake.
    """
    identity = identify(submission.request, known.members, context.rules.plans, submission.on)
    require_start(submission, context.rules.latest_start(identity.plan, submission.on))
    draft = await to_thread_if_heavy(receive, submission, identity, known, context)

    case = await to_thread_if_heavy(eligibility, submission, identity, known, context.rules)

    ordered = candidates(submission, case, known)

    await settle(connection, draft, case, ordered, submission, context)

    return draft


def eligibility(submission: Submission, identity: Identity, known: Known, rules: Rules) -> Case:
    """What the plan's rules say, as of the day of receipt."""
    return check_eligibility(
        rules.library, submission.request, identity, submission.stated, known, submission.on
    )


def candidates(submission: Submission, case: Case, known: Known) -> list[Offer]:
    """Who could take the member, best first. No place is taken yet."""
    offers = serving(
        known.offers.get(case.identity.key, ()),
        service=submission.request.service or "",
        county=case.county,
        populations=case.determination.populations,
    )
    acquainted = submission.acquainted(known, case.identity.key)
    return preference(offers, submission.wish, acquainted)


async def settle(
    connection: AsyncConnection,
    draft: Draft,
    case: Case,
    ordered: list[Offer],
    submission: Submission,
    context: RequestContext,
) -> None:
    """Decides, and lets the decision take effect: the place is taken, the move composed."""
    determination = case.determination
    event = decide(determination, Rules.automation(case.policy, draft.after.service))
    previous = case.previous.referral_id if case.previous else draft.after.based_on
    draft.checked(case.county, previous)
    act = Act(context.by_rules, details_of(case), case.policy)
    if event is Event.APPROVE:
        placement = await take(connection, draft.after.plan, ordered, submission.wish)
        units = requested_units(case.question)
        wanted_from = submission.request.occurrence_start
        approve(draft, act, Grant(placement, case.previous, wanted_from, units))
    elif event is Event.REQUEST_INFORMATION:
        ask(
            draft,
            act,
            determination.missing,
            context.rules.clocks(case.identity.plan, submission.on),
        )
    else:
        draft.move(event, act)
    asked = draft.after.asked_performer_id
    if asked and draft.before is None and not draft.after.performer_id:
        draft.become_party(asked, "asked")
    draft.determine(case.question, determination, "rules")


def details_of(case: Case) -> Details:
    """What the determination says, as the referral keeps it."""
    determination = case.determination
    return Details(
        reasons=determination.reasons,
        populations=determination.populations,
        missing=determination.missing,
        recommendation=determination.outcome.value,
    )
