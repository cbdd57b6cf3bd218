"""A requester refers a member: the post starts the journey; a repeat finds the same referral.

`post` gathers what the database knows, answers a repeat as before, or else takes the referral
through its stages (`app.journey.stages`) and writes it: two statements, each its own transaction. A
unique index decides between parallel posts of the same referral: of the loser nothing is written,
and it is answered from what the winner wrote.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from app.base.errors import busy, not_found, refuse
from app.base.heavy_work import mark_if_heavy, to_thread_if_heavy
from app.fhir.render_referral import Decided
from app.journey.answer import answer_created, answer_existing, answer_transaction
from app.journey.intake.condition import Answer, Condition, matching, remember, replayed, twin
from app.journey.intake.context import RequestContext
from app.journey.intake.gather import gather
from app.journey.intake.submission import Submission
from app.journey.stages import process
from app.model.known import Inquiry, Known
from app.model.lifecycle import BusinessStatus, State
from app.model.record import Details
from app.store.audit.access import reached_referral
from app.store.database import Database, Source
from app.store.database_errors import DatabaseBusy, sqlstate
from app.store.reading.access import Visibility
from app.store.referral.store import LostRace, PlaceGone, write

#: SQLSTATE of PostgreSQL when it ends one of several transactions that wait for each other.
_DEADLOCK = "40P01"
_TRIES = 4


@dataclass(frozen=True, slots=True)
class RepeatPolicy:
    """The caller's wish for repeats: idempotency key, condition, and what the caller may see."""

    client_id: str
    key: str | None
    condition: Condition | None
    seen: Visibility


async def post(
    database: Database,
    submission: Submission,
    repeats: RepeatPolicy,
    context: RequestContext,
    missed: Callable[[], Awaitable[None]],
) -> Answer:
    """Answers a post: creates the referral, or answers a repeat with the first referral.

    Calls `missed` where a member's number identified nobody: it is counted, never refused.

    Tries again after a lost race, at most four times in all; then raises `busy()`. After a race for
    a place it tries in a transaction that locks the offers first: this try loses no such race.
    """
    under_locks = False
    for _ in range(_TRIES):
        try:
            if under_locks:
                async with database.begin() as transaction:
                    answer, identified = await _try(transaction, submission, repeats, context)
            else:
                answer, identified = await _try(database, submission, repeats, context)
        except PlaceGone:
            under_locks = True
        except LostRace:
            # The next try finds what the winner wrote: the same post, or an authorization of the
            # service, which gives this referral to a person.
            pass
        except DatabaseBusy as error:
            if sqlstate(error.__cause__) != _DEADLOCK:
                raise
        else:
            if submission.request.cin and not identified:
                await missed()
            return answer
    raise busy()


async def _try(
    source: Source,
    submission: Submission,
    repeats: RepeatPolicy,
    context: RequestContext,
) -> tuple[Answer, bool]:
    """Returns the answer, and whether the member is identified; of a repeat it is not asked."""
    known = await gather(source, inquire(submission, repeats, context))
    answer = await _seen_before(source, known, submission, repeats, context)
    if answer is not None:
        return answer, True
    changes = await process(source, submission, known, context)
    answer = await to_thread_if_heavy(
        answer_created, changes, submission.locations, context.fhir_base
    )
    if repeats.key:
        remember(changes, repeats.client_id, repeats.key, submission.fingerprint.value, answer)
    await write(source, changes)
    return answer, changes.after.member_id is not None


def inquire(submission: Submission, repeats: RepeatPolicy, context: RequestContext) -> Inquiry:
    """Names what `gather` is to read for a submission."""
    wish, request = submission.wish, submission.request
    return Inquiry(
        organization_id=context.actor.organization_id or "",
        client_id=repeats.client_id,
        plans=context.rules.plans,
        staff_plans=tuple(repeats.seen.staff_plans),
        idempotency_key=repeats.key,
        identifiers=tuple(submission.claims),
        cin=request.cin,
        service=request.service,
        based_on=submission.based_on_ids,
        based_on_identifiers=submission.based_on_identifiers,
        organization_ids=tuple(wish.organization_ids),
        npis=tuple(wish.npis),
    )


async def _seen_before(
    source: Source,
    known: Known,
    submission: Submission,
    repeats: RepeatPolicy,
    context: RequestContext,
) -> Answer | None:
    answer = replayed(known, submission)
    if answer is not None:
        return answer
    if repeats.condition is not None:
        matches = await matching(source, repeats.condition, repeats.seen)
        if len(matches) > 1:
            text = "The condition matches several referrals; name one of them."
            raise refuse(412, "multiple-matches", text)
        if matches:
            plan, id_ = matches[0]
            return await _existing(
                source, plan, id_, _existing_locations(submission, id_, known), context
            )
    first = twin(known, submission)
    if first is None:
        return None
    return await _existing(source, first.plan, first.referral_id, first.locations, context)


def _existing_locations(submission: Submission, referral_id: str, known: Known) -> list[str] | None:
    """Locates the entries of a Bundle whose condition matched an existing referral.

    Returns the locations of the earlier post of this Bundle, if there was one; else the referral's
    own ServiceRequest and Task, since nothing was created. None for a single ServiceRequest.
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
    AS number, r.member_id, r.patient_id
FROM referral r JOIN resource_version v ON v.plan = r.plan AND v.referral_id = r.id
    AND v.type = 'ServiceRequest'
WHERE r.plan = $1 AND r.id = $2 ORDER BY v.version DESC LIMIT 1"""


async def _existing(
    source: Source,
    plan: str,
    referral_id: str,
    locations: list[str] | None,
    context: RequestContext,
) -> Answer:
    row = await source.fetch_one(_CURRENT, plan, referral_id)
    if row is None:
        raise not_found("ServiceRequest")
    reached_referral(plan, referral_id, row)
    status, body = row["business_status"], row["body"]
    decided = Decided(
        referral_id,
        State(row["state"]),
        BusinessStatus(status) if status else None,
        Details.from_json(row["details"]),
        row["number"],
    )
    if locations is not None:
        return answer_transaction(decided, locations, None, "200 OK", context.fhir_base)
    mark_if_heavy(len(body))
    return await to_thread_if_heavy(
        answer_existing,
        decided,
        row["version"],
        row["updated_at"],
        body,
        base=context.fhir_base,
    )
