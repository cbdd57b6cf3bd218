"""A referral form as a FHIR Questionnaire (R4), in English with Spanish beside every text.

`linkId` = the fact's name; what comes back is read by `app.fhir.facts_answers`. Nothing is ever
`required` (G26 p.99-100). What a form asks is `app.views.forms.form`.
"""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from app.fhir import codes
from app.policy.dictionary import FactDefinition
from app.views.forms.form import Both, Form, FormsWords, Section

Json = dict[str, Any]

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


def render(form: Form, words: FormsWords) -> Json:
    """The resource. Its version follows from its content: another text is another version."""
    made: Json = {
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


def _text(element: str, words: Both) -> Json:
    """An element in English, with its Spanish beside it."""
    spanish = {
        "url": codes.TRANSLATION,
        "extension": [
            {"url": "lang", "valueCode": "es"},
            {"url": "content", "valueString": words.es},
        ],
    }
    return {element: words.en, f"_{element}": {"extension": [spanish]}}


def _use(service: str) -> Json:
    return {
        "code": {"system": codes.USAGE_CONTEXT, "code": "program"},
        "valueCodeableConcept": {
            "coding": [codes.coding(codes.CALAIM_SERVICE, service, codes.SERVICES)]
        },
    }


def _section(section: Section, asked: frozenset[str], words: FormsWords) -> Json:
    return {
        "linkId": f"section-{section.words.link}",
        **_text("text", section.words),
        "type": "group",
        "item": list(_items(section.facts, asked, words)),
    }


def _items(
    facts: tuple[FactDefinition, ...], asked: frozenset[str], words: FormsWords
) -> Iterator[Json]:
    """A section's questions; the parts of an event stand within its repeating group."""
    parts = [fact for fact in facts if fact.name.startswith(f"{_EVENTS}.")]
    for fact in facts:
        if fact.type == "events":
            group = {**_head(fact), "type": "group", "repeats": True}
            yield group | {"item": [_question(part, asked, words) for part in parts]}
        elif fact not in parts:
            yield _question(fact, asked, words)


def _head(fact: FactDefinition) -> Json:
    words = Both(en=fact.question, es=fact.question_es)
    return {
        "linkId": fact.name,
        "code": [{"system": codes.FACT, "code": fact.name.replace(".", "-")}],
        **_text("text", words),
    }


def _question(fact: FactDefinition, asked: frozenset[str], words: FormsWords) -> Json:
    item: Json = {**_head(fact), "type": _TYPES[fact.type]}
    item.update(_shown_when(fact, asked, words))
    if fact.type == "code-list":
        item["repeats"] = True
    if fact.codes:
        item["answerOption"] = [{"valueCoding": option} for option in _options(fact, words)]
    return item


def _shown_when(fact: FactDefinition, asked: frozenset[str], words: FormsWords) -> Json:
    conditions = []
    for question, answers in words.shown_when.get(fact.name, {}).items():
        if question in asked:
            conditions += [_condition(question, answer) for answer in answers]
    if not conditions:
        return {}
    behavior = {"enableBehavior": "any"} if len(conditions) > 1 else {}
    return {"enableWhen": conditions, **behavior}


def _condition(question: str, answer: bool | str) -> Json:
    condition: Json = {"question": question, "operator": "="}
    if isinstance(answer, bool):
        return condition | {"answerBoolean": answer}
    coding = {"system": codes.fact_system(question), "code": answer}
    return condition | {"answerCoding": coding}


def _options(fact: FactDefinition, words: FormsWords) -> Iterator[Json]:
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
