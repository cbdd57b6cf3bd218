"""Reads a stored referral into a draft, so that the next move starts from the truth.

One statement reads the referral with the rows beside it; the statement that writes the move then
checks that the referral still has this version. In a transaction the referral is locked first.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import orjson
from sqlalchemy import Select, and_, select, text

from app.base.errors import not_found, refuse
from app.base.heavy_work import mark_if_heavy, to_thread_if_heavy
from app.fhir.r4.strict_json import parse
from app.model.caller import UNASSIGNED
from app.model.notices import Listening
from app.model.record import Details, InformationRequest, Referral
from app.policy.asking import Asking
from app.policy.model import EligibilityQuestion, Missing
from app.policy.stored_form import question_from_json
from app.store.acting import for_caller
from app.store.database import Row, Source, Transaction
from app.store.reading.access import AT_ID, Visibility, at_id, whole_or_least
from app.store.reading.tables import PLACE, REFERRAL
from app.store.referral.asker import asker
from app.store.referral.draft import Draft
from app.store.referral.store import to_authorization, to_referral
from app.store.statement import Compiled, compiled, constant, text_given

#: What is read beside a row `r` of `referral`. `resources`: ServiceRequest, Task and service Task,
#: which every move stores; the last may be null.
_BESIDE = """
(SELECT ARRAY[(array_agg(e.body) FILTER (WHERE e.name = 'ServiceRequest'))[1],
    (array_agg(e.body) FILTER (WHERE e.name = 'Task'))[1],
    (array_agg(e.body) FILTER (WHERE e.name = (
        SELECT 'Task' || substr(t.id, length(r.id) + 1) FROM task t
        WHERE t.plan = r.plan AND t.referral_id = r.id AND t.kind = 'service'
        AND t.status NOT IN ('cancelled', 'rejected') ORDER BY t.id DESC LIMIT 1)))[1]]
    FROM resource_set s CROSS JOIN LATERAL unnest(s.names, s.bodies) AS e(name, body)
    WHERE s.plan = r.plan AND s.referral_id = r.id AND s.version = r.version) AS resources,
(SELECT row_to_json(a)::text FROM service_authorization a
    WHERE a.plan = r.plan AND a.referral_id = r.id) AS authorized,
(SELECT json_build_array(id, seq, asked::json, actor, asked_at, void_due, remind_at, attempts,
    reminded_at)::text FROM information_request i WHERE i.plan = r.plan AND i.referral_id = r.id
    AND i.ended_at IS NULL ORDER BY seq DESC LIMIT 1) AS asked,
(SELECT question FROM determination d WHERE d.plan = r.plan AND d.referral_id = r.id
    ORDER BY seq DESC LIMIT 1) AS question,
(SELECT id FROM organization o WHERE o.plan = r.plan) AS plan_organization,
(SELECT plan FROM organization o WHERE o.id = r.organization_id) AS entered_by,
nwd_listening(r.plan, r.id, r.service) AS listening,
(SELECT array_agg(organization_id) FROM (SELECT organization_id FROM party p
    WHERE p.plan = r.plan AND p.referral_id = r.id
    GROUP BY 1 HAVING bool_and(until IS NOT NULL)) g) AS gone"""
_COPIES = """SELECT DISTINCT ON (e.name) split_part(e.name, '.', 1) AS type,
    s.referral_id || substr(e.name, strpos(e.name, '.')) AS id, e.body
FROM resource_set s CROSS JOIN LATERAL unnest(s.names, s.versions, s.bodies)
    AS e(name, version, body)
WHERE s.plan = $1 AND s.referral_id = $2
  AND NOT split_part(e.name, '.', 1) = ANY ('{ServiceRequest,Task,ClaimResponse,Communication,
    CommunicationRequest,Provenance}'::text[])
ORDER BY e.name, e.version DESC"""


@dataclass(slots=True)
class Opened:
    """A referral that somebody moves: its draft, and the last question that the rules answered."""

    draft: Draft
    question: EligibilityQuestion | None


async def reopen(
    source: Source,
    resource_id: str,
    seen: Visibility,
    *,
    now: datetime,
    fhir_base: str,
    kind: str = "ServiceRequest",
    identifying: bool = False,
) -> Opened:
    """Reads a referral that the caller may see, by its id or by the id of a Task; 404 otherwise.

    In a transaction also locks it. 403 for plan staff while the referral has no plan: until then
    staff may only say which member it is about (`identifying`).
    """
    keys = at_id(kind, resource_id, seen)
    if isinstance(source, Transaction):
        await source.execute(*_locking(staff=seen.staff).called(**keys))
    looked = for_caller(source, seen.who)
    row = await looked.fetch_one(*_opening(staff=seen.staff).called(**keys))
    if row is None:
        raise not_found(kind)
    before = to_referral(row)
    may_open = identifying or seen.has(before.plan, before.organization_id)
    if before.plan == UNASSIGNED and seen.staff and not may_open:
        text = "Its plan is not known yet. First say with $add-information whose member it is."
        raise refuse(403, "forbidden", text)
    return await _opened(row, before, now, fhir_base)


async def load_for_move(
    transaction: Transaction, plan: str, referral_id: str, *, now: datetime, fhir_base: str
) -> Opened:
    """Reads a referral whose row this transaction has locked, with all that a move needs."""
    row = await transaction.fetch_one(*_loading().called(plan=plan, referral=referral_id))
    if row is None:
        raise not_found("ServiceRequest")
    return await _opened(row, to_referral(row), now, fhir_base)


@cache
def _locking(*, staff: bool) -> Compiled:
    return compiled(_of_place(select(constant(1)), staff=staff).with_for_update(of=REFERRAL))


@cache
def _opening(*, staff: bool) -> Compiled:
    return compiled(_of_place(select(*REFERRAL.c, text(_BESIDE)), staff=staff))


def _of_place(selected: Select[Any], *, staff: bool) -> Select[Any]:
    """Selects of the referral that a resource of `AT_ID` belongs to, if the caller sees it."""
    _, seen = whole_or_least(staff=staff)
    owned = and_(REFERRAL.c.plan == PLACE.c.plan, REFERRAL.c.id == PLACE.c.referral_id)
    return selected.select_from(PLACE.join(REFERRAL, owned)).where(AT_ID, seen)


@cache
def _loading() -> Compiled:
    keys = (REFERRAL.c.plan == text_given("plan"), REFERRAL.c.id == text_given("referral"))
    return compiled(select(*REFERRAL.c, text(_BESIDE)).where(*keys))


async def _opened(row: Row, before: Referral, now: datetime, fhir_base: str) -> Opened:
    """Makes the draft of a referral that was read.

    Its time is never before the last change, even if the clock of the process that made this change
    runs ahead of ours.
    """
    sent, own_task, service_body = row["resources"]
    mark_if_heavy(len(sent) + len(own_task) + len(service_body or b""))
    request = await to_thread_if_heavy(parse, sent)
    service = await to_thread_if_heavy(parse, service_body) if service_body else None
    authorized, question = row["authorized"], row["question"]
    details = Details.from_json(before.details)
    draft = Draft(
        before=before,
        after=before,
        at=max(now, before.updated_at),
        sent=request,
        details=details,
        plan_organization=row["plan_organization"],
        adopted=await to_thread_if_heavy(parse, own_task),
        service_task_id=service["id"] if service else None,
        service_kept=service,
        passed_over=frozenset(row["gone"] or ()),
        asker=asker(request, before.cin),
        entered_by_plan=row["entered_by"] is not None,
        listening=tuple(Listening(*each) for each in orjson.loads(row["listening"] or "[]")),
        authorization=to_authorization(orjson.loads(authorized)) if authorized else None,
        open_request=_open_request(row["asked"], details.asking),
        fhir_base=fhir_base,
    )
    return Opened(draft, question_from_json(question) if question else None)


def _open_request(text: str | None, asking: Asking | None) -> InformationRequest | None:
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
        asking=asking,
    )


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


async def copies(source: Source, plan: str, referral_id: str) -> list[tuple[str, dict[str, Any]]]:
    """Reads the resources that were sent with a referral or later, each with its `Type/id`."""
    rows = await source.fetch(_COPIES, plan, referral_id)
    mark_if_heavy(sum(len(row["body"]) for row in rows))
    return [
        (f"{row['type']}/{row['id']}", await to_thread_if_heavy(parse, row["body"])) for row in rows
    ]
