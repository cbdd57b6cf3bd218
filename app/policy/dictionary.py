"""The dictionary of facts: each fact with its type, its codes and its question.

This module loads `facts.yaml`. `app/fhir` knows how a fact is written in FHIR; the files of a plan
say which facts the plan needs.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

FactType = Literal["boolean", "code", "code-list", "integer", "money", "text", "date", "events"]

#: Facts that Patient and Coverage state; no form asks for them (facts.md 3.1).
KNOWN_FROM_RESOURCES = frozenset(
    {"age", "county", "line_of_business", "coverage_active", "delegated_to", "race"}
)

FACTS_FILE = Path(__file__).with_name("facts.yaml")


@dataclass(frozen=True, slots=True)
class FactDefinition:
    """One fact. `codes` is complete, unless `open`: then an unlisted code counts as `other`."""

    name: str
    type: FactType
    codes: tuple[str, ...]
    open: bool
    question: str
    question_es: str
    forms: tuple[str, ...]  # the published questionnaires that ask it; none: never asked
    roster: bool  # the plan's roster may state it, and wins over the payload (facts.md 3.2)
    citation: str = ""


class Dictionary(Mapping[str, FactDefinition]):
    """All facts by name, in the order in which the forms ask them."""

    def __init__(
        self, facts: Mapping[str, FactDefinition], beside: Mapping[str, tuple[str, str]]
    ) -> None:
        self._facts = dict(facts)
        self._beside = dict(beside)

    def __getitem__(self, name: str) -> FactDefinition:
        return self._facts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._facts)

    def __len__(self) -> int:
        return len(self._facts)

    def question(self, name: str, language: str = "en") -> str:
        """Return the question that asks for `name` (a fact, or `service`), in English or Spanish
        (`es`).
        """
        if name in self._beside:
            english, spanish = self._beside[name]
        elif name in self._facts:
            english, spanish = self._facts[name].question, self._facts[name].question_es
        else:
            return name
        return spanish if language.startswith("es") else english


class _Words(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    question: str
    question_es: str


class _Entry(_Words):
    type: FactType
    codes: tuple[str, ...] = ()
    open: bool = False
    forms: tuple[str, ...] = ()
    roster: bool = False
    citation: str = ""


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    questions_beside_facts: dict[str, _Words]
    facts: dict[str, _Entry]


@cache
def load_dictionary(path: Path = FACTS_FILE) -> Dictionary:
    """Read the dictionary. Raises `ValueError` that names the entry at fault."""
    text = path.read_text(encoding="utf-8")
    try:
        read = _File.model_validate(yaml.load(text, Loader=yaml.CSafeLoader))
    except (ValidationError, yaml.YAMLError) as fault:
        raise ValueError(f"{path.name}: {fault}") from None
    facts = {name: FactDefinition(name=name, **dict(entry)) for name, entry in read.facts.items()}
    beside = {n: (w.question, w.question_es) for n, w in read.questions_beside_facts.items()}
    return Dictionary(facts, beside)
