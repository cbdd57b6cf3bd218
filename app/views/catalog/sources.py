"""Shows every source once: what it is, and which rules of the plans rest on which of its lines."""

from collections.abc import Iterable, Mapping
from datetime import date

from pydantic import BaseModel, Field

from app.policy.citations import citation_in_words
from app.policy.own_lines import all_citations
from app.policy.policy import Policy
from app.policy.read_files import FilePlace
from app.policy.sources import RegisteredSource, cited_parts, place_of, registry, source_id
from app.views.catalog.model import Named
from app.views.cited import source_address


class CitingRule(BaseModel):
    """One rule that rests on a source."""

    plan: str = Field(examples=["HPSM"])
    section: str = Field(description="The section of the plan's file.", examples=["populations"])
    name: str | None = Field(
        description="The name of the rule in the section; null where the section is one rule.",
        examples=["POF2"],
    )


class QuotedPlace(BaseModel):
    """A place in a source, the words that stand there, and the rules that rest on the place."""

    citation: str = Field(examples=["S003:L35-37"])
    words: str = Field(examples=["Health Plan of San Mateo, page for providers, lines 35-37"])
    quotes: list[str] = Field(
        description="Wording of the place, as far as the policy files have it.",
        examples=[["Five or more emergency department visits within a 6-month period"]],
    )
    rules: list[CitingRule]


class SourceEntry(BaseModel):
    """One source of the rules: a plan's page, a guide, another plan's document, or our choice."""

    id: str = Field(examples=["s003"])
    key: str = Field(description="As citations name the source.", examples=["S003"])
    href: str = Field(examples=["/v1/catalog/sources/s003"])
    title: Named
    kind: str = Field(
        description="`plan-page-members`, `plan-page-providers`, `page` (of no named plan), "
        "`plan-memo`, `guide`, `other-plan`, `web`, `law`, `ours`, `unverified`.",
        examples=["plan-page-providers"],
    )
    plan: str | None = Field(description="The plan whose own page it is.", examples=["HPSM"])
    publisher: str | None = Field(examples=["Health Plan of San Mateo"])
    posted: date | None = Field(
        description="Null where the source does not say.", examples=["2023-01-17"]
    )
    modified: date | None = Field(
        description="Null where the source does not say.", examples=["2023-12-07"]
    )
    address: str | None = Field(
        description="Null where it is not known; `note` says so.", examples=[None]
    )
    note: str | None = Field(examples=["The copy read gives no address and no date."])
    quoted: list[QuotedPlace] = Field(description="What the rules of the plans cite of it.")


class SourceList(BaseModel):
    """Every source, each once."""

    on: date = Field(examples=["2024-03-04"])
    sources: list[SourceEntry]


def sources(policies: Iterable[Policy], on: date) -> SourceList:
    """Show every source, with what the policies in force on the date cite of it."""
    cited = _cited(policies)
    entries = [_entry(key, source, cited.get(key, {})) for key, source in registry().items()]
    return SourceList(on=on, sources=entries)


def find_source(policies: Iterable[Policy], named: str) -> SourceEntry | None:
    """Show one source by its id; None: there is no such source."""
    key = next((key for key in registry() if source_id(key) == named), None)
    return None if key is None else _entry(key, registry()[key], _cited(policies).get(key, {}))


def _entry(key: str, source: RegisteredSource, cited: Mapping[str, QuotedPlace]) -> SourceEntry:
    title = source.title
    return SourceEntry(
        id=source_id(key),
        key=key,
        href=source_address(key),
        title=Named(en=title.en, es=title.es, hmn=title.hmn),
        kind=source.kind,
        plan=source.plan,
        publisher=source.publisher,
        posted=source.posted,
        modified=source.modified,
        address=source.address,
        note=source.note,
        quoted=list(cited.values()),
    )


def _cited(policies: Iterable[Policy]) -> dict[str, dict[str, QuotedPlace]]:
    """Map each source to the places that the policies cite, with the rules and the wording."""
    found: dict[str, dict[str, QuotedPlace]] = {}
    known: set[tuple[str, str, str, str | None]] = set()
    for policy in policies:
        for where, citation, quote in all_citations(policy.data):
            section, name = str(where[0]), _name(where)
            for index, source in enumerate(cited_parts(citation)):
                cited = found.setdefault(place_of(source).key, {})
                if source not in cited:
                    cited[source] = _new_place(source)
                if (source, policy.plan, section, name) not in known:
                    known.add((source, policy.plan, section, name))
                    cited[source].rules.append(
                        CitingRule(plan=policy.plan, section=section, name=name)
                    )
                # A quote is the wording of the first source of its citation.
                if quote and index == 0 and quote not in cited[source].quotes:
                    cited[source].quotes.append(quote)
    return found


def _new_place(source: str) -> QuotedPlace:
    return QuotedPlace(citation=source, words=citation_in_words(source), quotes=[], rules=[])


def _name(where: FilePlace) -> str | None:
    """Name a rule by its place in the file: `("limits", "meals, weeks", "citation")`."""
    above = where[2:-1] if where[0] == "catalog" else where[1:-1]
    return str(above[0]) if above else None
