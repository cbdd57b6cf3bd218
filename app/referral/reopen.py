"""A stored referral as a draft again, locked, so that the next move is made on what is true.

Two statements: the lock first, then what belongs to the referral, read when nobody else can move
it.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any

import orjson
from sqlalchemy.ext.asyncio import AsyncConnection

from app.database import fetch, fetch_one
from app.errors import not_found
from app.fhir.strict_json import parse
from app.policy.model import Question
from app.policy.question_json import question_from_json
from app.reading.access import SEES_LOCATED, Sight, located
from app.referral.draft import Draft
from app.referral.record import Authorization, Details
from app.referral.store import REFERRAL_COLUMNS, to_referral

_LOCK = f"""SELECT {REFERRAL_COLUMNS} FROM locator l
JOIN referral r ON r.plan = l.plan AND r.id = l.referral_id
WHERE l.type = $1::text AND l.id = $2::text AND {SEES_LOCATED} FOR UPDATE OF r"""

_BESIDE = """SELECT
(SELECT body FROM resource_version WHERE plan = $1 AND type = 'ServiceRequest' AND id = $2
    ORDER BY version DESC LIMIT 1),
(SELECT body FROM resource_version WHERE plan = $1 AND type = 'Task' AND id = $2
    ORDER BY version DESC LIMIT 1),
(SELECT id FROM task WHERE plan = $1 AND referral_id = $2 AND kind = 'service'
    AND status <> 'cancelled' ORDER BY id DESC LIMIT 1),
(SELECT json_build_array(number, service, performer_id, starts_on, ends_on, units, previous_id,
    status)::text FROM service_authorization WHERE plan = $1 AND referral_id = $2),
(SELECT question FROM determination WHERE plan = $1 AND referral_id = $2 ORDER BY seq DESC LIMIT 1),
(SELECT id FROM organization WHERE plan = $1)"""

_COPIES = """SELECT DISTINCT ON (type, id) type, id, body FROM resource_version
WHERE plan = $1 AND referral_id = $2
  AND NOT type = ANY ('{ServiceRequest,Task,ClaimResponse,Communication,Provenance}'::text[])
ORDER BY type, id, version DESC"""


@dataclass(slots=True)
class Opened:
    """A locked referral: its draft, and the question that was last put to the rules about it."""

    draft: Draft
    question: Question | None


async def reopen(
    connection: AsyncConnection, referral_id: str, seen: Sight, *, now: Any, fhir_base: str
) -> Opened:
    """Locks a referral that the caller may see; 404 otherwise."""
    row = await fetch_one(connection, _LOCK, located("ServiceRequest", referral_id, seen))
    if row is None:
        raise not_found("ServiceRequest")
    before = to_referral(row)
    beside = await fetch_one(connection, _BESIDE, (before.plan, before.id))
    if beside is None:
        raise not_found("ServiceRequest")
    sent, own_task, service_task_id, authorization, question, plan_organization = beside
    draft = Draft(
        before=before,
        after=before,
        at=now,
        sent=parse(sent),
        details=Details.from_json(before.details),
        plan_organization=plan_organization,
        adopted=parse(own_task),
        service_task_id=service_task_id,
        authorization=_authorization(authorization),
        fhir_base=fhir_base,
    )
    return Opened(draft, question_from_json(question) if question else None)


def _authorization(text: str | None) -> Authorization | None:
    if text is None:
        return None
    number, service, performer, starts, ends, units, previous, status = orjson.loads(text)
    return Authorization(
        number=number,
        service=service,
        performer_id=performer,
        starts_on=date.fromisoformat(starts),
        ends_on=date.fromisoformat(ends),
        units=orjson.loads(units) if units else None,
        previous_id=previous,
        status=status,
    )


async def copies(
    connection: AsyncConnection, plan: str, referral_id: str
) -> list[tuple[str, dict[str, Any]]]:
    """The resources that came with a referral or later, each under the reference that names it."""
    rows = await fetch(connection, _COPIES, (plan, referral_id))
    return [(f"{kind}/{id_}", parse(body)) for kind, id_, body in rows]
