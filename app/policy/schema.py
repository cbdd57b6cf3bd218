"""The schema of a policy: the keys and values that a plan's dated file may hold.

`library.py` knows where the files are and how a file extends another. `engine.py` gives the values
their meaning for a referral; for clocks, correspondence and terms, the stage that uses them does.
"""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from app.policy.catalog_schema import (
    Catalog,
    Citation,
    CountyCode,
    CountyStart,
    PolicyText,
    Shape,
    TranslatedWords,
)


class CriteriaWay(Shape):
    """One way to qualify. `quote` is the wording of the cited source, for people who check it."""

    name: str = ""
    when: PolicyText
    citation: Citation
    quote: str | None = None
    secondary: bool = False  # the source is another plan's or an unread document


class Definition(Shape):
    """A criterion with a name that other criteria may use."""

    when: PolicyText
    citation: Citation


class Count(Shape):
    """The events that a count counts (facts.md 2.3). Window `last`: the `months` before the as-of
    date; `any`: the `months` before any event.
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
    """A period from a day to a day, both included; without a last day, the period is open."""

    first: date
    last: date | None = None

    def covers(self, on: date) -> bool:
        return self.first <= on and (self.last is None or on <= self.last)


class Population(Shape):
    """One population of focus: one met criterion is enough. The dates from which it is live are
    stated by county, and for adults and children apart where they differ.

    `for_a_person`: a person decides in this period: the rules do not approve a member of the
    population, and do not deny while the population may be met (facts.md 6.2).
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
    #: For whom the plan's page gives no date: the dates above then rest on `live_citation`.
    undated: tuple[Literal["adults", "children"], ...] = ()
    live_note: str | None = None  # what a reader should know beside the dates

    @model_validator(mode="after")
    def _one_kind_of_date(self) -> "Population":
        if self.live and (self.live_adults or self.live_children):
            raise ValueError("live stands for all ages; use it or live_adults and live_children")
        return self


class Cell(Shape):
    """A service in a county: offered from a day, maybe in part only, or announced without a day.

    Where the plan's page gives no day (`dated: false`), `start` is the day that `county_starts`
    gives for the county.
    """

    start: date | None = None
    dated: bool = True
    partial: bool = False
    tbd: bool = False
    citation: Citation
    quote: str | None = None
    note: str = ""  # what a reader should know beside the date

    @model_validator(mode="after")
    def _dated_or_announced(self) -> "Cell":
        if (self.start is None) != self.tbd:
            raise ValueError("expected either start: a date, or tbd: true")
        if self.tbd and not self.dated:
            raise ValueError("tbd: true has no date to rest on; leave dated out")
        return self


class Service(Shape):
    """The name of a service, and the family of rules to which the service belongs."""

    name: TranslatedWords
    family: Literal["ecm", "community-supports"]
    description: str | None = None
    citation: Citation


class Support(Shape):
    """The criteria of one Community Support: one met criterion is enough."""

    any_of: Annotated[tuple[CriteriaWay, ...], Field(min_length=1)]


class Limit(Shape):
    """A limit of Community Supports: reached when used + requested is more than `most`; without
    `requested`, when used is at least `most`.

    `over`: the time over which our own authorizations count as used
    (`app.journey.eligibility.check`).
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
    """An exclusion: denies when its condition is true; an unknown condition excludes no member."""

    when: PolicyText
    reason: Literal["line-of-business", "excluded-1915c", "excluded-program", "delegated-plan"]
    family: Literal["ecm", "community-supports"]
    advice: str | None = None  # key of `advice`
    advice_when: str | None = None  # a fact; where true, `advice_if_true` is given instead
    advice_if_true: str | None = None
    set_aside_by: str | None = None  # a fact that sends the case to a person instead
    says: str | None = None  # who is excluded, in one sentence for people
    citation: Citation
    quote: str | None = None


class CommunitySupportsGate(Shape):
    """The criterion that every Community Support of the plan requires first."""

    when: PolicyText
    citation: Citation
    quote: str | None = None
    says: str | None = None  # in one sentence for people
    points: tuple[str, ...] = ()  # what the page lists, one by one


class Switches(Shape):
    """Says which answers of the rules take effect by themselves, and which a person reviews."""

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
    """The times that a plan has. Days end at 23:59:59 local time; hours run from the receipt."""

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


class PageReading(Shape):
    """How an ambiguous statement of a page is read here: the words of the page, and our choice.

    A reading bears on a case if all that it names holds (`app.policy.readings`); a reading that
    names nothing bears on every case of the plan.
    """

    citation: Citation
    says: PolicyText  # one sentence with the page's own words
    read_as: PolicyText  # one sentence
    stands: PolicyText  # the place in this file that follows the reading: `gate`, `terms.ECM`
    family: Literal["ecm", "community-supports"] | None = None
    services: tuple[str, ...] = ()
    populations: tuple[str, ...] = ()  # claimed, met, or still open
    counties: tuple[CountyCode, ...] = ()
    period: Period | None = None
    when: PolicyText | None = None  # a criterion, which has to be met
    reasons: tuple[str, ...] = ()  # of the determination; one is enough
    after_a_lapse: bool = False  # only after an earlier authorization of the service has ended
    before_deciding: bool = False  # shown before the recommendation
    only_in_catalog: bool = False  # how every case is counted; no single case shows it


class Term(Shape):
    """The length of an authorization, and the amount that it covers where the amount is limited."""

    initial: Length
    reauthorization: Length | None = None  # None: as the first
    units: Annotated[int, Field(gt=0)] | None = None
    unit: Literal["h", "d", "wk", "USD", "time"] | None = None
    citation: Citation


class FurthestStart(Shape):
    """The longest time from the receipt to the start that a referral may wish."""

    within: Length
    citation: Citation


class ToldParty(Shape):
    """The recipients of an outcome. `if-assigned`: only where a performer was assigned."""

    requesting: Literal["yes", "no"] = "no"
    servicing: Literal["yes", "no", "if-assigned"] = "no"
    member: Literal["yes", "no", "supports-only"] = "no"
    citation: Citation
    quote: str | None = None


class CorrespondenceRules(Shape):
    """The recipients of each outcome (spec.md 2)."""

    approved: ToldParty
    denied: ToldParty
    void: ToldParty
    information_needed: ToldParty
    cancelled: ToldParty


class Cited(Shape):
    """The source of a rule that has no data of its own."""

    citation: Citation


class OwnLine(Cited):
    """The plan's own lines for one shared rule, and their wording (`app.policy.own_lines`)."""

    quote: str | None = None


def _by_language(words: object) -> object:
    return {"en": words} if isinstance(words, str) else words


class Contact(Shape):
    """A contact of the plan: whom to call, and by which way."""

    name: str
    phone: str | None = None
    tty: str | None = None
    fax: str | None = None
    mail: str | None = None
    #: In English alone, or by language.
    hours: Annotated[TranslatedWords | None, BeforeValidator(_by_language)] = None
    email_note: str | None = None  # what the page says of an email way
    forms: tuple[str, ...] = ()
    citation: Citation


class Switch(Shape):
    """A switch: rules that a deployment turns on or off (`app.policy.library`). `holds` says
    whether the rules are on where the deployment says nothing; `says` describes the rules.
    """

    holds: bool
    says: PolicyText
    citation: Citation


class PolicyData(Shape):
    """All data of one plan at one date, after the values of the extended files were filled in."""

    plan: str
    name: TranslatedWords
    source: str
    counties: tuple[CountyCode, ...] = ()
    readings: Mapping[str, PageReading] = {}
    definitions: Mapping[str, Definition]
    counts: Mapping[str, Count]
    services: Mapping[str, Service]
    availability: Mapping[str, Mapping[CountyCode, Cell]]
    county_starts: Mapping[CountyCode, CountyStart] = {}
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
    coverage: Cited = Cited(citation="E")  # a member must be covered by the plan
    listing: Cited | None = None  # the plan's list of Community Supports
    #: The plan's own lines for shared rules: section → name → lines (`app.policy.own_lines`).
    own_lines: Mapping[str, Citation | Mapping[str, Citation | OwnLine]] = {}
    correspondence: CorrespondenceRules
    contacts: Mapping[str, Contact] = {}
    catalog: Catalog = Catalog()
    advice: Mapping[str, TranslatedWords] = {}
    switches: Mapping[str, Switch] = {}
    switched_off: Mapping[str, str] = {}  # statements of the sources that this file omits, and why
