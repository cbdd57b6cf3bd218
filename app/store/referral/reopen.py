"""Locks a stored referral and reads it into a draft, so that the next move starts from the truth.

Two statements: the first one locks the referral; the second one reads the rows beside it, when
nobody else can move the referral any more.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from app.base.errors import not_found, refuse
from app.base.heavy_work import mark_if_heavy, to_thread_if_heavy
from app.fhir.r4.strict_json import parse
from app.model.caller import UNASSIGNED
from app.model.notices import Listening
from app.model.record import Details, InformationRequest, Referral
from app.policy.model import EligibilityQuestion, Missing
from app.policy.stored_form import question_from_json
from app.store.database import Source
from app.store.reading.access import WHOLE, WHOLE_OR_LEAST, Visibility, located
from app.store.referral.asker import asker
from app.store.referral.draft import Draft
from app.store.referral.store import (
    AUTHORIZATION_COLUMNS,
    REFERRAL_COLUMNS,
    to_authorization,
    to_referral,
)

_LOCK = f"""SELECT {REFERRAL_COLUMNS} FROM locator l {WHOLE}
JOIN referral r ON r.plan = l.plan AND r.id = l.referral_id
WHERE l.type = $1::text AND l.id = $2::text AND {WHOLE_OR_LEAST} FOR UPDATE OF r"""

_BESIDE = f"""SELECT
(SELECT body FROM resource_version WHERE plan = $1 AND type = 'ServiceRequest' AND id = $2
    ORDER BY version DESC LIMIT 1),
(SELECT body FROM resource_version WHERE plan = $1 AND type = 'Task' AND id = $2
    ORDER BY version DESC LIMIT 1),
(SELECT body FROM resource_version WHERE plan = $1 AND type = 'Task' AND id = (
    SELECT id FROM task WHERE plan = $1 AND referral_id = $2 AND kind = 'service'
    AND status NOT IN ('cancelled', 'rejected') ORDER BY id DESC LIMIT 1)
    ORDER BY version DESC LIMIT 1),
(SELECT json_build_array({AUTHORIZATION_COLUMNS})::text FROM service_authorization
    WHERE plan = $1 AND referral_id = $2),
(SELECT json_build_array(id, seq, asked::json, actor, asked_at, void_due, remind_at, attempts,
    reminded_at)::text FROM information_request
    WHERE plan = $1 AND referral_id = $2 AND ended_at IS NULL ORDER BY seq DESC LIMIT 1),
(SELECT question FROM determination WHERE plan = $1 AND referral_id = $2 ORDER BY seq DESC LIMIT 1),
(SELECT id FROM organization WHERE plan = $1),
(SELECT plan FROM organization WHERE id = $3),
(SELECT json_agg(json_build_array(organization_id, plans, event_types))::text FROM webhook_endpoint
    WHERE status = 'active' AND content IS DISTINCT FROM 'empty'
        AND filter_statuses || filter_owners || filter_requesters = '{{}}' AND organization_id IN (
        SELECT organization_id FROM party WHERE plan = $1 AND referral_id = $2
        UNION ALL SELECT organization_id FROM offer
            WHERE plan = $1 AND service = $4::text AND active)),
(SELECT array_agg(organization_id) FROM (SELECT organization_id FROM party
    WHERE plan = $1 AND referral_id = $2 GROUP BY 1 HAVING bool_and(until IS NOT NULL)) gone)"""

_COPIES = """SELECT DISTINCT ON (type, id) type, id, body FROM resource_version
WHERE plan = $1 AND referral_id = $2
  AND NOT type = ANY ('{ServiceRequest,Task,ClaimResponse,Communication,
    CommunicationRequest,Provenance}'::text[])
ORDER BY type, id, version DESC"""


@dataclass(slots=True)
class Opened:
    """A locked referral: its draft, and the last question about it that the rules answered."""

    draft: Draft
    question: EligibilityQuestion | None


async def reopen(
    connection: Source,
    resource_id: str,
    seen: Visibility,
    *,
    now: datetime,
    fhir_base: str,
    kind: str = "ServiceRequest",
    identifying: bool = False,
) -> Opened:
    """Locks a referral that the caller may see, by its id or by the id of a Task; 404 otherwise.

    403 for plan staff while the referral has no plan: until then staff may only say which member
    it is about (`identifying`).
    """
    row = await connection.fetch_one(_LOCK, *located(kind, resource_id, seen))
    if row is None:
        raise not_found(kind)
    before = to_referral(row)
    may_open = identifying or seen.has(before.plan, before.organization_id)
    if before.plan == UNASSIGNED and seen.staff and not may_open:
        text = "Its plan is not known yet. First say with $add-information whose member it is."
        raise refuse(403, "forbidden", text)
    return await load_for_move(connection, before, now=now, fhir_base=fhir_base)


async def load_for_move(
    connection: Source, before: Referral, *, now: datetime, fhir_base: str
) -> Opened:
    """Reads a referral whose row this transaction has locked, with all that a move needs.

    The time of the draft is never before the last change, even if the clock of the process that
    made this change runs ahead of ours.
    """
    keys = (before.plan, before.id, before.organization_id, before.service)
    beside = await connection.fetch_one(_BESIDE, *keys)
    if beside is None:
        raise not_found("ServiceRequest")
    sent, own_task, service_body, authorization, asked, question, plan_organization, *last = beside
    entered_by, listening, gone = last
    mark_if_heavy(len(sent) + len(own_task) + len(service_body or b""))
    request = await to_thread_if_heavy(parse, sent)
    service = await to_thread_if_heavy(parse, service_body) if service_body else None
    draft = Draft(
        before=before,
        after=before,
        at=max(now, before.updated_at),
        sent=request,
        details=Details.from_json(before.details),
        plan_organization=plan_organization,
        adopted=await to_thread_if_heavy(parse, own_task),
        service_task_id=service["id"] if service else None,
        service_kept=service,
        passed_over=frozenset(gone or ()),
        asker=asker(request, before.cin),
        entered_by_plan=entered_by is not None,
        listening=tuple(Listening(*row) for row in orjson.loads(listening or "[]")),
        authorization=to_authorization(orjson.loads(authorization)) if authorization else None,
        open_request=_open_request(asked),
        fhir_base=fhir_base,
    )
    return Opened(draft, question_from_json(question) if question else None)


def _open_request(text: str | None) -> InformationRequest | None:
    """Reads the open request for information from its JSON array."""
    if text is None:
        return None
    id_, seq, asked, actor, at, void, remind, attempts, reminded = orjson.loads(text)
    return InformationRequest(
        id=id_,
        seq=seq,
        missing=tuple(Missing(**item) for item in asked),
        actor=actor,
        asked_at=datetime.fromisoformat(at),
        void_due=datetime.fromisoformat(void),
        remind_at=_moment(remind),
        attempts=attempts,
        reminded_at=_moment(reminded),
    )


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


async def copies(
    connection: Source, plan: str, referral_id: str
) -> list[tuple[str, dict[str, Any]]]:
    """Reads the resources that were sent with a referral or later, each with its `Type/id`."""
    rows = await connection.fetch(_COPIES, plan, referral_id)
    mark_if_heavy(sum(len(body) for _, _, body in rows))
    return [(f"{kind}/{id_}", await to_thread_if_heavy(parse, body)) for kind, id_, body in rows]
