"""The catalog: services of each plan, by county and date, for whom, in words with sources.

Every authenticated caller may read the catalog, whatever its scopes: a caller who refers must be
able to read it first.
"""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request

from app.api.caller import CallerDep
from app.api.contract.responses import errors
from app.api.deployment import deployment
from app.api.web.media import Day
from app.base.errors import not_found, refuse
from app.base.local_time import local_date
from app.policy.counties import county_code
from app.policy.policy import Policy
from app.policy.rules import Rules
from app.views.catalog import show
from app.views.catalog.model import PlanDetail, PlanList
from app.views.catalog.service_model import Comparison, PopulationList, ServiceList
from app.views.catalog.sources import SourceEntry, SourceList, find_source, sources
from app.views.forms.form import load_words

router = APIRouter(tags=["Directory"])

_FAILURES = errors(400, 404)

Plan = Annotated[str, Path(description="The plan's code.", examples=["HPSM"])]
CountyParameter = Annotated[
    str | None,
    Query(
        description="One county of the plan: `San Mateo`, `san_mateo`. All of them where left out.",
        examples=["San Mateo"],
        max_length=100,
        pattern=r"^[A-Za-z][A-Za-z _]*$",
    ),
]


On = Annotated[
    Day,
    Query(description="The date asked about; today where left out.", examples=["2024-03-04"]),
]


@router.get(
    "/v1/catalog/plans",
    operation_id="listPlans",
    summary="The plans served here",
    description="Every plan with its counties and the policy in force on the date.",
    responses=errors(400),
)
async def list_plans(request: Request, _: CallerDep, on: On = None) -> PlanList:
    """The plans of this deployment."""
    day = _day(request, on)
    return PlanList(
        on=day, plans=[show.plan_entry(policy, day) for policy in _policies(request, day)]
    )


@router.get(
    "/v1/catalog/plans/{plan}",
    operation_id="readPlan",
    summary="One plan: contacts, channels, what it offers beside",
    description="All that the plan's page says beside its services and populations: what each "
    "program is for, whom to contact and when, how referrals reach the plan, its forms by name and "
    "ours that stand for them, the core services of Enhanced Care Management, how a referral ends "
    "and who is told, guides and trainings, and what is offered without a referral (contact only).",
    responses=_FAILURES,
)
async def read_plan(request: Request, _: CallerDep, plan: Plan, on: On = None) -> PlanDetail:
    """A plan by its code."""
    day = _day(request, on)
    return show.plan_detail(_policy(request, plan, day), day)


@router.get(
    "/v1/catalog/plans/{plan}/services",
    operation_id="listServices",
    summary="Which services a plan offers, where and from when",
    description="Every service in the words of the plan's page, with its state by county "
    "(available, partial, announced with or without a date, not offered), its criteria and what "
    "stands before them, limits, exclusions and the length of an authorization; each with its "
    "source. Where the page gives no date, `since` is null and `counted_from` says the day that "
    "counts here. Names in English, Spanish and, where the Alliance's page has them, Hmong.",
    responses=_FAILURES,
)
async def list_services(
    request: Request, _: CallerDep, plan: Plan, county: CountyParameter = None, on: On = None
) -> ServiceList:
    """The services of a plan."""
    day = _day(request, on)
    policy = _policy(request, plan, day)
    library = _rules(request).library
    return show.services(library, policy, _county(policy, county), day, _forms())


@router.get(
    "/v1/catalog/plans/{plan}/populations",
    operation_id="listPopulations",
    summary="Who may be referred for Enhanced Care Management",
    description="Every population of focus with its criteria in words, by county with the dates "
    "from which it is live for adults and for children and youth; each with its source.",
    responses=_FAILURES,
)
async def list_populations(
    request: Request, _: CallerDep, plan: Plan, county: CountyParameter = None, on: On = None
) -> PopulationList:
    """The populations of focus of a plan."""
    day = _day(request, on)
    policy = _policy(request, plan, day)
    library = _rules(request).library
    return show.populations(library, policy, _county(policy, county), day)


@router.get(
    "/v1/catalog/compare",
    operation_id="compareService",
    summary="One service at every plan, side by side",
    description="Where each plan offers it and from when, and by which criteria and limits.",
    responses=_FAILURES,
)
async def compare_service(
    request: Request,
    _: CallerDep,
    service: Annotated[
        str,
        Query(
            description="A code of calaim-service; 404 for one that no plan knows.",
            examples=["EAA"],
            pattern="^[A-Z]{2,32}$",
        ),
    ],
    on: On = None,
) -> Comparison:
    """A service across the plans."""
    day = _day(request, on)
    comparison = show.comparison(_rules(request).library, _policies(request, day), service, day)
    if comparison is None:
        known = dict.fromkeys(code for p in _policies(request, day) for code in p.data.services)
        text = f"No plan knows this service. There are {', '.join(known)}."
        raise refuse(404, "not-found", text)
    return comparison


@router.get(
    "/v1/catalog/sources",
    operation_id="listSources",
    summary="Where the rules come from",
    description="Every source once: a plan's own page, the guide of the State, another plan's "
    "document, or this service's own choice. With its title, its dates where it has them, and the "
    "lines that the rules of the plans cite, with their words. Citations name sources by `key`; "
    "`named`, `in-part` and `points-to` in a citation say what the plan's page leaves to the "
    "sources after them, `silent` that the page does not say it.",
    responses=errors(400),
)
async def list_sources(request: Request, _: CallerDep, on: On = None) -> SourceList:
    """The sources of the rules in force on a date."""
    day = _day(request, on)
    return sources(_policies(request, day), day)


@router.get(
    "/v1/catalog/sources/{id}",
    operation_id="readSource",
    summary="One source",
    description="What it is, and what the rules of the plans cite of it.",
    responses=_FAILURES,
)
async def read_source(
    request: Request,
    _: CallerDep,
    id: Annotated[
        str,
        Path(
            description="The `id` of the source.",
            pattern="^[a-z0-9-]{1,200}$",
            examples=["s003"],
        ),
    ],
    on: On = None,
) -> SourceEntry:
    """A source by its id."""
    found = find_source(_policies(request, _day(request, on)), id)
    if found is None:
        raise not_found("source")
    return found


def _rules(request: Request) -> Rules:
    return deployment(request).rules


def _day(request: Request, on: date | None) -> date:
    return on or local_date(deployment(request).clock.now())


def _policies(request: Request, on: date) -> list[Policy]:
    return _rules(request).in_force(on)


def _policy(request: Request, plan: str, on: date) -> Policy:
    rules = _rules(request)
    policy = rules.library.policy(plan, on) if plan in rules.plans else None
    if policy is None:
        raise not_found("plan")
    return policy


def _county(policy: Policy, stated: str | None) -> str | None:
    """The county's code (`San Mateo` → `san_mateo`); 404 unless the plan serves the county."""
    if stated is None:
        return None
    code = county_code(stated)
    if code not in policy.data.counties:
        names = ", ".join(show.county_name(c) for c in policy.data.counties)
        served = f"The plan serves {names}." if names else "It has no counties: leave it out."
        raise refuse(404, "not-found", f"This is no county of the plan. {served}")
    return code


def _forms() -> dict[str, str]:
    """Service → the path of the form with the questions for the service."""
    return {
        service: f"/fhir/Questionnaire/{name}"
        for name, form in load_words().forms.items()
        for service in form.services
    }
