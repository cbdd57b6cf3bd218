"""The published referral forms: what each asks follows from what the policies read.

A form asks for every fact that some policy reads to decide one of its services, but for those known
from resources (age, county, coverage: facts.md 1.3, 3.1); beside them for the facts about the
request that no rule reads. How a form looks in FHIR is `app.views.forms.questionnaire`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field

from app.policy.dictionary import Dictionary, FactDefinition
from app.policy.library import Library
from app.policy.uses import facts_used

#: The form of what a plan knows, and anybody may state (facts.md 3.2).
ROSTER = "roster"
_WORDS = Path(__file__).with_name("words.yaml")


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Both(_Shape):
    """The same words in English and Spanish."""

    en: str
    es: str


class FormWords(Both):
    """A form's title, and the services it is for."""

    services: tuple[str, ...]


class SectionWords(Both):
    """A heading, and the fact at which its section begins."""

    model_config = ConfigDict(populate_by_name=True)

    link: str
    first: Annotated[str, Field(alias="from")]


class FormsWords(_Shape):
    """Everything in `words.yaml`."""

    forms: Mapping[str, FormWords]
    introduction: Both
    sections: tuple[SectionWords, ...]
    shown_when: Mapping[str, Mapping[str, tuple[bool | str, ...]]]
    none: Both
    codes: Mapping[str, Mapping[str, tuple[str, str]]]

    def of_code(self, fact: str, code: str) -> Both:
        """A code in words; where nobody worded it, the code itself with spaces."""
        known = self.codes.get(fact, {}).get(code)
        if known is None:
            plain = code.replace("-", " ").replace("_", " ")
            return Both(en=plain, es=plain)
        return Both(en=known[0], es=known[1])


@dataclass(frozen=True, slots=True)
class Section:
    """The facts under one heading, in the order of asking."""

    words: SectionWords
    facts: tuple[FactDefinition, ...]


@dataclass(frozen=True, slots=True)
class Form:
    """One questionnaire, before it is FHIR."""

    name: str
    words: FormWords
    sections: tuple[Section, ...]

    @property
    def facts(self) -> tuple[str, ...]:
        return tuple(fact.name for section in self.sections for fact in section.facts)


@cache
def load_words() -> FormsWords:
    """The words of the forms."""
    return FormsWords.model_validate(yaml.safe_load(_WORDS.read_text("utf-8")))


def build_forms(library: Library) -> dict[str, Form]:
    """Every form by name, from the policies of this deployment."""
    words = load_words()
    return {
        name: Form(
            name, said, _sections(_asked(library, name, said.services), library.dictionary, words)
        )
        for name, said in words.forms.items()
    }


def _asked(library: Library, form: str, services: tuple[str, ...]) -> list[FactDefinition]:
    """In the order of the dictionary: what is used, and what is only kept."""
    facts = library.dictionary
    if form == ROSTER:
        return [fact for fact in facts.values() if fact.roster]
    read = {code: _used(library, code) for code in _services(library)}
    used = frozenset[str]().union(*(read.get(service, frozenset()) for service in services))
    anywhere = frozenset[str]().union(*read.values())
    return [
        fact
        for name, fact in facts.items()
        if fact.forms and (name in used or (form in fact.forms and name not in anywhere))
    ]


def _services(library: Library) -> set[str]:
    return {code for policy in library.versions.values() for code in policy.data.services}


def _used(library: Library, service: str) -> frozenset[str]:
    return facts_used(library.versions.values(), service, library.dictionary)


def _sections(
    facts: list[FactDefinition], dictionary: Dictionary, words: FormsWords
) -> tuple[Section, ...]:
    """The facts under their headings, which run from one fact of the dictionary to another."""
    starts = {section.first: section for section in words.sections}
    asked = {fact.name for fact in facts}
    current = words.sections[0]
    found: dict[str, tuple[SectionWords, list[FactDefinition]]] = {}
    for name, fact in dictionary.items():
        current = starts.get(name, current)
        if name in asked:
            found.setdefault(current.link, (current, []))[1].append(fact)
    return tuple(Section(said, tuple(listed)) for said, listed in found.values())
