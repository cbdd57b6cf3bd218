"""`/v1/reports`: figures of a plan over a period, for its own staff: JSON, CSV, and a page."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import date, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from app.api.acting import CallersRows
from app.api.caller import CallerDep, require_scope
from app.api.contract.responses import errors
from app.api.deployment import deployment
from app.api.web.media import prefers
from app.base.errors import not_found, refuse
from app.model.caller import DECIDE, Caller
from app.store.database import Source
from app.views.page import html_response, page
from app.views.reports import chart, figures, model
from app.views.reports.figures import ReportPeriod, period, write_csv

router = APIRouter(prefix="/v1/reports", tags=["Plan staff"])

CSV = "text/csv"
_FAILURES = errors(400, 403, 404)
ReadFigures = Callable[[Source, str, ReportPeriod, datetime], Awaitable[Sequence[BaseModel]]]


class ReportQuery(BaseModel):
    """The plan and the days of a report."""

    model_config = ConfigDict(populate_by_name=True)

    plan: str | None = Field(
        None, description="Your plan, or `unassigned`.", pattern=r"^[A-Za-z0-9-]{1,32}$"
    )
    first: date | None = Field(
        None,
        alias="from",
        description="The first day, in California. Left out: with `to` too, the last full month.",
        examples=["2026-10-01"],
    )
    last: date | None = Field(
        None, alias="to", description="The last day.", examples=["2026-10-31"]
    )


class AskedForm(ReportQuery):
    """The plan, the days and the form of a report."""

    format: Literal["json", "csv"] | None = Field(
        None, description="`csv` for a spreadsheet. Left out: as `Accept` says, else JSON."
    )


@router.get(
    "",
    operation_id="readReportsPage",
    summary="Figures on a page",
    description="What became of the referrals received, decisions in time, reasons, sources and "
    "the CMS-0057-F set, on a page to read or to print. The same as JSON or CSV is beside.",
    response_class=Response,
    responses={200: html_response("The page."), **_FAILURES},
)
async def read_page(
    request: Request,
    caller: CallerDep,
    source: CallersRows,
    asked: Annotated[ReportQuery, Query()],
) -> Response:
    """By plan staff."""
    plan, days, now = _read_query(request, caller, asked)
    scope = (source, plan, days, now)
    timeliness = await figures.timeliness(*scope)
    outcomes = await figures.outcomes(*scope)
    return page(
        "reports.html",
        plan=plan,
        days=days,
        received=chart.outcomes_chart(outcomes),
        outcomes=chart.outcomes_table(outcomes),
        in_time=chart.timeliness_chart(timeliness),
        timeliness=chart.timeliness_table(timeliness),
        reasons=chart.reasons_table(await figures.reasons(*scope)),
        sources=chart.sources_table(await figures.sources(*scope)),
        prior_authorization=chart.prior_authorization_table(
            await figures.prior_authorization(*scope)
        ),
    )


def _read_query(
    request: Request, caller: Caller, asked: ReportQuery
) -> tuple[str, ReportPeriod, datetime]:
    """The plan, the period and the present moment.

    403 for a caller who is not plan staff, 404 for another plan, 400 for a period that is not
    possible.
    """
    require_scope(caller, DECIDE)
    plan = asked.plan or next(iter(caller.staff_plans), None)
    if plan is None or plan not in caller.staff_plans:
        raise not_found("plan")
    now = deployment(request).clock.now()
    days = period(asked.first, asked.last, now)
    if days is None:
        text = "`from` must not be after `to`, within ten years, between 2000 and 2999."
        raise refuse(400, "value", text, "from")
    return plan, days, now


def _add(
    path: str,
    figures_of: ReadFigures,
    shape: type[BaseModel],
    row: type[BaseModel],
    words: tuple[str, str],
) -> None:
    """Adds the route of one report. `words`: its summary and its description."""
    columns = list(row.model_fields)

    async def read_report(
        request: Request,
        caller: CallerDep,
        source: CallersRows,
        asked: Annotated[AskedForm, Query()],
    ) -> Any:
        plan, days, now = _read_query(request, caller, asked)
        rows = await figures_of(source, plan, days, now)
        as_csv = asked.format == "csv" or (
            asked.format is None and prefers(request.headers.get("accept", ""), CSV)
        )
        if as_csv:
            name = f"{path}-{plan}-{days.first}-{days.last}.csv"
            return Response(
                write_csv(columns, [each.model_dump() for each in rows]),
                media_type=CSV,
                headers={"Content-Disposition": f'attachment; filename="{name}"'},
            )
        return shape(plan=plan, first=days.first, last=days.last, rows=rows)

    summary, description = words
    example = ",".join(columns) + "\r\n"
    content = {CSV: {"schema": {"type": "string"}, "example": example}}
    router.add_api_route(
        f"/{path}",
        read_report,
        operation_id=f"read{shape.__name__}",
        summary=summary,
        description=f"{description} By default the last full month.",
        response_model=shape,
        responses={200: {"description": "The figures.", "content": content}, **_FAILURES},
    )


_add(
    "timeliness",
    figures.timeliness,
    model.TimelinessReport,
    model.Timeliness,
    ("Were decisions in time?", "Decisions made in the period, against their due dates."),
)
_add(
    "outcomes",
    figures.outcomes,
    model.OutcomesReport,
    model.Outcomes,
    ("What became of referrals?", "Referrals received in the period, as they stand now."),
)
_add(
    "reasons",
    figures.reasons,
    model.ReasonsReport,
    model.Reasons,
    ("Why were they decided so?", "Each reason of each decision or end in the period."),
)
_add(
    "sources",
    figures.sources,
    model.SourcesReport,
    model.Sources,
    ("Who refers?", "Referrals received in the period, by who refers."),
)
_add(
    "cms-0057-f",
    figures.prior_authorization,
    model.PriorAuthorizationReport,
    model.PriorAuthorization,
    (
        "Prior authorization figures",
        "The set of CMS-0057-F, over decisions made in the period: percentages and times.",
    ),
)
