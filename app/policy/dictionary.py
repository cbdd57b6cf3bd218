"""The dictionary of facts: each fact with its type, its codes, its question and its choices.

This module loads `facts.yaml`, and the words of codes from `choices.yaml`. `app/fhir` knows how a
fact is written in FHIR; the files of a plan say which facts the plan needs.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from app.policy.read_files import read_shape

FactType = Literal["boolean", "code", "code-list", "integer", "money", "text", "date", "events"]

#: Facts that Patient and Coverage state; no form asks for them (facts.md 3.1).
KNOWN_FROM_RESOURCES = frozenset(
    {"age", "county", "line_of_business", "coverage_active", "delegated_to", "race"}
)

FACTS_FILE = Path(__file__).with_name("facts.yaml")
_CHOICES_FILE = Path(__file__).with_name("choices.yaml")
#: The question for the claim of an ECM referral (S004:L100); an input, and no fact of the member.
POPULATION = "population_of_focus"

#: A text in English and in Spanish.
TwoLanguages = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Concerned:
    """Whom a question can concern, by sex and age in years; with sex or age unknown, everybody."""

    sex: str | None = None
    youngest: int = 0
    oldest: int = 150

    def concerns(self, sex: str | None, ages: tuple[int, int] | None) -> bool:
        """Tell whether the question can concern a person. `ages`: the ages that the person may
        have. Example: no man and nobody of 62 is asked for a pregnancy.
        """
        if self.sex and sex in ("male", "female") and sex != self.sex:
            return False
        return ages is None or (ages[1] >= self.youngest and ages[0] <= self.oldest)


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
    asked_of: Concerned | None = None  # None: everybody
    seldom: bool = False  # holds for few members: other questions come before it
    names_choices: bool = False  # the question itself says what may be answered
    #: The words of each code that has any.
    choices: Mapping[str, TwoLanguages] = field(default_factory=dict)

    def of_code(self, code: str) -> TwoLanguages:
        """Word a code; a code without words becomes `foster-care` → `foster care`."""
        plain = code.replace("-", " ").replace("_", " ")
        return self.choices.get(code, (plain, plain))


class Dictionary(Mapping[str, FactDefinition]):
    """All facts by name, in the order in which the forms ask them."""

    def __init__(
        self,
        facts: Mapping[str, FactDefinition],
        beside: Mapping[str, TwoLanguages],
        none: TwoLanguages,
    ) -> None:
        #: The answer to a list of codes that says: none of these.
        self.none = none
        self._facts = dict(facts)
        #: The facts that hold for few members.
        self.seldom = frozenset(fact.name for fact in facts.values() if fact.seldom)
        self._particular = [fact for fact in facts.values() if fact.asked_of]
        self._beside = dict(beside)

    def __getitem__(self, name: str) -> FactDefinition:
        return self._facts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._facts)

    def __len__(self) -> int:
        return len(self._facts)

    def asks(self, name: str) -> bool:
        """Tell whether there is a question for `name`: a fact, or what is asked beside facts."""
        return name in self._facts or name in self._beside

    def needless(self, sex: str | None, ages: tuple[int, int] | None) -> frozenset[str]:
        """List the facts whose question cannot concern a person of this sex and age."""
        return frozenset(
            fact.name
            for fact in self._particular
            if fact.asked_of and not fact.asked_of.concerns(sex, ages)
        )

    def question(self, name: str, language: str = "en") -> str:
        """Return the question that asks for `name` (a fact, `service`, `population_of_focus`), in
        English or Spanish (`es`), with its choices where the question does not name them itself.
        """
        which = 1 if language.startswith("es") else 0
        if name in self._beside:
            return self._beside[name][which]
        if name not in self._facts:
            return name
        fact = self._facts[name]
        asked = fact.question_es if which else fact.question
        if fact.names_choices or not fact.choices:
            return asked
        listed = [*fact.choices.values(), *([self.none] if fact.type == "code-list" else [])]
        return with_choices(asked, (words[which] for words in listed), language)


def with_choices(question: str, choices: Iterable[str], language: str = "en") -> str:
    """Add its choices to a question: `Which service? Choices: housing deposits; meals.`"""
    word = "Opciones" if language.startswith("es") else "Choices"
    return f"{question} {word}: {'; '.join(choices)}."


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
    asked_of: Concerned | None = None
    names_choices: bool = False
    seldom: bool = False


class _Choices(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    none: TwoLanguages
    facts: dict[str, dict[str, TwoLanguages]]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    questions_beside_facts: dict[str, _Words]
    facts: dict[str, _Entry]


@cache
def load_dictionary(path: Path = FACTS_FILE) -> Dictionary:
    """Read the dictionary. Raises `ValueError` that names the entry at fault."""
    read, worded = read_shape(path, _File), read_shape(_CHOICES_FILE, _Choices)
    facts = {
        name: FactDefinition(name=name, **dict(entry), choices=_choices(name, entry, worded))
        for name, entry in read.facts.items()
    }
    beside = {n: (w.question, w.question_es) for n, w in read.questions_beside_facts.items()}
    return Dictionary(facts, beside, worded.none)


@cache
def facts_of_roster() -> frozenset[str]:
    """Name the facts for which a plan's roster holds over the payload (facts.md 3.1, 3.2)."""
    return KNOWN_FROM_RESOURCES.union(n for n, fact in load_dictionary().items() if fact.roster)


def _choices(name: str, entry: _Entry, worded: _Choices) -> Mapping[str, TwoLanguages]:
    """List the words of a fact's codes. Raises `ValueError` for words of another code."""
    words = worded.facts.get(name, {})
    if unknown := [code for code in words if code not in entry.codes]:
        raise ValueError(f"{_CHOICES_FILE.name}: {name} has no code {', '.join(unknown)}")
    return {code: words[code] for code in entry.codes if code in words}
