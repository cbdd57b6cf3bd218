"""Shows rules in words: criteria of a service, what stands before them, limits, terms, outcomes.

The words come from the plan's policy, so that they change with it; this module decides nothing.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from app.base.text import sentence
from app.policy.catalog_schema import CatalogStatement, TranslatedWords
from app.policy.citations import citation_in_words
from app.policy.criteria import Node
from app.policy.phrases import Phrases, criterion_in_words
from app.policy.policy import Policy, PolicyLimit
from app.policy.schema import CriteriaWay, Length, Term, ToldParty
from app.views.catalog.model import CitedSource, Named, Note, OutcomeEntry, ToldEntry
from app.views.catalog.service_model import LengthOfTerm, PlanGate, Way
from app.views.cited import source_links

_UNITS = {"h": "hours", "d": "days", "wk": "weeks", "USD": "US dollars", "time": "times"}
_TOLD = {
    "requesting": "The provider or organization that requested it",
    "servicing": "The provider that is to serve the member",
    "member": "The member",
}


def description(policy: Policy, service: str) -> dict[str, Any]:
    """Describe a service in the plan's own words; where its page has none, in the shared words."""
    own = policy.data.catalog.descriptions.get(service)
    if own is not None:
        return {
            "description": own.text,
            "description_points": list(own.points),
            "description_source": source(own.citation, own.quote),
            "plan_description": True,
        }
    shared = policy.data.services[service]
    return {
        "description": shared.description,
        "description_source": source(shared.citation, None),
        "plan_description": False,
    }


def rules(policy: Policy, service: str, words: Phrases) -> dict[str, Any]:
    """Show the rules of a service: gate, criteria, limits and the term of its authorizations."""
    data = policy.data
    supports = policy.supports.get(service)
    listed = service in data.availability
    return {
        "gate": _gate(policy, words) if listed and supports is not None else None,
        "criteria": []
        if supports is None or not listed
        else list(ways(data.supports[service].any_of, supports, words)),
        "limits": [
            _limit(limit, words)
            for limit in policy.limits
            if listed and service in limit.data.services
        ],
        "term": _term(data.terms.get(service, data.default_term)),
    }


def ways(stated: Iterable[CriteriaWay], node: Node, words: Phrases) -> Iterator[Way]:
    """Show the ways to qualify, each in plain words beside its expression."""
    for way, part in zip(stated, node.children, strict=True):
        yield Way(
            name=way.name or None,
            text=criterion_in_words(part, words),
            expression=" ".join(way.when.split()),
            source=source(way.citation, way.quote),
            secondary=way.secondary,
        )


def exclusions(policy: Policy, family: str) -> list[Note]:
    """Say who does not get the services of a family, with what the plan advises them."""
    return [
        Note(
            text=excluded.data.says or advice or sentence(excluded.name),
            topic="eligibility",
            source=source(excluded.data.citation, excluded.data.quote),
        )
        for excluded in policy.exclusions
        if excluded.data.family == family
        for advice in (policy.advice(excluded.data.advice),)
    ]


def exceptions(policy: Policy, family: str) -> list[Note]:
    """Show what the plan's page says of exceptions for the services of a family."""
    return [
        noted(said)
        for said in policy.data.catalog.notes.values()
        if said.topic == "exceptions" and (not said.services or family in said.services)
    ]


def outcomes(policy: Policy) -> list[OutcomeEntry]:
    """Show the three outcomes of a referral: what each means, and who is told."""
    rules_of = policy.data.correspondence
    return [
        OutcomeEntry(
            outcome=outcome,
            meaning=noted(meaning),
            told=_told(told),
            source=source(told.citation, told.quote),
        )
        for outcome, meaning in policy.data.catalog.outcomes.items()
        for told in (getattr(rules_of, outcome),)
    ]


def _told(party: ToldParty) -> list[ToldEntry]:
    entries = []
    for who, name in _TOLD.items():
        rule = getattr(party, who)
        ending = {
            "yes": "is told.",
            "no": "is told only as the one who requested it.",
            "if-assigned": "is told, once there is one.",
            "supports-only": "is told where a Community Support is approved.",
        }[rule]
        entries.append(
            ToldEntry.model_validate({"who": who, "told": rule != "no", "text": f"{name} {ending}"})
        )
    return entries


def _gate(policy: Policy, words: Phrases) -> PlanGate | None:
    stated = policy.data.gate
    if stated is None or policy.gate is None:
        return None
    return PlanGate(
        text=stated.says or "The plan asks for this before any Community Support.",
        points=list(stated.points),
        criterion=criterion_in_words(policy.gate, words),
        source=source(stated.citation, stated.quote),
    )


def _limit(limit: PolicyLimit, words: Phrases) -> Note:
    data = limit.data
    text = limit.name if limit.name.endswith("once") else f"{limit.name}: at most {data.most:,}"
    if data.note:
        text += f"; {data.note}"
    points = [] if limit.unless is None else criterion_in_words(limit.unless, words).splitlines()
    if points:
        text += ", unless this is so:"
    return Note(
        text=f"{text[:1].upper()}{text[1:]}" + ("" if points else "."),
        points=points,
        topic="eligibility",
        source=source(data.citation, None),
    )


def _term(term: Term) -> LengthOfTerm:
    text = _length(term.initial)
    if term.units and term.unit:
        once = term.unit == "time" and term.units == 1
        text += ", once" if once else f", for {term.units:,} {_UNITS[term.unit]} at most"
    if term.reauthorization:
        text += f"; each reauthorization thereafter {_length(term.reauthorization)}"
    return LengthOfTerm(text=f"{text}.", source=source(term.citation, None))


def _length(length: Length) -> str:
    (number, unit) = next(
        (number, unit)
        for unit in ("months", "weeks", "days")
        if (number := getattr(length, unit)) is not None
    )
    return f"{number} {unit if number != 1 else unit.removesuffix('s')}"


def noted(statement: CatalogStatement) -> Note:
    """Show a statement of the catalog with its source."""
    return Note(
        text=statement.text,
        points=list(statement.points),
        topic=statement.topic,
        source=source(statement.citation, statement.quote),
    )


def named(words: TranslatedWords) -> Named:
    """Show a name in each language that has it."""
    return Named(en=words.en, es=words.es, hmn=words.hmn)


def source(citation: str, quote: str | None) -> CitedSource:
    """Show where a statement comes from."""
    return CitedSource(
        citation=citation,
        quote=quote,
        text=citation_in_words(citation),
        sources=source_links(citation),
    )
