"""A place becomes free: the next member in line gets it, in the transaction that frees the place.

Urgent referrals come first, then the earlier receipt (spec.md 5). A referral whose authorization
has run out gets no place. A place becomes free when a referral is cancelled, completed, failed,
declined or given to another performer, and when an offer's numbers or status are raised.

All transactions take locks in one order, so that none waits for another in a circle: first the
referral that is moved; then offers, by id; then the waiting referrals of each offer, from the head
of its list. A referral that begins to wait locks the offer's row and finds it full
(`app.store.referral.statement`), so that it cannot miss a place. A move of a waiting referral can
still cross with its promotion: the database then ends one of the two, which is answered 409 with
`Retry-After` and has written nothing.
"""

from dataclasses import dataclass

from app.base.local_time import local_date
from app.journey.capacity.assign import assignment_to
from app.journey.capacity.places import hold, release
from app.journey.decision.apply import reassign
from app.journey.finish import finish, policy_of
from app.journey.intake.context import RequestContext
from app.model.known import TAKING, NamedOffer, Placement, Wish
from app.policy.deadlines import URGENT
from app.store.database import Source, Transaction
from app.store.referral.draft import Act, Draft
from app.store.referral.reopen import load_for_move

_HEAD = """SELECT r.id, o.organization_id, o.npi, o.capacity_status
FROM offer o JOIN referral r ON r.plan = o.plan AND r.offer_id = o.id
WHERE o.plan = $1 AND o.id = $2 AND o.active AND o.capacity_status = ANY($3::text[])
  AND o.taken + o.taken_outside < o.places
  AND r.state = 'approved' AND r.business_status = 'waitlisted' AND r.assignment = 'waitlisted'
  AND NOT EXISTS (SELECT 1 FROM service_authorization a
    WHERE a.plan = r.plan AND a.referral_id = r.id AND a.ends_on < $5::date)
ORDER BY (r.priority = ANY($4::text[])) DESC, r.received_at, r.id
LIMIT 1 FOR UPDATE OF r"""
_TAKE = "UPDATE offer SET taken = taken + 1 WHERE plan = $1 AND id = $2"
_RECOUNT = """SELECT o.plan, o.id AS offer_id, o.taken, count(r.id) AS held
FROM offer o LEFT JOIN referral r ON r.plan = o.plan AND r.offer_id = o.id AND r.holds_place
GROUP BY o.plan, o.id, o.taken HAVING o.taken <> count(r.id)
UNION ALL
SELECT r.plan, r.offer_id, 0, count(*) FROM referral r
WHERE r.holds_place AND NOT EXISTS (SELECT 1 FROM offer o
    WHERE o.plan = r.plan AND o.id = r.offer_id)
GROUP BY r.plan, r.offer_id ORDER BY 1, 2"""


@dataclass(frozen=True, slots=True)
class Miscount:
    """An offer whose count of taken places differs from the count of referrals that hold one."""

    plan: str
    offer_id: str
    taken: int
    held: int


async def release_place(transaction: Transaction, draft: Draft, context: RequestContext) -> None:
    """Releases the places that a written change freed, and gives them to the next in line."""
    for offer_id in sorted(draft.freed):
        await release(transaction, draft.after.plan, offer_id)
        await promote_waiting(transaction, draft.after.plan, offer_id, context)


async def promote_waiting(
    transaction: Transaction, plan: str, offer_id: str, context: RequestContext
) -> int:
    """Gives an offer's free places to the referrals that wait; returns how many were placed.

    The caller has already written the change that freed the places. The list of an offer that takes
    nobody (`no-capacity`, `waitlist`) stays as it is.
    """
    await hold(transaction, plan, [offer_id])
    placed = 0
    while True:
        today = local_date(context.now)
        values = (plan, offer_id, sorted(TAKING), sorted(URGENT), today)
        row = await transaction.fetch_one(_HEAD, *values)
        if row is None:
            return placed
        offer = NamedOffer(offer_id, row["organization_id"], row["npi"], row["capacity_status"])
        await transaction.execute(_TAKE, plan, offer_id)
        head = await load_for_move(
            transaction, plan, row["id"], now=context.now, fhir_base=context.fhir_base
        )
        await _place(transaction, head.draft, offer, context)
        placed += 1


async def _place(
    transaction: Transaction, draft: Draft, offer: NamedOffer, context: RequestContext
) -> None:
    asked = draft.after.asked_performer_id
    wish = Wish(organization_ids=frozenset({asked})) if asked else Wish()
    act = Act(context.by_rules, draft.details, policy_of(draft, context))
    reassign(draft, act, Placement(assignment_to(offer, wish), offer))
    await finish(transaction, draft)


async def recount(source: Source) -> list[Miscount]:
    """Lists the offers whose count is wrong; an empty list if every count is right."""
    return [Miscount(**row) for row in await source.fetch(_RECOUNT)]
