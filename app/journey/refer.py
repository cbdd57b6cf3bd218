"""One post of a referral, safe to repeat: gathers, answers a repeat, or starts the journey.

A unique index decides between parallel posts of the same thing: the loser's transaction is rolled
back and answered from what the winner wrote.
"""

from dataclasses import dataclass

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.base.errors import busy, not_found, refuse
from app.base.heavy_work import mark_if_heavy, to_thread_if_heavy
from app.fhir.render_referral import Decided
from app.journey.answer import created, found, transaction
from app.journey.intake.condition import Answer, Condition, matching, remember, replayed, twin
from app.journey.intake.context import RequestContext
from app.journey.intake.gather import gather
from app.journey.intake.submission import Submission
from app.journey.stages import process
from app.model.known import Inquiry, Known
from app.model.lifecycle import BusinessStatus, State
from app.model.record import Details
from app.store.database import constraint, fetch_one, sqlstate
from app.store.reading.access import Visibility
from app.store.referral.rows import build_rows
from app.store.referral.store import write
from app.store.tables.decision import OVERLAPS

#: The constraints that say "somebody was faster": with the same post, or with another referral of
#: the same member for the same service, which is then authorized already and goes to a person.
_RACES = ("pk_referral_identifier", "pk_idempotency_key", *OVERLAPS)
#: PostgreSQL ended this one of several transactions that waited for each other.
_DEADLOCK = "40P01"
_TRIES = 3


@dataclass(frozen=True, slots=True)
class RepeatPolicy:
    """How the caller wants a repeat to be treated, and what it may see."""

    client_id: str
    key: str | None
    condition: Condition | None
    seen: Visibility


async def post(
    connection: AsyncConnection,
    submission: Submission,
    terms: RepeatPolicy,
    context: RequestContext,
) -> Answer:
    """The answer to a post: created, or what the same post was answered before."""
    for _ in range(_TRIES):
        try:
            return await _once(connection, submission, terms, context)
        except DBAPIError as error:
            if constraint(error) not in _RACES and sqlstate(error) != _DEADLOCK:
                raise
            await connection.rollback()
    raise busy()


async def _once(
    connection: AsyncConnection,
    submission: Submission,
    terms: RepeatPolicy,
    context: RequestContext,
) -> Answer:
    known = await gather(connection, inquire(submission, terms, context))
    answer = await _seen_before(connection, known, submission, terms, context)
    if answer is not None:
        return answer
    draft = await process(connection, submission, known, context)
    changes = await to_thread_if_heavy(build_rows, draft)
    answer = await to_thread_if_heavy(created, changes, submission.locations, context.fhir_base)
    if terms.key:
        remember(changes, terms.client_id, terms.key, submission.fingerprint.value, answer)
    await write(connection, changes)
    return answer


def inquire(submission: Submission, terms: RepeatPolicy, context: RequestContext) -> Inquiry:
    """What to gather for a submission."""
    wish, request = submission.wish, submission.request
    return Inquiry(
        organization_id=context.actor.organization_id or "",
        client_id=terms.client_id,
        plans=context.rules.plans,
        staff_plans=tuple(terms.seen.staff_plans),
        idempotency_key=terms.key,
        identifiers=tuple(submission.claims),
        cin=request.cin,
        service=request.service,
        based_on=submission.based_on_ids,
        based_on_identifiers=submission.based_on_identifiers,
        organization_ids=tuple(wish.organization_ids),
        npis=tuple(wish.npis),
    )


async def _seen_before(
    connection: AsyncConnection,
    known: Known,
    submission: Submission,
    terms: RepeatPolicy,
    context: RequestContext,
) -> Answer | None:
    answer = replayed(known, submission)
    if answer is not None:
        return answer
    if terms.condition is not None:
        matches = await matching(connection, terms.condition, terms.seen)
        if len(matches) > 1:
            text = "The condition matches several referrals; name one of them."
            raise refuse(412, "multiple-matches", text)
        if matches:
            plan, id_ = matches[0]
            return await _existing(connection, plan, id_, _where(submission, id_, known), context)
    first = twin(known, submission)
    if first is None:
        return None
    return await _existing(connection, first.plan, first.referral_id, first.locations, context)


def _where(submission: Submission, referral_id: str, known: Known) -> list[str] | None:
    """Where the entries of a Bundle are whose condition matched: the first locations where it was
    posted before, else with the referral, since nothing was created.
    """
    if submission.locations is None:
        return None
    for first in known.twins:
        posted = first.locations or []
        if first.referral_id == referral_id and len(posted) == len(submission.locations):
            return posted
    own = f"Task/{submission.referral_id}"
    return [
        f"{'Task' if place == own else 'ServiceRequest'}/{referral_id}"
        for place in submission.locations
    ]


_CURRENT = """SELECT v.version, v.updated_at, v.body, r.state, r.business_status, r.details,
    (SELECT a.number FROM service_authorization a WHERE a.plan = $1 AND a.referral_id = $2)
FROM referral r JOIN resource_version v ON v.plan = r.plan AND v.type = 'ServiceRequest'
    AND v.id = r.id
WHERE r.plan = $1 AND r.id = $2 ORDER BY v.version DESC LIMIT 1"""


async def _existing(
    connection: AsyncConnection,
    plan: str,
    referral_id: str,
    locations: list[str] | None,
    context: RequestContext,
) -> Answer:
    row = await fetch_one(connection, _CURRENT, (plan, referral_id))
    if row is None:
        raise not_found("ServiceRequest")
    version, at, body, state, status, details, number = row
    decided = Decided(
        referral_id,
        State(state),
        BusinessStatus(status) if status else None,
        Details.from_json(details),
        number,
    )
    if locations is not None:
        return transaction(decided, locations, None, "200 OK", context.fhir_base)
    mark_if_heavy(len(body))
    return await to_thread_if_heavy(found, decided, version, at, body, base=context.fhir_base)
