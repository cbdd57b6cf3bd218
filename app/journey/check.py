"""`$check`: the journey without the referral. Reads, decides, writes nothing (spec.md 4).

The rules' own answer, whatever the plan's automation; open to every authenticated client, for every
plan served.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, time
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from app.base.heavy_work import to_thread_if_heavy
from app.base.local_time import LOCAL
from app.fhir.r4.strict_json import dumps
from app.fhir.render_check import parameters
from app.journey.capacity.assign import place
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
from app.store.reading.access import visibility

_NOON = time(12)


async def ask_first(
    connection: AsyncConnection,
    tree: dict[str, Any],
    caller: Caller,
    context: RequestContext,
    on: date | None,
) -> bytes:
    """The answer as FHIR Parameters. With `on`, receipt is taken to be noon local on that day."""
    asked = context.now if on is None else datetime.combine(on, _NOON, LOCAL)
    here = await referenced_resources(connection, tree, caller, context)
    submission = await to_thread_if_heavy(read_submission, tree, replace(context, now=asked), here)
    terms = RepeatPolicy(caller.client_id, None, None, visibility(caller))
    known = await gather(connection, inquire(submission, terms, context))
    request, plans = submission.request, context.rules.plans
    identity = (
        identify(request, known.members, plans, submission.on)
        if request.cin
        else take_at_word(request, plans)
    )
    require_start(submission, context.rules.latest_start(identity.plan, submission.on))
    case = await to_thread_if_heavy(eligibility, submission, identity, known, context.rules)
    ordered = candidates(submission, case, known)
    placement = None
    if (
        request.service
        and identity.plan
        and case.determination.outcome is not DeterminationOutcome.DENIED
    ):
        placement = place(ordered, submission.wish)
    clocks = context.rules.clocks(identity.plan, submission.on)
    due = decision_due(submission.received_at, request.priority, clocks)
    explanation = explain(case.determination, context.rules.library)
    able = _able(placement, ordered)
    return dumps(parameters(case.determination, placement, able, due, explanation))


def _able(placement: Placement | None, ordered: Sequence[Offer]) -> Sequence[NamedOffer]:
    """Those that could take the member now; the one to wait for where nobody can."""
    if placement is None:
        return []
    able = [offer for offer in ordered if offer.can_take]
    return able or ([placement.offer] if placement.offer else [])
