"""Reads the work queue, and lets staff claim and release its items. Every statement begins with the
plans of the caller. `show.py` puts the rows into words.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.model.lifecycle import BusinessStatus
from app.policy.deadlines import URGENT
from app.store.audit.access import reached_referral
from app.store.database import Row, Source
from app.store.tables.referral import WAITING
from app.views.member_name import MEMBER_NAME, SHOWN_NAME
from app.views.workqueue.model import Held, Waits

#: Urgent referrals before routine ones; of either, those that wait for a decision before those that
#: wait for a performer. The condition repeats the words of the index of what waits, so that
#: PostgreSQL uses the index.
_ITEMS = """SELECT r.plan, r.id, r.state, r.business_status, r.organization_id, r.service,
    r.member_id, r.cin, r.patient_id, r.received_at, r.decision_due, r.void_due, r.details,
    k.urgent, k.rank, k.at, w.assignee, w.claimed_at
  FROM referral r LEFT JOIN work_item w ON w.plan = r.plan AND w.referral_id = r.id
  CROSS JOIN LATERAL (SELECT r.priority = ANY ($14::text[]) AS urgent,
    CASE WHEN r.priority = ANY ($14::text[]) THEN 0 ELSE 2 END
      + CASE WHEN r.state = 'pending' THEN 0 ELSE 1 END AS rank,
    CASE WHEN r.state = 'pending' THEN r.decision_due ELSE r.received_at END AS at) k
  WHERE r.plan = ANY ($1::text[])
    AND r.business_status IN ('in-review', 'information-needed', 'unassigned', 'waitlisted')
    AND ($2::text IS NULL OR r.id = $2)
    AND ($3::text IS NULL OR r.business_status = $3)
    AND (NOT $4::bool OR (r.state = 'pending' AND r.decision_due < $5::timestamptz))
    AND ($6::bool IS NULL OR k.urgent = $6)
    AND ($7::text IS NULL OR w.assignee = $7) AND (NOT $8::bool OR w.assignee IS NULL)
    AND ($9::timestamptz IS NULL OR (r.state = 'pending' AND r.decision_due < $9))
    AND ($10::int IS NULL OR (k.rank, k.at, r.id) > ($10, $11::timestamptz, $12::text))
  ORDER BY k.rank, k.at, r.id LIMIT $13::int"""
_PAGE = f"""SELECT r.*, coalesce(o.name, r.organization_id) AS requester, {SHOWN_NAME}
FROM ({_ITEMS}) r LEFT JOIN organization o ON o.id = r.organization_id
{MEMBER_NAME} ORDER BY r.rank, r.at, r.id"""

_COUNTS = """SELECT w.*, (SELECT count(*) FROM delivery d
    WHERE d.plan = ANY ($1::text[]) AND d.state = 'dead') AS undelivered_messages
FROM (SELECT count(*) AS waiting,
    count(*) FILTER (WHERE r.state = 'pending' AND r.decision_due < $2::timestamptz) AS overdue,
    count(*) FILTER (WHERE r.priority = ANY ($3::text[])) AS urgent,
    count(*) FILTER (WHERE r.business_status = 'in-review') AS "in-review",
    count(*) FILTER (WHERE r.business_status = 'information-needed') AS "information-needed",
    count(*) FILTER (WHERE r.business_status = 'unassigned') AS "unassigned",
    count(*) FILTER (WHERE r.business_status = 'waitlisted') AS "waitlisted",
    count(*) FILTER (WHERE age < '2 days') AS "0 to 1 day",
    count(*) FILTER (WHERE age >= '2 days' AND age < '6 days') AS "2 to 5 days",
    count(*) FILTER (WHERE age >= '6 days' AND age < '11 days') AS "6 to 10 days",
    count(*) FILTER (WHERE age >= '11 days') AS "11 days or more"
  FROM (SELECT r.*, $2::timestamptz - r.received_at AS age FROM referral r
    WHERE r.plan = ANY ($1::text[]) AND r.business_status IN
      ('in-review', 'information-needed', 'unassigned', 'waitlisted')) r) w"""
AGES = ("0 to 1 day", "2 to 5 days", "6 to 10 days", "11 days or more")

#: At most fifty: more disabled endpoints have one common cause, not fifty.
_NOT_TOLD = """SELECT e.organization_id, coalesce(o.name, e.organization_id) AS organization, e.id,
    e.disabled_reason, e.updated_at, w.messages
FROM (SELECT d.organization_id, d.endpoint_id, count(*) AS messages FROM delivery d
    WHERE d.plan = ANY ($1::text[]) AND d.state IN ('dead', 'held')
      AND d.referral_id <> d.message_id GROUP BY 1, 2) w
JOIN webhook_endpoint e ON e.organization_id = w.organization_id AND e.id = w.endpoint_id
    AND e.status <> 'active' AND e.disabled_reason IN ('gone', 'failing', 'blocked-target')
LEFT JOIN organization o ON o.id = e.organization_id
ORDER BY e.updated_at, e.id LIMIT 50"""

_CLAIM = """INSERT INTO work_item AS w (plan, referral_id, assignee, claimed_at)
SELECT r.plan, r.id, $3::text, $4::timestamptz FROM referral r
WHERE r.plan = ANY ($1::text[]) AND r.id = $2::text AND r.business_status = ANY ($5::text[])
ON CONFLICT (plan, referral_id) DO UPDATE SET assignee = excluded.assignee,
    claimed_at = excluded.claimed_at WHERE w.assignee IS NULL RETURNING assignee"""
_HOLDER = """SELECT w.assignee FROM referral r
JOIN work_item w ON w.plan = r.plan AND w.referral_id = r.id
WHERE r.plan = ANY ($1::text[]) AND r.id = $2::text AND r.business_status = ANY ($3::text[])"""
_RELEASE = """UPDATE work_item SET assignee = NULL, claimed_at = NULL
WHERE plan = ANY ($1::text[]) AND referral_id = $2::text"""
_DETERMINATIONS = """SELECT DISTINCT ON (d.plan, d.referral_id) d.referral_id, d.question,
    d.answer FROM determination d WHERE d.plan = ANY ($1::text[])
    AND d.referral_id = ANY ($2::text[]) ORDER BY d.plan, d.referral_id, d.seq DESC"""
#: The determination follows, as the rules' own move, the move of an organization that stated it.
_WHO_SAID_NO = """SELECT DISTINCT ON (d.plan, d.referral_id) d.referral_id,
    coalesce(o.name, h.organization_id) AS who
FROM determination d CROSS JOIN LATERAL (SELECT m.organization_id FROM referral_history m
    WHERE m.plan = d.plan AND m.referral_id = d.referral_id AND m.seq <= d.seq
      AND m.event IN ('receive', 'add-information') ORDER BY m.seq DESC LIMIT 1) h
LEFT JOIN organization o ON o.id = h.organization_id
WHERE d.plan = ANY ($1::text[]) AND d.referral_id = ANY ($2::text[])
    AND d.question::jsonb #> ARRAY['facts', 'values', $3::text, 'value'] = 'false'
ORDER BY d.plan, d.referral_id, d.seq"""
#: Only letters to people have no organization.
_ASKED_BY_LETTER = """SELECT r.id, r.cin, v.body FROM referral r
CROSS JOIN LATERAL (SELECT s.body FROM resource_version s WHERE s.plan = r.plan
    AND s.referral_id = r.id AND s.type = 'ServiceRequest' ORDER BY s.version DESC LIMIT 1) v
WHERE r.plan = ANY ($1::text[]) AND r.id = ANY ($2::text[])
    AND EXISTS (SELECT FROM correspondence c WHERE c.plan = r.plan AND c.referral_id = r.id
    AND c.outcome = 'information-needed' AND c.organization_id IS NULL)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkQueueQuery:
    """The query for a page. `after` is the last item of the page before: rank, moment, id."""

    plans: Sequence[str]
    now: datetime
    referral: str | None = None
    waits: Waits | None = None
    urgent: bool | None = None
    held: Held = Held.ANYONE
    client: str = ""
    due_before: datetime | None = None
    after: tuple[int, datetime, str] | None = None
    limit: int = 50


async def queue_page(source: Source, wanted: WorkQueueQuery) -> Sequence[Row]:
    """Read the rows of one page, and one more row if there is a next page."""
    overdue = wanted.waits is Waits.OVERDUE
    after = wanted.after or (None, None, None)
    values = (
        list(wanted.plans),
        wanted.referral,
        None if wanted.waits is None or overdue else BusinessStatus(wanted.waits.value).value,
        overdue,
        wanted.now,
        wanted.urgent,
        wanted.client if wanted.held is Held.ME else None,
        wanted.held is Held.NONE,
        wanted.due_before,
        *after,
        wanted.limit + 1,
        sorted(URGENT),
    )
    rows = await source.fetch(_PAGE, *values)
    for row in rows[: wanted.limit]:
        reached_referral(row["plan"], row["id"], row)
    return rows


async def counts(source: Source, plans: Sequence[str], now: datetime) -> Row:
    """Count the referrals: waiting, overdue, urgent, by reason (as `WAITING`), by age (as `AGES`);
    and the dead deliveries.
    """
    (row,) = await source.fetch(_COUNTS, list(plans), now, sorted(URGENT))
    return row


async def not_told(source: Source, plans: Sequence[str]) -> Sequence[Row]:
    """Read the disabled endpoints for which messages about referrals of these plans wait."""
    return await source.fetch(_NOT_TOLD, list(plans))


async def claim(
    source: Source, plans: Sequence[str], referral: str, client: str, now: datetime
) -> str | None:
    """Claim an item, and return the client that has it now: this client, or another that was first.
    None: no such item waits in these plans.

    Two clients that claim at once write the same row: the second gets the name of the first.
    """
    values = (list(plans), referral, client, now, WAITING)
    row = await source.fetch_one(_CLAIM, *values)
    row = row or await source.fetch_one(_HOLDER, list(plans), referral, WAITING)
    return row["assignee"] if row else None


async def release(source: Source, plans: Sequence[str], referral: str) -> None:
    """Release an item: no client has it any more."""
    await source.execute(_RELEASE, list(plans), referral)


async def last_determinations(
    source: Source, plans: Sequence[str], referrals: Sequence[str]
) -> Sequence[Row]:
    """Read the last question to the rules and the answer to it, of each of some referrals."""
    return await source.fetch(_DETERMINATIONS, list(plans), list(referrals))


async def who_said_no(
    source: Source, plans: Sequence[str], referrals: Sequence[str], fact: str
) -> Sequence[Row]:
    """Read who said no to a yes/no fact first, for each of some referrals; null: the plan."""
    return await source.fetch(_WHO_SAID_NO, list(plans), list(referrals), fact)


async def asked_by_letter(
    source: Source, plans: Sequence[str], referrals: Sequence[str]
) -> Sequence[Row]:
    """Read the referrals of these whose questions went to a person by letter, as they were sent."""
    return await source.fetch(_ASKED_BY_LETTER, list(plans), list(referrals))
