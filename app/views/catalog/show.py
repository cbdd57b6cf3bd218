"""Shows plans, services and populations in words, from the policies at a date.

The catalog repeats the plans' own files, contradictions included; this module decides nothing.
"""

from collections.abc import Iterable, Iterator
from datetime import date

from app.base.text import sentence
from app.fhir.r4 import codes
from app.policy.exclusions import undated_in_words
from app.policy.library import Library
from app.policy.phrases import phrases
from app.policy.policy import ANY_COUNTY, Policy, PolicyPopulation
from app.policy.schema import Cell, Contact, PageReading
from app.policy.schema import Population as PopulationData
from app.views.catalog.model import (
    ChannelEntry,
    ContactEntry,
    ContactOnlyEntry,
    CoreServiceEntry,
    CountyEntry,
    FormEntry,
    Note,
    PlanDetail,
    PlanEntry,
    ReadingEntry,
)
from app.views.catalog.rules import (
    description,
    exceptions,
    exclusions,
    named,
    noted,
    outcomes,
    rules,
    source,
    ways,
)
from app.views.catalog.service_model import (
    Availability,
    AvailabilityStatus,
    Comparison,
    PlanService,
    PopulationEntry,
    PopulationList,
    PopulationWhere,
    ServiceEntry,
    ServiceList,
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
        notes=[noted(statement) for statement in catalog.notes.values()],
        contacts=[_contact(key, contact) for key, contact in data.contacts.items()],
        channels=[
            ChannelEntry(
                services=list(channel.services),
                who=list(channel.who),
                ways=list(channel.ways),
                how=channel.how,
                forms=list(channel.forms),
                contact=channel.contact,
                source=source(channel.citation, channel.quote),
            )
            for channel in catalog.channels.values()
        ],
        core_services=[
            CoreServiceEntry(
                name=named(core.name),
                description=core.description,
                source=source(core.citation, core.quote),
            )
            for core in catalog.core_services.values()
        ],
        contact_only=_contact_only(policy),
        forms=[
            FormEntry(
                name=form.name,
                use=form.use,
                services=list(form.services),
                questionnaires=[f"/fhir/Questionnaire/{name}" for name in form.ours],
                source=source(form.citation, form.quote),
            )
            for form in catalog.forms.values()
        ],
        outcomes=outcomes(policy),
        decision_business_days=data.clocks.decision_business_days,
        decision_calendar_days=data.clocks.decision_calendar_days,
        urgent_hours=data.clocks.urgent_hours,
        void_business_days=data.clocks.void_business_days,
        reminder_business_days_before=data.clocks.reminder_business_days_before,
        clocks_source=source(data.clocks.citation, None),
        readings=[_reading(reading) for reading in data.readings.values()],
    )


def services(
    library: Library, policy: Policy, county: str | None, on: date, forms: dict[str, str]
) -> ServiceList:
    """Show the services of a plan. `forms`: service → path of the referral form for it."""
    data = policy.data
    words = phrases(library, policy.version)
    return ServiceList(
        plan=policy.plan,
        name=data.name.en,
        policy=policy.version,
        on=on,
        services=[
            ServiceEntry(
                code=code,
                name=named(service.name),
                family=service.family,
                referable=True,
                form=forms.get(code),
                citation=service.citation,
                sources=source_links(service.citation),
                where=availability(policy, code, county, on),
                exclusions=exclusions(policy, service.family),
                exceptions=exceptions(policy, service.family),
                **description(policy, code),
                **rules(policy, code, words),
            )
            for code, service in data.services.items()
        ],
        contact_only=_contact_only(policy),
    )


def availability(policy: Policy, service: str, county: str | None, on: date) -> list[Availability]:
    """Show a service in each county of the plan, or in the county asked for."""
    return [
        _available(policy, where, policy.cell(service, where), on)
        for where in _counties(policy, county)
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
                name=named(population.data.name),
                any_of=list(ways(population.data.any_of, population.everybody, words)),
                decided_by="person" if population.is_for_a_person(on) else "rules",
                where=[_live(policy, population, at, on) for at in _counties(policy, county)],
                source=source(population.data.live_citation, population.data.live_quote),
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
        name=named(known[0].data.services[service].name),
        on=on,
        plans=[_at_plan(library, policy, service, on) for policy in known],
    )


def _at_plan(library: Library, policy: Policy, service: str, on: date) -> PlanService:
    said = description(policy, service)
    return PlanService(
        plan=policy.plan,
        name=policy.data.name.en,
        policy=policy.version,
        where=availability(policy, service, None, on),
        description=said["description"],
        description_source=said["description_source"],
        **rules(policy, service, phrases(library, policy.version)),
    )


def county_name(code: str) -> str:
    """Name a county for people: `san_mateo` → `San Mateo`."""
    return codes.COUNTIES.get(code, code.replace("_", " ").title())


def _counties(policy: Policy, county: str | None) -> list[str | None]:
    return [county] if county is not None else [*policy.data.counties] or [None]


def _available(policy: Policy, county: str | None, cell: Cell | None, on: date) -> Availability:
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
    start = None if cell.dated else policy.county_start(county)
    return Availability(
        county=county,
        county_name=name,
        status=_status(cell, on),
        since=cell.start if start is None else None,
        counted_from=cell.start if start is None else start.first,
        rests_on=start
        and Note(text=sentence(start.says), source=source(start.citation, start.quote)),
        note=" ".join(_about(cell, undated_in_words(policy, county, cell))) or None,
        source=source(cell.citation, cell.quote),
    )


def _status(cell: Cell, on: date) -> AvailabilityStatus:
    if cell.start is None or on < cell.start:
        return "announced"
    return "partial" if cell.partial else "available"


def _about(cell: Cell, undated: str | None) -> Iterator[str]:
    if undated:
        yield undated
    if cell.start is None:
        yield "Announced, without a date."
    if cell.partial:
        yield "Offered in part only; what part is not said."
    if cell.note:
        yield cell.note


def _live(
    policy: Policy, population: PolicyPopulation, county: str | None, on: date
) -> PopulationWhere:
    adults, children = _since(population.data, county)
    listed = [since for since in (adults, children) if since is not None]
    live = [since for since in listed if since <= on]
    status = "announced" if listed and not live else "live" if live == listed else "live-in-part"
    start = policy.county_start(county)
    always = start is not None and start.first is None
    undated = population.data.undated
    said = population.data.live_note
    if start is not None and always:
        said = f"The page gives no date; {start.says}."
    return PopulationWhere(
        county=county,
        county_name=county_name(county) if county else None,
        status=status if listed else "not-listed",
        adults_since=None if always or "adults" in undated else adults,
        children_since=None if always or "children" in undated else children,
        adults_counted_from=None if always else adults,
        children_counted_from=None if always else children,
        note=said,
    )


def _since(data: PopulationData, county: str | None) -> tuple[date | None, date | None]:
    place = county or ANY_COUNTY
    everybody = data.live.get(place)
    return (
        everybody or data.live_adults.get(place),
        everybody or data.live_children.get(place),
    )


def _contact_only(policy: Policy) -> list[ContactOnlyEntry]:
    data = policy.data
    return [
        ContactOnlyEntry(
            code=code,
            name=named(entry.name),
            description=entry.description,
            referable=False,
            who=entry.who,
            purpose=entry.purpose,
            goals=list(entry.goals),
            helps_with=list(entry.helps_with),
            contact=_contact(entry.contact, data.contacts[entry.contact]),
            source=source(entry.citation, entry.quote),
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
        source=source(reading.citation, None),
    )
