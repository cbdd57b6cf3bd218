"""Shows plans, services and populations in words, from the policies at a date.

The catalog repeats the plans' own files, contradictions included; this module decides nothing.
"""

from collections.abc import Iterable, Iterator
from datetime import date

from app.fhir.r4 import codes
from app.policy.catalog_schema import CatalogStatement, TranslatedWords
from app.policy.citations import citation_in_words
from app.policy.criteria import Node
from app.policy.library import Library
from app.policy.phrases import Phrases, criterion_in_words, phrases
from app.policy.policy import ANY_COUNTY, Policy, PolicyPopulation
from app.policy.schema import Cell, Contact, PageReading
from app.policy.schema import CriteriaWay as WayData
from app.policy.schema import Population as PopulationData
from app.views.catalog.model import (
    Availability,
    AvailabilityStatus,
    ChannelEntry,
    CitedSource,
    Comparison,
    ContactEntry,
    ContactOnlyEntry,
    CoreServiceEntry,
    CountyEntry,
    Named,
    Note,
    PlanDetail,
    PlanEntry,
    PlanService,
    PopulationEntry,
    PopulationList,
    PopulationWhere,
    ReadingEntry,
    ServiceEntry,
    ServiceList,
    Way,
)
from app.views.cited import source_links


def plan_entry(policy: Policy, on: date) -> PlanEntry:
    """Show a plan in a list."""
    return PlanEntry(
        plan=policy.plan,
        name=policy.data.name.en,
        counties=[CountyEntry(code=c, name=county_name(c)) for c in policy.data.counties],
        policy=policy.version,
        on=on,
    )


def plan_detail(policy: Policy, on: date) -> PlanDetail:
    """Show a plan with contacts, channels, core services and clocks."""
    data, catalog = policy.data, policy.data.catalog
    return PlanDetail(
        **plan_entry(policy, on).model_dump(),
        notes=[_note(statement) for statement in catalog.notes.values()],
        contacts=[_contact(key, contact) for key, contact in data.contacts.items()],
        channels=[
            ChannelEntry(
                services=list(channel.services),
                who=list(channel.who),
                ways=list(channel.ways),
                how=channel.how,
                forms=list(channel.forms),
                contact=channel.contact,
                source=_source(channel.citation, channel.quote),
            )
            for channel in catalog.channels.values()
        ],
        core_services=[
            CoreServiceEntry(
                name=_named(core.name),
                description=core.description,
                source=_source(core.citation, core.quote),
            )
            for core in catalog.core_services.values()
        ],
        contact_only=_contact_only(policy),
        decision_business_days=data.clocks.decision_business_days,
        decision_calendar_days=data.clocks.decision_calendar_days,
        urgent_hours=data.clocks.urgent_hours,
        readings=[_reading(reading) for reading in data.readings.values()],
    )


def services(policy: Policy, county: str | None, on: date, forms: dict[str, str]) -> ServiceList:
    """Show the services of a plan. `forms`: service → path of the referral form for it."""
    data = policy.data
    return ServiceList(
        plan=policy.plan,
        name=data.name.en,
        policy=policy.version,
        on=on,
        services=[
            ServiceEntry(
                code=code,
                name=_named(service.name),
                family=service.family,
                description=service.description,
                referable=True,
                form=forms.get(code),
                citation=service.citation,
                sources=source_links(service.citation),
                where=availability(policy, code, county, on),
            )
            for code, service in data.services.items()
        ],
        contact_only=_contact_only(policy),
    )


def availability(policy: Policy, service: str, county: str | None, on: date) -> list[Availability]:
    """Show a service in each county of the plan, or in the county asked for."""
    return [
        _available(where, policy.cell(service, where), on) for where in _counties(policy, county)
    ]


def populations(library: Library, policy: Policy, county: str | None, on: date) -> PopulationList:
    """Show the populations that may be referred for ECM, and since when, by county."""
    words = phrases(library, policy.version)
    return PopulationList(
        plan=policy.plan,
        name=policy.data.name.en,
        policy=policy.version,
        on=on,
        populations=[
            PopulationEntry(
                code=population.code,
                name=_named(population.data.name),
                any_of=list(_ways(population.data.any_of, population.everybody, words)),
                decided_by="person" if population.is_for_a_person(on) else "rules",
                where=[_live(population, where, on) for where in _counties(policy, county)],
                source=_source(population.data.live_citation, population.data.live_quote),
            )
            for population in policy.populations
        ],
    )


def comparison(
    library: Library, policies: Iterable[Policy], service: str, on: date
) -> Comparison | None:
    """Show one service at every plan; None: no plan knows the service."""
    known = [policy for policy in policies if service in policy.data.services]
    if not known:
        return None
    return Comparison(
        service=service,
        name=_named(known[0].data.services[service].name),
        on=on,
        plans=[_at_plan(library, policy, service, on) for policy in known],
    )


def _at_plan(library: Library, policy: Policy, service: str, on: date) -> PlanService:
    data = policy.data
    ways: list[Way] = []
    if service in data.supports:
        words = phrases(library, policy.version)
        ways = list(_ways(data.supports[service].any_of, policy.supports[service], words))
    return PlanService(
        plan=policy.plan,
        name=data.name.en,
        policy=policy.version,
        where=availability(policy, service, None, on),
        criteria=ways,
        limits=[
            Note(text=f"{name}: at most {limit.most}", source=_source(limit.citation, None))
            for name, limit in data.limits.items()
            if service in limit.services
        ],
    )


def county_name(code: str) -> str:
    """Name a county for people: `san_mateo` → `San Mateo`."""
    return codes.COUNTIES.get(code, code.replace("_", " ").title())


def _counties(policy: Policy, county: str | None) -> list[str | None]:
    return [county] if county is not None else [*policy.data.counties] or [None]


def _available(county: str | None, cell: Cell | None, on: date) -> Availability:
    name = county_name(county) if county else None
    if cell is None:
        return Availability(
            county=county,
            county_name=name,
            status="not-offered",
            since=None,
            note="The plan does not list this service here.",
            source=None,
        )
    return Availability(
        county=county,
        county_name=name,
        status=_status(cell, on),
        since=cell.start,
        note=" ".join(_about(cell)) or None,
        source=_source(cell.citation, cell.quote),
    )


def _status(cell: Cell, on: date) -> AvailabilityStatus:
    if cell.start is None or on < cell.start:
        return "announced"
    return "partial" if cell.partial else "available"


def _about(cell: Cell) -> Iterator[str]:
    if cell.start is None:
        yield "Announced, without a date."
    if cell.partial:
        yield "Offered in part only; what part is not said."
    if cell.note:
        yield cell.note


def _live(population: PolicyPopulation, county: str | None, on: date) -> PopulationWhere:
    adults, children = _since(population.data, county)
    listed = [since for since in (adults, children) if since is not None]
    live = [since for since in listed if since <= on]
    status = "announced" if listed and not live else "live" if live == listed else "live-in-part"
    undated = (
        county is None
    )  # a profile without counties has no dates: its populations are always live
    return PopulationWhere(
        county=county,
        county_name=county_name(county) if county else None,
        status=status if listed else "not-listed",
        adults_since=None if undated else adults,
        children_since=None if undated else children,
    )


def _since(data: PopulationData, county: str | None) -> tuple[date | None, date | None]:
    place = county or ANY_COUNTY
    everybody = data.live.get(place)
    return (
        everybody or data.live_adults.get(place),
        everybody or data.live_children.get(place),
    )


def _ways(ways: Iterable[WayData], node: Node, words: Phrases) -> Iterator[Way]:
    for way, part in zip(ways, node.children, strict=True):
        yield Way(
            name=way.name or None,
            text=criterion_in_words(part, words),
            expression=" ".join(way.when.split()),
            source=_source(way.citation, way.quote),
            secondary=way.secondary,
        )


def _contact_only(policy: Policy) -> list[ContactOnlyEntry]:
    data = policy.data
    return [
        ContactOnlyEntry(
            code=code,
            name=_named(entry.name),
            description=entry.description,
            referable=False,
            who=entry.who,
            helps_with=list(entry.helps_with),
            contact=_contact(entry.contact, data.contacts[entry.contact]),
            source=_source(entry.citation, entry.quote),
        )
        for code, entry in data.catalog.contact_only.items()
    ]


def _contact(key: str, contact: Contact) -> ContactEntry:
    hours = contact.hours.en if contact.hours else None
    own = contact.model_dump() | {"hours": hours}
    return ContactEntry(key=key, sources=source_links(contact.citation), **own)


def _reading(reading: PageReading) -> ReadingEntry:
    return ReadingEntry(
        text=f"{reading.says} {reading.read_as}",
        family=reading.family,
        services=list(reading.services),
        populations=list(reading.populations),
        counties=list(reading.counties),
        first=reading.period.first if reading.period else None,
        last=reading.period.last if reading.period else None,
        stands=reading.stands,
        source=_source(reading.citation, None),
    )


def _note(statement: CatalogStatement) -> Note:
    return Note(text=statement.text, source=_source(statement.citation, statement.quote))


def _named(words: TranslatedWords) -> Named:
    return Named(en=words.en, es=words.es, hmn=words.hmn)


def _source(citation: str, quote: str | None) -> CitedSource:
    return CitedSource(
        citation=citation,
        quote=quote,
        text=citation_in_words(citation),
        sources=source_links(citation),
    )
