"""The published referral forms: what each asks follows from what the policies read.

A form asks for every fact that some policy reads to decide one of its services, but for those known
from resources (age, county, coverage: facts.md 1.3, 3.1); beside them for the facts about the
request that no rule reads. How a form looks in FHIR is `app.views.forms.questionnaire`.

A referral form as a FHIR Questionnaire (R4), in English with Spanish beside every text.

`linkId` = the fact's name; what comes back is read by `app.fhir.facts_answers`. Nothing is ever
`required` (G26 p.99-100). What a form asks is `app.views.forms.form`.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import orjson
import yaml
from pydantic import BaseModel, ConfigDict, Field

from app.fhir.r4 import codes
from app.policy.consistency import facts_used
from app.policy.dictionary import Dictionary, FactDefinition
from app.policy.library import Library

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
class FormSection:
    """The facts under one heading, in the order of asking."""

    words: SectionWords
    facts: tuple[FactDefinition, ...]


@dataclass(frozen=True, slots=True)
class Form:
    """One questionnaire, before it is FHIR."""

    name: str
    words: FormWords
    sections: tuple[FormSection, ...]

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
) -> tuple[FormSection, ...]:
    """The facts under their headings, which run from one fact of the dictionary to another."""
    starts = {section.first: section for section in words.sections}
    asked = {fact.name for fact in facts}
    current = words.sections[0]
    found: dict[str, tuple[SectionWords, list[FactDefinition]]] = {}
    for name, fact in dictionary.items():
        current = starts.get(name, current)
        if name in asked:
            found.setdefault(current.link, (current, []))[1].append(fact)
    return tuple(FormSection(said, tuple(listed)) for said, listed in found.values())


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


def render(form: Form, words: FormsWords) -> FormTree:
    """The resource. Its version follows from its content: another text is another version."""
    made: FormTree = {
        "resourceType": "Questionnaire",
        "id": form.name,
        "url": codes.QUESTIONNAIRE + form.name,
        "name": "".join(part.capitalize() for part in form.name.split("-")) + "Form",
        **_text("title", form.words),
        "status": "active",
        "experimental": False,
        "subjectType": ["Patient"],
        "publisher": _PUBLISHER,
        **_text("description", words.introduction),
    }
    if form.words.services:
        made["useContext"] = [_use(service) for service in form.words.services]
    asked = frozenset(form.facts)
    made["item"] = [_section(section, asked, words) for section in form.sections]
    version = hashlib.sha256(orjson.dumps(made)).hexdigest()[:12]
    return {**made, "version": version, "meta": {"versionId": version}}


def _text(element: str, words: Both) -> FormTree:
    """An element in English, with its Spanish beside it."""
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
        **_text("text", section.words),
        "type": "group",
        "item": list(_items(section.facts, asked, words)),
    }


def _items(
    facts: tuple[FactDefinition, ...], asked: frozenset[str], words: FormsWords
) -> Iterator[FormTree]:
    """A section's questions; the parts of an event stand within its repeating group."""
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
        **_text("text", words),
    }


def _question(fact: FactDefinition, asked: frozenset[str], words: FormsWords) -> FormTree:
    item: FormTree = {**_head(fact), "type": _TYPES[fact.type]}
    item.update(_shown_when(fact, asked, words))
    if fact.type == "code-list":
        item["repeats"] = True
    if fact.codes:
        item["answerOption"] = [{"valueCoding": option} for option in _options(fact, words)]
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


def _options(fact: FactDefinition, words: FormsWords) -> Iterator[FormTree]:
    """Every code with its words; of a list also `none`, which says that it is known and empty."""
    system = codes.fact_system(fact.name)
    for code in fact.codes:
        said = words.of_code(fact.name, code)
        if system == codes.CALAIM_SERVICE:
            name = codes.SERVICES.get(code, code)
            yield {"system": system, "code": code, "display": name}
        else:
            yield {"system": system, "code": code, **_text("display", said)}
    if fact.type == "code-list":
        yield {"system": system, "code": "none", **_text("display", words.none)}
