"""The shape of a policy: what a plan's dated file may say, and nothing else.

Only the shape: where files lie and how one extends another is `library.py`; what the words mean
to a referral is `engine.py` and, for clocks, correspondence and terms, the stage that uses them.
"""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Literal

from pydantic import Field, model_validator

from app.policy.catalog_schema import (
    Catalog,
    Citation,
    CountyCode,
    PolicyText,
    Shape,
    TranslatedWords,
)


class CriteriaWay(Shape):
    """One way to qualify. `quote` is wording of the cited source, for those who check it."""

    name: str = ""
    when: PolicyText
    citation: Citation
    quote: str | None = None
    secondary: bool = False  # the source is another plan's or an unread document


class Definition(Shape):
    """A name that criteria may use."""

    when: PolicyText
    citation: Citation


class Count(Shape):
    """What a count counts (facts.md 2.3). Window `last`: back from the as-of date; `any`: ending
    at any event.
    """

    types: tuple[Literal["ed-visit", "inpatient", "snf-short"], ...]
    months: Annotated[int, Field(gt=0)]
    window: Literal["last", "any"] = "last"
    avoidable: bool = False  # only events that could have been avoided
    unplanned: bool = False  # only stays that were not planned
    reasons: tuple[Literal["mental-health", "substance-use", "other"], ...] = ()  # empty: any
    looking_back: Annotated[int, Field(gt=0)] = 12  # months; events before that do not count
    citation: Citation


class Period(Shape):
    """From a day to a day, both included."""

    first: date
    last: date | None = None

    def covers(self, on: date) -> bool:
        return self.first <= on and (self.last is None or on <= self.last)


class Population(Shape):
    """One population of focus: any of its criteria is enough; live by county, by age where said.

    `for_a_person`: the rules neither approve by it nor deny against it (facts.md 6.2).
    """

    name: TranslatedWords
    any_of: Annotated[tuple[CriteriaWay, ...], Field(min_length=1)]
    #: Live dates by county; `any` where the plan has no counties.
    live: Mapping[CountyCode, date] = {}
    live_adults: Mapping[CountyCode, date] = {}
    live_children: Mapping[CountyCode, date] = {}
    for_a_person: Period | None = None
    live_citation: Citation
    live_quote: str | None = None

    @model_validator(mode="after")
    def _one_kind_of_date(self) -> "Population":
        if self.live and (self.live_adults or self.live_children):
            raise ValueError("live stands for all ages; use it or live_adults and live_children")
        return self


class Cell(Shape):
    """A service in a county: from a day, in part only, or announced without a day."""

    start: date | None = None
    partial: bool = False
    tbd: bool = False
    citation: Citation
    quote: str | None = None
    note: str = ""  # what a reader should know beside the date

    @model_validator(mode="after")
    def _dated_or_announced(self) -> "Cell":
        if (self.start is None) != self.tbd:
            raise ValueError("expected either start: a date, or tbd: true")
        return self


class Service(Shape):
    """What a service is called and in which family of rules it belongs."""

    name: TranslatedWords
    family: Literal["ecm", "community-supports"]
    description: str | None = None
    citation: Citation


class Support(Shape):
    """The criteria of one Community Support: any of them is enough."""

    any_of: Annotated[tuple[CriteriaWay, ...], Field(min_length=1)]


class Limit(Shape):
    """Reached when used + requested is more than `most`; without `requested`, when all is used.

    `over`: which of our own authorizations have used it up (`app.journey.eligibility.check`).
    """

    services: tuple[str, ...]
    used: str
    over: Literal["lifetime", "calendar-year", "twelve-months", "in-a-row"] = "lifetime"
    requested: str | None = None
    most: Annotated[int, Field(ge=0)]
    unless: str | None = None
    citation: Citation
    note: str = ""


class Exclusion(Shape):
    """Denies when its condition is true; unknown excludes nobody."""

    when: PolicyText
    reason: Literal["line-of-business", "excluded-1915c", "excluded-program", "delegated-plan"]
    family: Literal["ecm", "community-supports"]
    advice: str | None = None  # key of `advice`
    advice_when: str | None = None  # a fact; where true, `advice_if_true` is given instead
    advice_if_true: str | None = None
    set_aside_by: str | None = None  # a fact that sends the case to a person instead
    citation: Citation
    quote: str | None = None


class CommunitySupportsGate(Shape):
    """What every Community Support of the plan asks for first."""

    when: PolicyText
    citation: Citation
    quote: str | None = None


class Switches(Shape):
    """Whether the rules' answer takes effect by itself."""

    approve: Literal["automatic", "review"] = "automatic"
    deny_administrative: Literal["automatic", "review"] = "automatic"
    deny_criteria: Literal["automatic", "review"] = "review"
    citation: Citation


class Automation(Shape):
    """The switches of each service family."""

    ecm: Switches
    community_supports: Switches

    def of(self, family: str) -> Switches:
        return self.ecm if family == "ecm" else self.community_supports


class Clocks(Shape):
    """How long things may take. Days end at 23:59:59 local; hours run from receipt."""

    decision_business_days: Annotated[int, Field(gt=0)]
    #: The cap of CMS-0057-F, from 2026-01-01.
    decision_calendar_days: Annotated[int, Field(gt=0)] | None = None
    urgent_hours: Annotated[int, Field(gt=0)]
    void_business_days: Annotated[int, Field(gt=0)]
    reminder_business_days_before: Annotated[int, Field(ge=0)]
    expiring_days_before: Annotated[int, Field(ge=0)]
    calendar: str
    cutoff_hour: Annotated[int, Field(ge=0, le=23)] | None = None
    citation: Citation


class Length(Shape):
    """A length of time in one unit."""

    months: Annotated[int, Field(gt=0)] | None = None
    weeks: Annotated[int, Field(gt=0)] | None = None
    days: Annotated[int, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _one_unit(self) -> "Length":
        if sum(unit is not None for unit in (self.months, self.weeks, self.days)) != 1:
            raise ValueError("expected exactly one of months, weeks, days")
        return self


class Term(Shape):
    """How long an authorization runs, and how much it covers where that is limited."""

    initial: Length
    reauthorization: Length | None = None  # None: as the first
    units: Annotated[int, Field(gt=0)] | None = None
    unit: Literal["h", "d", "wk", "USD", "time"] | None = None
    citation: Citation


class FurthestStart(Shape):
    """How far ahead the start that a referral wishes for may lie."""

    within: Length
    citation: Citation


class ToldParty(Shape):
    """Who is told of an outcome. `if-assigned`: only where somebody was assigned."""

    requesting: Literal["yes", "no"] = "no"
    servicing: Literal["yes", "no", "if-assigned"] = "no"
    member: Literal["yes", "no", "supports-only"] = "no"
    citation: Citation
    quote: str | None = None


class CorrespondenceRules(Shape):
    """Who is told what (spec 2)."""

    approved: ToldParty
    denied: ToldParty
    void: ToldParty
    information_needed: ToldParty
    cancelled: ToldParty


class Contact(Shape):
    """Where to turn: whom, by which way."""

    name: str
    phone: str | None = None
    tty: str | None = None
    fax: str | None = None
    mail: str | None = None
    hours: str | None = None
    forms: tuple[str, ...] = ()
    citation: Citation


class Switch(Shape):
    """Rules that a deployment turns on or off (`app.policy.library`): what they are, and whether
    they hold where the deployment says nothing.
    """

    holds: bool
    says: PolicyText
    citation: Citation


class PolicyData(Shape):
    """Everything that one plan says at one date, after what it extends has been filled in."""

    plan: str
    name: TranslatedWords
    source: str
    counties: tuple[CountyCode, ...] = ()
    readings: Mapping[str, str] = {}
    definitions: Mapping[str, Definition]
    counts: Mapping[str, Count]
    services: Mapping[str, Service]
    availability: Mapping[str, Mapping[CountyCode, Cell]]
    populations: Mapping[str, Population] = {}
    supports: Mapping[str, Support] = {}
    limits: Mapping[str, Limit] = {}
    exclusions: Mapping[str, Exclusion] = {}
    gate: CommunitySupportsGate | None = None
    asks_beside: tuple[str, ...] = ()  # asked with every Community Support, never deciding
    automation: Automation
    clocks: Clocks
    terms: Mapping[str, Term]
    default_term: Term
    furthest_start: FurthestStart = FurthestStart(within=Length(months=12), citation="E")
    correspondence: CorrespondenceRules
    contacts: Mapping[str, Contact] = {}
    catalog: Catalog = Catalog()
    advice: Mapping[str, TranslatedWords] = {}
    switches: Mapping[str, Switch] = {}
    switched_off: Mapping[str, str] = {}  # what the sources say and this file does not use, and why
