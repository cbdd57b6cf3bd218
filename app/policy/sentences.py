"""Words one criterion together with its answer: `Days in a row in the nursing facility: 59; 60 are
needed`.

PURE. The words of the criterion come from `phrases.py`; the answer, its numbers and the document
that stated a fact come from the determination. `explain.py` chooses the criteria to show.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import yaml

from app.policy.criteria import ANNOUNCED, BY_A_PERSON, NOT_LIVE, NOT_STATED, OF_THE_PLAN
from app.policy.model import Criterion
from app.policy.phrases import AMONG, COMPARED, SIZE, Phrases

_WORDS: Mapping[str, Mapping[str, str]] = yaml.load(
    Path(__file__).with_suffix(".yaml").read_text("utf-8"), Loader=yaml.CSafeLoader
)
_YES: Mapping[bool | None, str] = {True: "Yes", False: "No", None: "Not known"}
_MET: Mapping[bool | None, str] = {True: "Met", False: "Not met", None: "Not known yet"}
_APPLIES: Mapping[bool | None, str] = {
    True: "It applies",
    False: "It does not apply",
    None: "Not known, so it does not count",
}
_NUMBERS = {"1": "one of these is", "2": "two of these are", "3": "three of these are"}
#: `4 or more, from 2023-10-02 to 2024-04-02`: a number, and the months in which it was counted.
_NUMBER = re.compile(r"(between )?(\d[\d.]*)( or more| and \d[\d.]*)?(, from (\S+) to (\S+))?")
_OPEN_LIST = "the list of visits and stays is not said to be complete"
#: Details of criteria that are no sentence of their own.
_DETAILS = {
    ANNOUNCED: "the plan has announced it without a date",
    BY_A_PERSON: "a person decides about this group",
}


def source_in_words(source: str) -> str:
    """Name the documents that stated a fact: `QuestionnaireResponse/x, Condition/y` → `form and
    diagnosis`.
    """
    known = _WORDS["sources"]
    kinds = [each.partition("/")[0].partition(".")[0] for each in source.split(", ")]
    named = [known.get("contained" if kind.startswith("#") else kind) for kind in kinds]
    return " and ".join(dict.fromkeys(filter(None, named))) or source


class Sentences:
    """Words criteria with their answers in English, by the phrases of one policy version."""

    def __init__(self, phrases: Phrases) -> None:
        self._phrases = phrases

    def name(self, name: str) -> str:
        """Word the name of a criterion alone."""
        return self._phrases.of(name)

    def group(self, node: Criterion, way: str = "") -> str:
        """Word a criterion that has parts, without the parts. `way`: the one way that is open."""
        name = self._phrases.of(node.name)
        if name.endswith("?"):
            return f"{name} {_YES[node.result]}"
        which = f" ({way[:1].lower()}{way[1:]})" if way else ""
        remark = self._remark(node.detail, "but" if node.result is True else "and")
        return f"{name}{which}: {_MET[node.result]}{remark}"

    def leaf(self, node: Criterion, called: str = "") -> str:
        """Word a criterion that has no parts. `called`: the name by which the policy defines it."""
        name = node.name
        if name.startswith("excluded: "):
            answer = _APPLIES[node.result]
            return f"{self._phrases.of(name)}: {answer}{self._in_brackets(node)}"
        if name.startswith("within limit: ") or name.endswith(" offered"):
            return f"{self._phrases.of(name)}: {_YES[node.result]}{self._remark(node.detail)}"
        if self._phrases.names_population(name):
            return self.group(node)
        if called or node.detail == OF_THE_PLAN:
            return self._answered(self._phrases.of(called or name), node, called=bool(called))
        if match := SIZE.fullmatch(name):
            return self._listed(node, match[1], match[3])
        if match := AMONG.fullmatch(name):
            return self._looked_for(node, match)
        if match := COMPARED.fullmatch(name):
            return self._compared(node, match)
        return self._answered(self._phrases.of(name), node)

    def _answered(self, name: str, node: Criterion, *, called: bool = False) -> str:
        between = " " if name.endswith("?") else ": "
        brackets = self._in_brackets(node, called=called)
        return f"{name}{between}{_YES[node.result]}{brackets}"

    @staticmethod
    def _remark(detail: str, joined: str = "but") -> str:
        if detail.startswith(NOT_LIVE):
            _, _, begins = detail.partition("; ")
            return f", {joined} not live here on this date{f' ({begins})' if begins else ''}"
        return f"; {_DETAILS.get(detail, detail)}" if detail and detail != NOT_STATED else ""

    # What was stated, and by which document

    def _stated(self, node: Criterion) -> tuple[str, list[str], str]:
        """Split a detail `residence: snf (form)` into the fact, its values and the source."""
        fact, colon, rest = node.detail.partition(": ")
        if not colon or fact not in self._phrases.dictionary:
            source = "" if node.detail == NOT_STATED else node.detail
            return "", [], source_in_words(source)
        stated, _, source = rest.rpartition(" (")
        values = [self._phrases.code(fact, code) for code in stated.split(", ")]
        return fact, values, source_in_words(source.removesuffix(")"))

    def _in_brackets(self, node: Criterion, *, called: bool = False) -> str:
        """Show in brackets what a yes or no rests on: the document, and the fact if another."""
        fact, values, source = self._stated(node)
        if called:
            return f" ({source}: {'; '.join(values)})" if values else ""
        if fact and fact != node.name:
            question = self._phrases.question(fact)
            between = " " if question.endswith("?") else ": "
            source = f"{source}: {question}{between}{'; '.join(values)}"
        return f" ({source})" if source else ""

    def _values(self, node: Criterion) -> str:
        _, values, source = self._stated(node)
        if not values:
            return _YES[None]
        shown = "; ".join(values)
        return f"{shown[:1].upper()}{shown[1:]} ({source})"

    def _listed(self, node: Criterion, fact: str, number: str) -> str:
        said = f"{self._phrases.question(fact)} {self._values(node)}"
        if node.result is True:
            return f"{said}, met"
        needed = _NUMBERS.get(number, f"{number} of these are")
        return f"{said}; {needed} needed{self._phrases.choices(fact)}"

    def _looked_for(self, node: Criterion, match: re.Match[str]) -> str:
        said = f"{self._phrases.question(match[1])} {self._values(node)}"
        codes = (match[2] if match[2] is not None else match[3]).split(", ")
        looked_for = " or ".join(self._phrases.code(match[1], code) for code in codes)
        return f"{said}, met" if node.result is True else f"{said}; looked for: {looked_for}"

    # Numbers

    def _compared(self, node: Criterion, match: re.Match[str]) -> str:
        terms, operator, needed = match[1].split(" + "), match[2], match[3]
        if terms == ["age"]:
            known = "not known" if node.detail == NOT_STATED else f"{node.detail} years"
            short = (
                "" if node.result is True else f"; {self._needed('age_needed', operator, needed)}"
            )
            return f"Age: {known}{short}"
        counted = any(self._phrases.count(term) for term in terms)
        value, window = self._value(node.detail, terms[0], counted=counted)
        name = self._phrases.sum_of(terms, windowed=not window)
        between = " " if name.endswith("?") else ": "
        if counted and operator == ">=" and node.result is not True:
            said = f"{name}{between}{value} of {needed}{window}"
        else:
            said = f"{name}{between}{value}{window}; {self._needed('needed', operator, needed)}"
            said = f"{said}, met" if node.result is True else said
        return said if node.result is not None or not counted else f"{said}; {_OPEN_LIST}"

    def _value(self, detail: str, term: str, *, counted: bool) -> tuple[str, str]:
        """Word a number that may lie between two bounds, and the months in which it was counted."""
        number = _NUMBER.fullmatch(detail)
        if number is None:
            known = "none known" if counted and detail == NOT_STATED else detail
            return "not known" if known == NOT_STATED else known, ""
        between, least, more, dated, first, last = number.groups(default="")
        value = f"at least {least}" if more == " or more" else f"{between}{least}{more}"
        value = "none" if counted and value == "0" else value
        rule = self._phrases.count(term)
        if not dated or rule is None:
            return value, ""
        return value, f" in the {rule.months} months from {first} to {last}"

    def _needed(self, kind: str, operator: str, number: str) -> str:
        words: str = _WORDS[kind][operator]
        said = words.format(n=number)
        return said.replace("1 are", "1 is") if number == "1" else said
