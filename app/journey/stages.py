"""The journey of a new referral on one screen, as five stages:

    intake → eligibility → capacity → decision → notification

`process` runs the stages in this order, and each function below it is one stage. The journey
gathers, then decides, then applies: `gather` has read the database in one statement before
`process` starts; the rules are pure; the decision proposes a place; and `app.journey.refer` writes
the referral with all its rows, messages included, in one statement, which takes the place and is
committed before the response leaves.
"""

from app.base.heavy_work import to_thread_if_heavy
from app.journey.capacity.assign import preference, serving
from app.journey.capacity.places import place
from app.journey.decision.apply import Grant, approve, ask
from app.journey.decision.decide import decide
from app.journey.eligibility.check import Case, check_eligibility
from app.journey.eligibility.identity import Identity, identify
from app.journey.intake.context import RequestContext
from app.journey.intake.submission import Submission, require_start
from app.journey.receive import receive, requested_units
from app.model.known import Known, Offer
from app.model.lifecycle import Event
from app.policy.rules import Rules
from app.store.database import Source
from app.store.referral.changes import Changes
from app.store.referral.draft import Act, Draft
from app.store.referral.rows import build_rows


async def process(
    source: Source, submission: Submission, known: Known, context: RequestContext
) -> Changes:
    """Takes one new referral through the five stages; returns the rows that `refer` writes."""
    identity, draft = await intake(submission, known, context)
    known = identity.concerning(known)

    case = await to_thread_if_heavy(eligibility, submission, identity, known, context.rules)

    offers = candidates(submission, case, known)

    await settle(source, draft, case, offers, submission, context)

    return await to_thread_if_heavy(notification, draft)


async def intake(
    submission: Submission, known: Known, context: RequestContext
) -> tuple[Identity, Draft]:
    """Stage 1, intake: identifies the member and drafts the referral as received."""
    rules, on = context.rules, submission.on
    identity = identify(submission.request, known, rules.plans, on, context.trusted)
    require_start(submission, rules.latest_start(identity.plan, on))
    return identity, await to_thread_if_heavy(receive, submission, identity, known, context)


def eligibility(submission: Submission, identity: Identity, known: Known, rules: Rules) -> Case:
    """Stage 2, eligibility: asks the plan's rules, as of the day of receipt."""
    return check_eligibility(
        rules.library, submission.request, identity, submission.stated, known, submission.on
    )


def candidates(submission: Submission, case: Case, known: Known) -> list[Offer]:
    """Stage 3, capacity: lists the offers that could take the member, best first.

    No place is taken yet.
    """
    offers = serving(
        known.offers.get(case.identity.key, ()),
        service=submission.request.service or "",
        county=case.county,
        populations=case.determination.populations,
    )
    acquainted = submission.acquainted(known, case.identity.key)
    return preference(offers, submission.wish, acquainted)


async def settle(
    source: Source,
    draft: Draft,
    case: Case,
    offers: list[Offer],
    submission: Submission,
    context: RequestContext,
) -> None:
    """Stage 4, decision: names the move that follows from the rules' answer, and makes the move.

    An approval gets a place with the first of `offers` that has one.
    """
    determination = case.determination
    event = decide(determination, Rules.automation(case.policy, draft.after.service))
    previous = case.previous.referral_id if case.previous else draft.after.based_on
    draft.checked(case.county, previous)
    act = Act(context.by_rules, case.details, case.policy)
    if event is Event.APPROVE:
        placement = await place(source, draft.after.plan, offers, submission.wish)
        units = requested_units(case.question)
        wanted_from = submission.request.occurrence_start
        approve(draft, act, Grant(placement, case.previous, wanted_from, units))
    elif event is Event.REQUEST_INFORMATION:
        clocks = context.rules.clocks(case.identity.plan, submission.on)
        ask(draft, act, act.details.missing, clocks)
    else:
        draft.move(event, act)
    asked = draft.after.asked_performer_id
    if asked and draft.before is None and not draft.after.performer_id:
        draft.become_party(asked, "asked")
    draft.determine(case.question, determination, "rules")


def notification(draft: Draft) -> Changes:
    """Stage 5, notification: turns the draft into rows: versions, letters, and the messages that
    the delivery workers send (`app.workers.delivery`).
    """
    return build_rows(draft)
