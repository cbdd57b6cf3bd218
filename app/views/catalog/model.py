"""Models of the catalog in the API: a plan in words, with sources (services: `service_model`)."""

from datetime import date
from typing import Literal, get_args

from pydantic import BaseModel, Field

from app.policy.catalog_schema import CatalogTopic
from app.views.cited import SourceLink

#: The day of the examples.
CATALOG_DAY = "2024-03-04"


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
    points: list[str] = Field(
        default=[], description="What the text lists, one by one.", examples=[["Primary care"]]
    )
    topic: str | None = Field(
        default=None,
        description="What it is about: "
        + ", ".join(f"`{topic}`" for topic in get_args(CatalogTopic)),
        examples=["ecm"],
    )
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
    email_note: str | None = Field(
        default=None,
        description="What the plan's page says of an email way.",
        examples=["The page's copy hides the email address: ask at 831-430-5512."],
    )
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
    purpose: str | None = Field(
        default=None, examples=["The right support while one moves from one care to another."]
    )
    goals: list[str] = Field(
        default=[], examples=[["Help you stay safely in your preferred home setting."]]
    )
    helps_with: list[str] = Field(examples=[["Scheduling medical visits"]])
    contact: ContactEntry
    source: CitedSource


class FormEntry(BaseModel):
    """A form that the plan's page names, and which of our forms stands for it."""

    name: str = Field(examples=["ECM Referral Form"])
    use: str = Field(examples=["Complete it and fax it to 209.762.4720."])
    services: list[str] = Field(examples=[["ecm"]])
    questionnaires: list[str] = Field(
        description="The forms of this service that ask the same; empty where none does.",
        examples=[["/fhir/Questionnaire/ecm"]],
    )
    source: CitedSource


class ToldEntry(BaseModel):
    """Who is told of an outcome."""

    who: Literal["requesting", "servicing", "member"] = Field(examples=["requesting"])
    told: bool = Field(examples=[True])
    text: str = Field(examples=["The provider who requested it is told."])


class OutcomeEntry(BaseModel):
    """One outcome of a referral: what it means, and who is told."""

    outcome: Literal["approved", "denied", "void"] = Field(examples=["void"])
    meaning: Note
    told: list[ToldEntry]
    source: CitedSource = Field(description="Where it comes from who is told.")


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
    on: date = Field(examples=[CATALOG_DAY])


class PlanList(BaseModel):
    """Every plan that this deployment serves."""

    on: date = Field(examples=[CATALOG_DAY])
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
    forms: list[FormEntry] = Field(default=[], description="The forms that the plan's page names.")
    outcomes: list[OutcomeEntry] = Field(
        default=[], description="How a referral ends, and who is told."
    )
    decision_business_days: int = Field(
        description="Within how many business days a referral is decided.", examples=[5]
    )
    decision_calendar_days: int | None = Field(
        description="And within how many calendar days, where that is a rule.", examples=[None]
    )
    urgent_hours: int = Field(
        description="Within how many hours an urgent referral is decided.", examples=[72]
    )
    void_business_days: int | None = Field(
        default=None,
        description="After how many business days without an answer to a request for information a "
        "referral becomes void.",
        examples=[5],
    )
    reminder_business_days_before: int | None = Field(
        default=None,
        description="How many business days before that a reminder is sent.",
        examples=[2],
    )
    readings: list[ReadingEntry] = Field(
        default=[], description="How ambiguous statements of the plan's pages are read."
    )
    clocks_source: CitedSource | None = Field(
        default=None, description="Where these times come from."
    )
