"""Models of the catalog in the API: services and populations of a plan, and who gets them."""

from datetime import date
from typing import Literal

from pydantic import BaseModel, Field

from app.views.catalog.model import CATALOG_DAY, CitedSource, ContactOnlyEntry, Named, Note
from app.views.cited import SourceLink

AvailabilityStatus = Literal["available", "partial", "announced", "not-offered"]


class Availability(BaseModel):
    """A service in one county on one date."""

    county: str | None = Field(
        description="Null for a profile without counties.", examples=["san_mateo"]
    )
    county_name: str | None = Field(examples=["San Mateo"])
    status: AvailabilityStatus = Field(
        description="`announced`: not yet; `counted_from` says from when, or is null where the "
        "plan announces it without a date. `partial`: in part only, so a person decides."
    )
    since: date | None = Field(
        description="From when, as the plan's page says; null where the page gives no date.",
        examples=["2023-07-01"],
    )
    counted_from: date | None = Field(
        default=None,
        description="The day from which this service treats it as offered. Null where it is "
        "announced without a date, or counts at every date.",
        examples=["2022-01-01"],
    )
    rests_on: Note | None = Field(
        default=None,
        description="Where the page gives no date: what `counted_from` rests on.",
        examples=[None],
    )
    note: str | None = Field(
        examples=["The page gives no date; it is counted from the county's start 2022-01-01."]
    )
    source: CitedSource | None = Field(description="Null where the plan does not list the service.")


class Way(BaseModel):
    """One way to qualify."""

    name: str | None = Field(examples=["adults"])
    text: str = Field(
        description="The criterion in plain words, indented by what belongs to what.",
        examples=["All of:\n- Age: 21 or more years\n- Is the member homeless?"],
    )
    expression: str = Field(
        description="As the policy file states it.", examples=["adult and homeless"]
    )
    source: CitedSource
    secondary: bool = Field(
        description="The source is another plan's document: a recommendation.", examples=[False]
    )


class PlanGate(BaseModel):
    """What a plan asks for before any Community Support."""

    text: str = Field(examples=["A member may be eligible if they meet basic qualifications."])
    points: list[str] = Field(examples=[["Engaged with a Care Manager."]])
    criterion: str = Field(
        description="The criterion in plain words, as the rules read it.",
        examples=["One of:\n- Is the member engaged with a care manager?"],
    )
    source: CitedSource


class LengthOfTerm(BaseModel):
    """How long an authorization lasts, and how much it covers."""

    text: str = Field(examples=["12 months; each reauthorization 6 months."])
    source: CitedSource


class ServiceEntry(BaseModel):
    """One service of a plan, and where it is to be had."""

    code: str = Field(description="A code of calaim-service.", examples=["EAA"])
    name: Named
    family: Literal["ecm", "community-supports"]
    description: str | None = Field(
        description="In the words of the plan's page; where the page says nothing, in words shared "
        "by all plans.",
        examples=["Housing Deposits refer to services that do not constitute room and board."],
    )
    description_points: list[str] = Field(
        default=[],
        description="What the description lists, one by one.",
        examples=[["Lower hospital readmission rates."]],
    )
    description_source: CitedSource | None = None
    plan_description: bool | None = Field(
        default=None,
        description="Whether the description is in the plan's own words.",
        examples=[True],
    )
    referable: bool = Field(description="Whether one refers to it here.", examples=[True])
    form: str | None = Field(
        description="The referral form that asks what matters for it.",
        examples=["/fhir/Questionnaire/cs-home"],
    )
    citation: str = Field(examples=["S003:L97"])
    sources: list[SourceLink] = Field(default=[], description="The sources of `citation` in words.")
    where: list[Availability]
    gate: PlanGate | None = Field(
        default=None,
        description="What the plan asks for before any Community Support; null where nothing.",
    )
    criteria: list[Way] = Field(
        default=[],
        description="Any one of these is enough; empty for ECM (see its populations) and for what "
        "the plan does not offer.",
    )
    limits: list[Note] = Field(default=[], description="How much of it a member may have.")
    exclusions: list[Note] = Field(
        default=[], description="Who does not get it, whatever their need."
    )
    exceptions: list[Note] = Field(
        default=[], description="What the plan's page says of exceptions."
    )
    term: LengthOfTerm | None = Field(
        default=None, description="How long an authorization of it lasts."
    )


class ServiceList(BaseModel):
    """The services of one plan."""

    plan: str = Field(examples=["HPSM"])
    name: str = Field(examples=["Health Plan of San Mateo"])
    policy: str = Field(examples=["HPSM/2024-01-01"])
    on: date = Field(examples=[CATALOG_DAY])
    services: list[ServiceEntry]
    contact_only: list[ContactOnlyEntry]


class PopulationWhere(BaseModel):
    """A population in one county on one date."""

    county: str | None = Field(examples=["san_mateo"])
    county_name: str | None = Field(examples=["San Mateo"])
    status: Literal["live", "live-in-part", "announced", "not-listed"] = Field(
        description="`live-in-part`: for adults or for children only, so far."
    )
    adults_since: date | None = Field(
        description="From when for those of 21 and older, as the plan's page says; null where the "
        "page gives no date.",
        examples=["2022-01-01"],
    )
    children_since: date | None = Field(
        description="From when for those under 21, as the plan's page says; null where the page "
        "gives no date.",
        examples=["2023-07-01"],
    )
    adults_counted_from: date | None = Field(
        default=None,
        description="The day from which this service treats it as live for those of 21 and older; "
        "null where it is not listed for them, or counts at every date.",
        examples=["2022-01-01"],
    )
    children_counted_from: date | None = Field(
        default=None,
        description="The same for those under 21.",
        examples=["2023-07-01"],
    )
    note: str | None = Field(
        default=None,
        description="What there is to know beside the dates.",
        examples=["The page gives no date; the date is that of the state's timeline."],
    )


class PopulationEntry(BaseModel):
    """One population of focus: who belongs to it, and where it is live."""

    code: str = Field(examples=["POF2"])
    name: Named
    any_of: list[Way] = Field(description="Any one of these is enough.")
    decided_by: Literal["rules", "person"] = Field(
        description="`person`: the plan lists it, and the rules neither approve nor deny by it."
    )
    where: list[PopulationWhere]
    source: CitedSource


class PopulationList(BaseModel):
    """The populations of focus of one plan."""

    plan: str = Field(examples=["HPSM"])
    name: str = Field(examples=["Health Plan of San Mateo"])
    policy: str = Field(examples=["HPSM/2024-01-01"])
    on: date = Field(examples=[CATALOG_DAY])
    populations: list[PopulationEntry]


class PlanService(BaseModel):
    """A service at one plan, beside the others."""

    plan: str = Field(examples=["HPSM"])
    name: str = Field(examples=["Health Plan of San Mateo"])
    policy: str = Field(examples=["HPSM/2024-01-01"])
    where: list[Availability]
    description: str | None = Field(
        default=None,
        description="What it is, in the words of the plan's page.",
        examples=["Physical adaptations to a home."],
    )
    description_source: CitedSource | None = None
    gate: PlanGate | None = Field(
        default=None,
        description="What the plan asks for before any Community Support; null where nothing.",
    )
    criteria: list[Way] = Field(
        description="The criteria of a Community Support; empty for ECM (see its populations)."
    )
    limits: list[Note]
    term: LengthOfTerm | None = Field(
        default=None, description="How long an authorization of it lasts."
    )


class Comparison(BaseModel):
    """One service at every plan."""

    service: str = Field(examples=["EAA"])
    name: Named
    on: date = Field(examples=[CATALOG_DAY])
    plans: list[PlanService]
