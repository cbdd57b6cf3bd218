"""Reads everything that happened to one referral, as far as the caller may see it.

A party to the referral sees its moves, clocks and letters, and the messages to the party's own
organization. Plan staff see all messages, and the notes. `tell.py` puts the rows into words.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from sqlalchemy import and_, func, select

from app.base.errors import not_found
from app.store.audit.access import reached_referral
from app.store.database import Row, Source
from app.store.reading.access import AT_ID, Visibility, at_id, sees_place
from app.store.reading.standing import standing
from app.store.reading.tables import PLACE, REFERRAL
from app.store.statement import Compiled, compiled
from app.store.tables.directory import organization
from app.views.letters.outbox import told_of

_HISTORY = """SELECT h.seq, h.from_state, h.to_state, h.event, h.business_status, h.actor, h.at,
    h.reason, h.note, h.policy, coalesce(o.name, h.organization_id) AS organization,
    (SELECT coalesce(s.name, p.organization_id) FROM party p
        LEFT JOIN organization s ON s.id = p.organization_id
        WHERE p.plan = h.plan AND p.referral_id = h.referral_id AND p.role = 'performer'
        AND p.since = h.at LIMIT 1) AS placed_with
FROM referral_history h LEFT JOIN organization o ON o.id = h.organization_id
WHERE h.plan = $1 AND h.referral_id = $2 ORDER BY h.seq"""

_DETERMINATIONS = """SELECT seq, outcome, basis, policy, as_of, at, answer::jsonb->'reasons' AS
    reasons, answer::jsonb->'populations' AS populations,
    CASE WHEN $3::bool THEN question END AS question, CASE WHEN $3::bool THEN answer END AS answer
FROM determination WHERE plan = $1 AND referral_id = $2 ORDER BY seq"""

_REQUESTS = """SELECT seq, asked, asked_at, void_due, attempts, reminded_at, answered_at
FROM information_request WHERE plan = $1 AND referral_id = $2 ORDER BY seq"""

_MESSAGES = """SELECT m.id, m.event_type, m.occurred_at, d.state, d.attempts, d.delivered_at,
    d.next_attempt_at, coalesce(o.name, d.organization_id) AS organization
FROM message m LEFT JOIN delivery d ON d.plan = m.plan AND d.message_id = m.id
    AND ($3::bool OR d.organization_id = $4::text)
LEFT JOIN organization o ON o.id = d.organization_id
WHERE m.plan = $1 AND m.referral_id = $2 AND ($3::bool OR d.message_id IS NOT NULL)
ORDER BY m.seq, d.organization_id, d.endpoint_id"""

_AUTHORIZATION = """SELECT a.number, a.starts_on, a.ends_on, a.status, a.created_at
FROM service_authorization a WHERE a.plan = $1 AND a.referral_id = $2"""


@dataclass(frozen=True, slots=True)
class Found:
    """The rows about one referral; each list is in the order of time."""

    referral: Row
    history: Sequence[Row]
    determinations: Sequence[Row]
    requests: Sequence[Row]
    letters: Sequence[Row]
    messages: Sequence[Row]
    authorization: Row | None
    #: The caller is staff of the referral's plan.
    staff: bool
    #: What the member's Consents say for the caller (`app.store.reading.standing`).
    standing: Sequence[str] | None


async def gather(
    source: Source, referral_id: str, seen: Visibility, *, explained: bool = False
) -> Found:
    """Read the rows that the caller may see; `explained`: with the whole answers of the rules.
    Raises 404 if the caller is not a party to the referral.
    """
    kind = "ServiceRequest"
    referral = await source.fetch_one(*_referral().called(**at_id(kind, referral_id, seen)))
    if referral is None:
        raise not_found("referral")
    key = (referral["plan"], referral["id"])
    reached_referral(*key, referral)
    staff = referral["plan"] in seen.staff_plans
    return Found(
        referral=referral,
        history=await source.fetch(_HISTORY, *key),
        determinations=await source.fetch(_DETERMINATIONS, *key, explained),
        requests=await source.fetch(_REQUESTS, *key),
        letters=await told_of(source, *key),
        messages=await source.fetch(_MESSAGES, *key, staff, seen.organization_id),
        authorization=await source.fetch_one(_AUTHORIZATION, *key),
        staff=staff,
        standing=referral["standing"],
    )


@cache
def _referral() -> Compiled:
    r, p, q, s = REFERRAL.c, *(organization.alias(name) for name in ("p", "q", "s"))
    return compiled(
        select(
            r.plan, r.id, r.state, r.business_status, r.service, r.cin, r.member_id,
            r.patient_id, r.received_at, r.decision_due, r.void_due, r.priority, r.closed_at,
            r.updated_at,
            p.c.name.label("plan_name"),
            func.coalesce(q.c.name, r.organization_id).label("requester"),
            func.coalesce(s.c.name, r.performer_id).label("performer"),
            standing(PLACE.c.plan, PLACE.c.referral_id, staff=True).label("standing"),
        )
        .join_from(
            PLACE, REFERRAL, and_(r.plan == PLACE.c.plan, r.id == PLACE.c.referral_id)
        )
        .outerjoin(p, p.c.plan == r.plan)
        .outerjoin(q, q.c.id == r.organization_id)
        .outerjoin(s, s.c.id == r.performer_id)
        .where(AT_ID, sees_place())
    )  # fmt: skip
