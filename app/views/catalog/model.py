"""Models of the catalog in the API: plans, services and populations in words, with sources."""

from datetime import date
from typing import Literal

from pydantic import BaseModel, Field

from app.views.cited import SourceLink

_ON = "2024-03-04"


class Named(BaseModel):
    """A name by language."""

    en: str = Field(examples=["Enhanced Care Management"])
    es: str | None = Field(examples=["Administración de Cuidados Mejorada"])
    hmn: str | None = Field(
        description="Hmong, where the Alliance's page names it.",
        examples=["Kev Txhim Kho Kev Pab Tswj Kev Tu Xyuas"],
    )


class CitedSource(BaseModel):
    """Where a statement comes from: seed and line, or document and page; and its words."""

    citation: str = Field(examples=["S003:L97"])
    quote: str | None = Field(
        examples=["Environmental Accessibility Adaptations (Home Modifications)"]
    )
    text: str = Field(
        default="",
        description="The citation in words.",
        examples=["Health Plan of San Mateo, page for providers, line 97"],
    )
    sources: list[SourceLink] = Field(
        default=[], description="Its sources, those of the plan's own page first."
    )


class Note(BaseModel):
    """One thing to know."""

    text: str = Field(examples=["There is no cost to the member."])
    source: CitedSource


class ContactEntry(BaseModel):
    """Where to turn: whom, by which way, when."""

    key: str = Field(examples=["member"])
    name: str = Field(examples=["Alliance Member Services"])
    phone: str | None = Field(examples=["800-700-3874"])
    tty: str | None = Field(examples=[None])
    fax: str | None = Field(examples=[None])
    mail: str | None = Field(examples=[None])
    hours: str | None = Field(examples=["8 a.m. to 5:30 p.m., Monday through Friday"])
    forms: list[str] = Field(examples=[[]])
    citation: str = Field(examples=["S004:L80,L147"])
    sources: list[SourceLink] = Field(default=[], description="The sources of `citation` in words.")


class ChannelEntry(BaseModel):
    """How a referral reaches the plan by other ways than this service."""

    services: list[str] = Field(examples=[["ecm", "community-supports"]])
    who: list[str] = Field(description="Codes of referral-source.", examples=[["pcp", "cbo"]])
    ways: list[str] = Field(description="Codes of referral-channel.", examples=[["fax"]])
    how: str = Field(examples=["Complete the ECM Referral Form and fax it."])
    forms: list[str] = Field(examples=[["ECM Referral Form"]])
    contact: str | None = Field(description="A key of `contacts`.", examples=["referrals"])
    source: CitedSource


class CoreServiceEntry(BaseModel):
    """One of the services that Enhanced Care Management consists of."""

    name: Named
    description: str = Field(examples=["Contact and engage the member in their care."])
    source: CitedSource


class ContactOnlyEntry(BaseModel):
    """Offered by the plan, and nobody refers to it: whom to call."""

    code: str = Field(examples=["TCS"])
    name: Named
    description: str = Field(examples=["A care manager of the plan who helps with the move."])
    referable: Literal[False]
    who: str = Field(examples=["Anyone who experiences a health care transition."])
    helps_with: list[str] = Field(examples=[["Scheduling medical visits"]])
    contact: ContactEntry
    source: CitedSource


class CountyEntry(BaseModel):
    """A county that a plan serves."""

    code: str = Field(examples=["san_mateo"])
    name: str = Field(examples=["San Mateo"])


class PlanEntry(BaseModel):
    """One plan, or a profile of criteria that no plan is named for."""

    plan: str = Field(examples=["HPSM"])
    name: str = Field(examples=["Health Plan of San Mateo"])
    counties: list[CountyEntry]
    policy: str = Field(description="The policy file in force.", examples=["HPSM/2024-01-01"])
    on: date = Field(examples=[_ON])


class PlanList(BaseModel):
    """Every plan that this deployment serves."""

    on: date = Field(examples=[_ON])
    plans: list[PlanEntry]


class ReadingEntry(BaseModel):
    """A statement of a page that can be read two ways: what it says, and how it is read."""

    text: str = Field(
        examples=[
            'The page says "HPSM offers nine Community Support service options", and gives no date.'
        ]
    )
    family: Literal["ecm", "community-supports"] | None = Field(
        description="The services that it is about; null: all, or those under `services`.",
        examples=["community-supports"],
    )
    services: list[str] = Field(description="Codes of calaim-service.", examples=[[]])
    populations: list[str] = Field(description="Populations of focus.", examples=[[]])
    counties: list[str] = Field(description="Empty: all of the plan.", examples=[[]])
    first: date | None = Field(
        description="The first date on which it matters.", examples=["2022-01-01"]
    )
    last: date | None = Field(description="And the last.", examples=["2023-06-30"])
    stands: str = Field(
        description="The part of the policy file that follows it.", examples=["availability"]
    )
    source: CitedSource


class PlanDetail(PlanEntry):
    """A plan with everything that a reader needs before a referral."""

    notes: list[Note]
    contacts: list[ContactEntry]
    channels: list[ChannelEntry]
    core_services: list[CoreServiceEntry] = Field(
        description="What Enhanced Care Management consists of."
    )
    contact_only: list[ContactOnlyEntry]
    decision_business_days: int = Field(
        description="Within how many business days a referral is decided.", examples=[5]
    )
    decision_calendar_days: int | None = Field(
        description="And within how many calendar days, where that is a rule.", examples=[None]
    )
    urgent_hours: int = Field(examples=[72])
    readings: list[ReadingEntry] = Field(
        default=[], description="How ambiguous statements of the plan's pages are read."
    )


AvailabilityStatus = Literal["available", "partial", "announced", "not-offered"]


class Availability(BaseModel):
    """A service in one county on one date."""

    county: str | None = Field(
        description="Null for a profile without counties.", examples=["san_mateo"]
    )
    county_name: str | None = Field(examples=["San Mateo"])
    status: AvailabilityStatus = Field(
        description="`announced`: not yet; `since` says from when, or is null where the plan gives "
        "no date. `partial`: in part only, so a person decides."
    )
    since: date | None = Field(
        description="From when; null where there is no date.", examples=["2022-01-01"]
    )
    note: str | None = Field(examples=[None])
    source: CitedSource | None = Field(description="Null where the plan does not list the service.")


class ServiceEntry(BaseModel):
    """One service of a plan, and where it is to be had."""

    code: str = Field(description="A code of calaim-service.", examples=["EAA"])
    name: Named
    family: Literal["ecm", "community-supports"]
    description: str | None = Field(examples=["Physical adaptations of a home."])
    referable: bool = Field(description="Whether one refers to it here.", examples=[True])
    form: str | None = Field(
        description="The referral form that asks what matters for it.",
        examples=["/fhir/Questionnaire/cs-home"],
    )
    citation: str = Field(examples=["S003:L97"])
    sources: list[SourceLink] = Field(default=[], description="The sources of `citation` in words.")
    where: list[Availability]


class ServiceList(BaseModel):
    """The services of one plan."""

    plan: str = Field(examples=["HPSM"])
    name: str = Field(examples=["Health Plan of San Mateo"])
    policy: str = Field(examples=["HPSM/2024-01-01"])
    on: date = Field(examples=[_ON])
    services: list[ServiceEntry]
    contact_only: list[ContactOnlyEntry]


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


class PopulationWhere(BaseModel):
    """A population in one county on one date."""

    county: str | None = Field(examples=["san_mateo"])
    county_name: str | None = Field(examples=["San Mateo"])
    status: Literal["live", "live-in-part", "announced", "not-listed"] = Field(
        description="`live-in-part`: for adults or for children only, so far."
    )
    adults_since: date | None = Field(
        description="From when for those of 21 and older.", examples=["2022-01-01"]
    )
    children_since: date | None = Field(
        description="From when for those under 21.", examples=["2023-07-01"]
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
    on: date = Field(examples=[_ON])
    populations: list[PopulationEntry]


class PlanService(BaseModel):
    """A service at one plan, beside the others."""

    plan: str = Field(examples=["HPSM"])
    name: str = Field(examples=["Health Plan of San Mateo"])
    policy: str = Field(examples=["HPSM/2024-01-01"])
    where: list[Availability]
    criteria: list[Way] = Field(
        description="The criteria of a Community Support; empty for ECM (see its populations)."
    )
    limits: list[Note]


class Comparison(BaseModel):
    """One service at every plan."""

    service: str = Field(examples=["EAA"])
    name: Named
    on: date = Field(examples=[_ON])
    plans: list[PlanService]
