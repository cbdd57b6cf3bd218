"""A client asks `$check` what the rules say of a referral: it gets the answer, and no referral.

`check` reads and decides, and writes nothing (spec.md 4). The answer is the rules' own, whatever
the plan's automation. Every client that may refer may ask, for every plan served.

The roster is asked for a month round today only: an age at any day would tell the day of birth.
For other days the payload is taken at its word, whether its number is known or not; the staff of
the member's own plan may ask for any day.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any, Protocol

from app.base.heavy_work import to_thread_if_heavy
from app.base.local_time import LOCAL, local_date
from app.fhir.r4.strict_json import dumps
from app.fhir.render_check import parameters
from app.journey.capacity.assign import placement_now
from app.journey.eligibility.check import Case
from app.journey.eligibility.identity import Identity, identify, take_at_word
from app.journey.intake.context import RequestContext
from app.journey.intake.gather import gather
from app.journey.intake.referenced import referenced_resources
from app.journey.intake.submission import Submission, read_submission, require_start
from app.journey.refer import RepeatPolicy, inquire
from app.journey.stages import candidates, eligibility
from app.model.caller import Caller
from app.model.known import Known, NamedOffer, Offer, Placement
from app.policy.deadlines import decision_due
from app.policy.discreet import by_result
from app.policy.explain import explain
from app.policy.model import DeterminationOutcome
from app.policy.readings import bearing
from app.store.audit.access import patients, reached
from app.store.database import Source
from app.store.reading.access import visibility

_NOON = time(12)
#: So far back and ahead of today the roster is asked about a member (spec.md 4).
_REACH = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Checked:
    """The answer to `$check` as FHIR JSON, and what was asked of the rosters for it.

    `cin`: the number that was looked up; None: none was sent, or none may be looked up for the day.
    `plan`, `member_id`: the roster's Patient whom the number, birth date and name identified.
    """

    body: bytes
    cin: str | None
    plan: str | None = None
    member_id: str | None = None


class Counting(Protocol):
    """Counts the numbers that a client has looked up (`app.api.questions`); may refuse."""

    async def before(self, cin: str) -> None: ...

    async def after(self, cin: str, plan: str | None, member_id: str | None) -> None: ...


async def check(
    source: Source,
    tree: dict[str, Any],
    caller: Caller,
    context: RequestContext,
    on: date | None,
    counting: Counting,
    *,
    full: bool = False,
) -> Checked:
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
    inquiry = inquire(submission, repeats, context)
    near = abs(submission.on - local_date(context.now)) <= _REACH
    if not near and not context.trusted:
        inquiry = replace(inquiry, cin=None)
    if inquiry.cin:
        await counting.before(inquiry.cin)
    known = await gather(source, inquiry)
    request, plans = submission.request, context.rules.plans
    identity = (
        _identity(submission, known, context, near=near)
        if inquiry.cin
        else take_at_word(request, plans)
    )
    if inquiry.cin:  # before anything may be refused that would tell of the member
        await counting.after(inquiry.cin, identity.plan, identity.member_id)
    known = identity.concerning(known)
    reached(identity.key, *patients(identity.member_id))
    require_start(submission, context.rules.latest_start(identity.plan, submission.on))
    case = await to_thread_if_heavy(eligibility, submission, identity, known, context.rules)
    staff = identity.plan in visible.staff_plans
    body = _answer(submission, case, known, context, staff=staff, full=full)
    found = identity.member_id
    return Checked(body, inquiry.cin, identity.plan if found else None, found)


def _answer(
    submission: Submission,
    case: Case,
    known: Known,
    context: RequestContext,
    *,
    staff: bool,
    full: bool,
) -> bytes:
    """Writes the answer, to others than the plan's `staff` by result only."""
    identity = case.identity
    # The order of the performers would tell others who has the member now.
    ordered = candidates(submission, case, known if staff else replace(known, authorizations=()))
    placement = None
    if (
        submission.request.service
        and identity.plan
        and case.determination.outcome is not DeterminationOutcome.DENIED
    ):
        placement = placement_now(ordered, submission.wish)
    clocks = context.rules.clocks(identity.plan, submission.on)
    due = decision_due(submission.received_at, submission.request.priority, clocks)
    library = context.rules.library
    readings = bearing(library, case.question, case.determination, staff=staff)
    said = case.determination if staff else by_result(case.determination, case.question.facts)
    explanation = explain(said, library, readings, full=full)
    available = _available(placement, ordered)
    return dumps(parameters(said, placement, available, due, explanation, readings))


def _identity(
    submission: Submission, known: Known, context: RequestContext, *, near: bool
) -> Identity:
    """Identifies the member; for a day far from today only one of the caller's own plan."""
    request, plans, on = submission.request, context.rules.plans, submission.on
    if near:
        return identify(request, known, plans, on, context.trusted)
    own = tuple(member for member in known.members if member.plan in context.trusted)
    known = replace(known, members=own, based_on=frozenset())
    identity = identify(request, known, plans, on, context.trusted)
    return identity if identity.identified else take_at_word(request, plans)


def _available(placement: Placement | None, ordered: Sequence[Offer]) -> Sequence[NamedOffer]:
    """Returns the offers that could take the member now; if none can, the offer to wait for."""
    if placement is None:
        return []
    available = [offer for offer in ordered if offer.can_take]
    return available or ([placement.offer] if placement.offer else [])
