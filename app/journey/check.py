"""A client asks `$check` what the rules say of a referral: it gets the answer, and no referral.

`check` reads and decides, and writes nothing (spec.md 4). The answer is the rules' own, whatever
the plan's automation. Every authenticated client may ask, for every plan served.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, time
from typing import Any

from app.base.heavy_work import to_thread_if_heavy
from app.base.local_time import LOCAL
from app.fhir.r4.strict_json import dumps
from app.fhir.render_check import parameters
from app.journey.capacity.assign import placement_now
from app.journey.eligibility.check import identify, take_at_word
from app.journey.intake.context import RequestContext
from app.journey.intake.gather import gather
from app.journey.intake.referenced import referenced_resources
from app.journey.intake.submission import read_submission, require_start
from app.journey.refer import RepeatPolicy, inquire
from app.journey.stages import candidates, eligibility
from app.model.caller import Caller
from app.model.known import NamedOffer, Offer, Placement
from app.policy.deadlines import decision_due
from app.policy.explain import explain
from app.policy.model import DeterminationOutcome
from app.policy.readings import bearing
from app.store.audit.access import patients, reached
from app.store.database import Source
from app.store.reading.access import visibility

_NOON = time(12)


async def check(
    source: Source,
    tree: dict[str, Any],
    caller: Caller,
    context: RequestContext,
    on: date | None,
    *,
    full: bool = False,
) -> bytes:
    """Returns the rules' answer as FHIR Parameters, explained in short or in `full`.

    With `on`, the referral counts as received at noon local time of that day.
    """
    asked = context.now if on is None else datetime.combine(on, _NOON, LOCAL)
    referenced = await referenced_resources(source, tree, caller, context)
    submission = await to_thread_if_heavy(
        read_submission, tree, replace(context, now=asked), referenced
    )
    visible = visibility(caller)
    repeats = RepeatPolicy(caller.client_id, None, None, visible)
    known = await gather(source, inquire(submission, repeats, context))
    request, plans = submission.request, context.rules.plans
    identity = (
        identify(request, known.members, plans, submission.on)
        if request.cin
        else take_at_word(request, plans)
    )
    reached(identity.key, *patients(identity.member_id))
    require_start(submission, context.rules.latest_start(identity.plan, submission.on))
    case = await to_thread_if_heavy(eligibility, submission, identity, known, context.rules)
    ordered = candidates(submission, case, known)
    placement = None
    if (
        request.service
        and identity.plan
        and case.determination.outcome is not DeterminationOutcome.DENIED
    ):
        placement = placement_now(ordered, submission.wish)
    clocks = context.rules.clocks(identity.plan, submission.on)
    due = decision_due(submission.received_at, request.priority, clocks)
    library, said = context.rules.library, case.determination
    readings = bearing(library, case.question, said, staff=identity.plan in visible.staff_plans)
    explanation = explain(said, library, readings, full=full)
    available = _available(placement, ordered)
    return dumps(parameters(said, placement, available, due, explanation, readings))


def _available(placement: Placement | None, ordered: Sequence[Offer]) -> Sequence[NamedOffer]:
    """Returns the offers that could take the member now; if none can, the offer to wait for."""
    if placement is None:
        return []
    available = [offer for offer in ordered if offer.can_take]
    return available or ([placement.offer] if placement.offer else [])
