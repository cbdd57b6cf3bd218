"""Builds the published referral forms, and renders each as a FHIR Questionnaire (R4).

`build_forms`: a form asks for every fact that a policy reads to decide one of the form's services,
without the facts known from resources (age, county, coverage: facts.md 1.3, 3.1). A form also asks
for the facts about the request that no rule reads.

`render`: the texts are in English, with Spanish beside each text. The `linkId` of a question is the
name of the fact; `app.fhir.facts_answers` reads the answers. No question is `required`
(G26 p.99-100).
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import orjson
import yaml
from pydantic import BaseModel, ConfigDict, Field

from app.fhir.r4 import codes
from app.policy.consistency import facts_used
from app.policy.dictionary import Dictionary, FactDefinition, load_dictionary
from app.policy.library import Library

#: The form for facts that a plan's roster knows; other senders may state them, too (facts.md 3.2).
ROSTER = "roster"
_WORDS = Path(__file__).with_name("words.yaml")


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Both(_Shape):
    """A text in English and in Spanish."""

    en: str
    es: str


class FormWords(Both):
    """The title of a form, and the services of the form."""

    services: tuple[str, ...]


class SectionWords(Both):
    """The heading of a section, and the fact at which the section begins."""

    model_config = ConfigDict(populate_by_name=True)

    link: str
    first: Annotated[str, Field(alias="from")]


class FormsWords(_Shape):
    """All texts of `words.yaml`."""

    forms: Mapping[str, FormWords]
    introduction: Both
    summary: Both
    gate: Both
    then: Both
    not_offered: Both
    announced: Both
    population: Both
    sections: tuple[SectionWords, ...]
    shown_when: Mapping[str, Mapping[str, tuple[bool | str, ...]]]


@dataclass(frozen=True, slots=True)
class FormSection:
    """One heading with its facts, in the order of asking."""

    words: SectionWords
    facts: tuple[FactDefinition, ...]


@dataclass(frozen=True, slots=True)
class Form:
    """One form, before `render` makes a FHIR Questionnaire of it."""

    name: str
    words: FormWords
    sections: tuple[FormSection, ...]

    @property
    def facts(self) -> tuple[str, ...]:
        return tuple(fact.name for section in self.sections for fact in section.facts)


@cache
def load_words() -> FormsWords:
    """Read the words of the forms."""
    return FormsWords.model_validate(yaml.safe_load(_WORDS.read_text("utf-8")))


def build_forms(library: Library) -> dict[str, Form]:
    """Build every form, by name, from the policies of this deployment."""
    words = load_words()
    return {
        name: Form(
            name, form, _sections(_asked(library, name, form.services), library.dictionary, words)
        )
        for name, form in words.forms.items()
    }


def _asked(library: Library, form: str, services: tuple[str, ...]) -> list[FactDefinition]:
    """List the facts of a form, in the order of the dictionary: the facts that its services read,
    and the facts of this form that no service reads.
    """
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
) -> tuple[FormSection, ...]:
    """Put the facts under their headings. A heading covers the dictionary from its first fact to
    the first fact of the next heading.
    """
    starts = {section.first: section for section in words.sections}
    asked = {fact.name for fact in facts}
    current = words.sections[0]
    sections: dict[str, tuple[SectionWords, list[FactDefinition]]] = {}
    for name, fact in dictionary.items():
        current = starts.get(name, current)
        if name in asked:
            sections.setdefault(current.link, (current, []))[1].append(fact)
    return tuple(FormSection(heading, tuple(listed)) for heading, listed in sections.values())


# The form as a Questionnaire

FormTree = dict[str, Any]

_TYPES: Mapping[str, str] = {
    "boolean": "boolean",
    "code": "choice",
    "code-list": "choice",
    "integer": "integer",
    "money": "decimal",
    "text": "text",
    "date": "date",
}
_EVENTS = "utilization"
_PUBLISHER = "No Wrong Door"


def render(form: Form, words: FormsWords, beginning: Sequence[FormTree] = ()) -> FormTree:
    """Make the Questionnaire, with the items of `beginning` before its sections. Its version is a
    digest of its content: a changed text changes the version.
    """
    made: FormTree = {
        "resourceType": "Questionnaire",
        "id": form.name,
        "url": codes.QUESTIONNAIRE + form.name,
        "name": "".join(part.capitalize() for part in form.name.split("-")) + "Form",
        **in_both("title", form.words),
        "status": "active",
        "experimental": False,
        "subjectType": ["Patient"],
        "publisher": _PUBLISHER,
        **in_both("description", words.introduction),
    }
    if form.words.services:
        made["useContext"] = [_use(service) for service in form.words.services]
    asked = frozenset(form.facts)
    made["item"] = [*beginning, *(_section(section, asked, words) for section in form.sections)]
    version = hashlib.sha256(orjson.dumps(made)).hexdigest()[:12]
    return {**made, "version": version, "meta": {"versionId": version}}


def in_both(element: str, words: Both) -> FormTree:
    """Make an element in English, with the Spanish text as its extension."""
    spanish = {
        "url": codes.TRANSLATION,
        "extension": [
            {"url": "lang", "valueCode": "es"},
            {"url": "content", "valueString": words.es},
        ],
    }
    return {element: words.en, f"_{element}": {"extension": [spanish]}}


def _use(service: str) -> FormTree:
    return {
        "code": {"system": codes.USAGE_CONTEXT, "code": "program"},
        "valueCodeableConcept": {
            "coding": [codes.coding(codes.CALAIM_SERVICE, service, codes.SERVICES)]
        },
    }


def _section(section: FormSection, asked: frozenset[str], words: FormsWords) -> FormTree:
    return {
        "linkId": f"section-{section.words.link}",
        **in_both("text", section.words),
        "type": "group",
        "item": list(_items(section.facts, asked, words)),
    }


def _items(
    facts: tuple[FactDefinition, ...], asked: frozenset[str], words: FormsWords
) -> Iterator[FormTree]:
    """Make the questions of a section; the questions about an event are in a repeating group."""
    parts = [fact for fact in facts if fact.name.startswith(f"{_EVENTS}.")]
    for fact in facts:
        if fact.type == "events":
            group = {**_head(fact), "type": "group", "repeats": True}
            yield group | {"item": [_question(part, asked, words) for part in parts]}
        elif fact not in parts:
            yield _question(fact, asked, words)


def _head(fact: FactDefinition) -> FormTree:
    words = Both(en=fact.question, es=fact.question_es)
    return {
        "linkId": fact.name,
        "code": [{"system": codes.FACT, "code": fact.name.replace(".", "-")}],
        **in_both("text", words),
    }


def _question(fact: FactDefinition, asked: frozenset[str], words: FormsWords) -> FormTree:
    item: FormTree = {**_head(fact), "type": _TYPES[fact.type]}
    item.update(_shown_when(fact, asked, words))
    if fact.type == "code-list":
        item["repeats"] = True
    if fact.codes:
        item["answerOption"] = [{"valueCoding": option} for option in _options(fact)]
    return item


def _shown_when(fact: FactDefinition, asked: frozenset[str], words: FormsWords) -> FormTree:
    conditions = []
    for question, answers in words.shown_when.get(fact.name, {}).items():
        if question in asked:
            conditions += [_condition(question, answer) for answer in answers]
    if not conditions:
        return {}
    behavior = {"enableBehavior": "any"} if len(conditions) > 1 else {}
    return {"enableWhen": conditions, **behavior}


def _condition(question: str, answer: bool | str) -> FormTree:
    condition: FormTree = {"question": question, "operator": "="}
    if isinstance(answer, bool):
        return condition | {"answerBoolean": answer}
    coding = {"system": codes.fact_system(question), "code": answer}
    return condition | {"answerCoding": coding}


def _options(fact: FactDefinition) -> Iterator[FormTree]:
    """List every code with its words; a list of codes also has `none`: known to be empty."""
    system = codes.fact_system(fact.name)
    for code in fact.codes:
        english, spanish = fact.of_code(code)
        if system == codes.CALAIM_SERVICE:
            name = codes.SERVICES.get(code, code)
            yield {"system": system, "code": code, "display": name}
        else:
            yield {
                "system": system,
                "code": code,
                **in_both("display", Both(en=english, es=spanish)),
            }
    if fact.type == "code-list":
        english, spanish = load_dictionary().none
        words = Both(en=english, es=spanish)
        yield {"system": system, "code": "none", **in_both("display", words)}
