"""The determinations of a referral, for every party to the referral: why the rules decided so.

Determinations are kept beside the FHIR resources, not in `Task.text`: a narrative would cost every
intake more than the referral's whole Task, and few readers would open the narrative.
"""

from functools import cache
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from sqlalchemy import and_, select

from app.api.acting import CallersRows
from app.api.caller import CallerDep, require
from app.api.contract.responses import errors
from app.api.deployment import deployment
from app.api.detail import Detail, DetailAsked
from app.base.errors import not_found
from app.fhir.outcome import NO_STORE
from app.fhir.reference import ID
from app.fhir.withheld import refuses, withholds
from app.policy.discreet import by_population
from app.policy.library import Library
from app.policy.stored_form import answer_from_json, question_from_json
from app.store.audit.access import reached_by
from app.store.database import Row
from app.store.reading.access import AT_ID, at_id, sees_place, visibility
from app.store.reading.standing import standing
from app.store.reading.tables import PLACE, people_of
from app.store.statement import Compiled, compiled
from app.store.tables.decision import determination
from app.views.explanation import DeterminationList, ShownDetermination, explanation_shown

router = APIRouter()

_KIND = "ServiceRequest"


@cache
def _determinations() -> Compiled:
    """Selects them by the referral's id; of a referral without any, one row of nulls."""
    d = determination.alias("d")
    own = and_(d.c.plan == PLACE.c.plan, d.c.referral_id == PLACE.c.referral_id)
    said = standing(PLACE.c.plan, PLACE.c.referral_id, staff=True).label("standing")
    whose = people_of(PLACE.c.plan, PLACE.c.referral_id)
    rows = select(PLACE.c.plan, whose, d.c.seq, d.c.at, d.c.basis, d.c.question, d.c.answer, said)
    seen = rows.select_from(PLACE.outerjoin(d, own)).where(AT_ID, sees_place())
    return compiled(seen.order_by(d.c.seq))


@router.get(
    "/v1/referrals/{id}/determinations",
    operation_id="listDeterminations",
    summary="Why the rules said what they said",
    description="Every determination of a referral in order: outcome, reasons, the tree "
    "of criteria with sources, the facts with the resources that stated them, and all of it in "
    "plain words. For everybody who may read the referral; what the plan alone knows of the member "
    "is told by result to others than its staff.",
    tags=["Referrals"],
    response_model=DeterminationList,
    responses={**errors(400, 403, 404)},
)
async def list_determinations(
    id: Annotated[
        str,
        Path(
            description="The referral's id: that of its ServiceRequest.",
            pattern=f"^{ID}$",
            examples=["01934f3a-7b1c-7a3e-9b77-0f1f0a5a2c11"],
        ),
    ],
    request: Request,
    caller: CallerDep,
    source: CallersRows,
    detail: DetailAsked = Detail.SHORT,
) -> Response:
    """404 for a referral that is not the caller's to see."""
    require(caller, _KIND, "r")
    seen = visibility(caller)
    at = at_id(_KIND, id, seen)
    rows = await source.fetch(*_determinations().called(**at))
    if not rows:
        raise not_found("referral")
    reached_by(_KIND, id, rows[0])
    library = deployment(request).rules.library
    staff, full = rows[0]["plan"] in seen.staff_plans, detail is Detail.FULL
    made = [row for row in rows if row["seq"] is not None and not refuses(row["standing"])]
    shown = [_shown(library, row, staff=staff, full=full) for row in made]
    body = DeterminationList(referral=id, determinations=shown).model_dump_json(by_alias=True)
    return Response(body, headers=NO_STORE, media_type="application/json")


def _shown(library: Library, row: Row, *, staff: bool, full: bool) -> ShownDetermination:
    question, answer = question_from_json(row["question"]), answer_from_json(row["answer"])
    if withholds(row["standing"]):
        question, answer = by_population(question, answer)
    return explanation_shown(
        library,
        question,
        answer,
        number=row["seq"],
        made_at=row["at"],
        basis=row["basis"],
        staff=staff,
        full=full,
    )
