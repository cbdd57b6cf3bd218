"""Puts criteria into plain words, in English and, for letters, in Spanish.

`Phrases` words the name of one criterion: `ed_avoidable_in_any_6m >= 5` → "Avoidable emergency
visits in any 6 months of the last 12: 5 or more". The words come from the questions of the
dictionary, the counts and names of the policy, and `phrases.yaml`. `explain.py` selects the
criteria to show. `criterion_in_words` words a whole criterion of a plan, without a member.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from app.policy.criteria import All, AnyOf, Defined, EcmEligible, Harmless, Node, Opposite
from app.policy.dictionary import Dictionary
from app.policy.library import Library
from app.policy.policy import Policy
from app.policy.schema import Count
from app.policy.vocabulary import translated

#: The names of leaves that compare a number, count the codes of a list, and look for codes.
COMPARED = re.compile(r"([a-z0-9_ +]+) (<=|>=|==|!=|<|>) (\d+(?:\.\d+)?)")
SIZE = re.compile(r"n\(([a-z0-9_]+)\) (<=|>=|==|!=|<|>) (\d+)")
AMONG = re.compile(r"([a-z0-9_]+) (?:== \"([^\"]*)\"|in \[([^\]]*)\])")
#: How the name of an exclusion and of a limit begins → its words.
_PREFIXES = {"excluded": "excluded", "within limit": "within"}
_WORDS: Mapping[str, Mapping[str, Any]] = yaml.load(
    Path(__file__).with_suffix(".yaml").read_text("utf-8"), Loader=yaml.CSafeLoader
)


class Phrases:
    """Words criteria of one policy version; without a policy, from the dictionary alone."""

    def __init__(self, dictionary: Dictionary, policy: Policy | None, language: str = "en") -> None:
        self.dictionary = dictionary
        self.policy = policy
        self._language = language if language in _WORDS else "en"
        self._words = _WORDS[self._language]
        self._known: dict[str, str] = {}

    def of(self, name: str) -> str:
        """Word the name of a criterion; a name without words stays nearly as it is."""
        known = self._known.get(name)
        if known is None:
            known = self._known[name] = self._find(name)
        return known

    def _find(self, name: str) -> str:
        if name in self._words["alone"]:
            return str(self._words["alone"][name])
        if name in self.dictionary:
            return self.question(name)
        for pattern, words in (
            (SIZE, self._size),
            (AMONG, self._among),
            (COMPARED, self._compared),
        ):
            if match := pattern.fullmatch(name):
                return words(match)
        return self._named(name)

    def question(self, fact: str) -> str:
        """Return the question that asks for a fact, without the explanation after the `?`."""
        if fact in self._words["alone"]:
            return str(self._words["alone"][fact])
        known = self.dictionary.get(fact)
        if known is None:
            return self.dictionary.question(fact, self._language)
        asked = known.question_es if self._language == "es" else known.question
        question, mark, _ = asked.partition("?")
        return question + mark

    def _size(self, match: re.Match[str]) -> str:
        return f"{self.question(match[1])} {self._amount(match[2], match[3])}"

    def _among(self, match: re.Match[str]) -> str:
        codes = (match[2] if match[2] is not None else match[3]).split(", ")
        among = "; ".join(self.code(match[1], code) for code in codes)
        words: str = self._words["looked_for"]
        return words.format(question=self.question(match[1]), codes=among)

    def code(self, fact: str, code: str) -> str:
        """Word a code of a fact; any other value stays as it is."""
        known = self.dictionary.get(fact)
        if known is None or known.type not in ("code", "code-list"):
            return code
        if self.policy and code in self.policy.data.services:
            return translated(self.policy.data.services[code].name, self._language)
        if code == "none" and known.type == "code-list":
            return self.dictionary.none[self._language == "es"]
        return known.of_code(code)[self._language == "es"]

    def _compared(self, match: re.Match[str]) -> str:
        terms = match[1].split(" + ")
        if terms == ["age"]:
            words: str = self._words["age"]
            return words.format(amount=self._amount(match[2], match[3]))
        words = self.sum_of(terms)
        between = " " if words.endswith("?") else ": "
        return f"{words}{between}{self._amount(match[2], match[3])}"

    def sum_of(self, terms: Sequence[str], *, windowed: bool = True) -> str:
        """Word a sum of numbers and counts; not `windowed`: without the months of a count."""
        first, *others = (self._term(term, windowed=windowed) for term in terms)
        plus = f" {self._words['plus']} "
        return plus.join([first, *(other[:1].lower() + other[1:] for other in others)])

    def choices(self, fact: str) -> str:
        """List what may be answered, unless the question names it: `: mental illness; HIV …`."""
        known = self.dictionary[fact]
        if known.names_choices or not known.choices:
            return ""
        return ": " + "; ".join(self.code(fact, code) for code in known.codes)

    def names_population(self, name: str) -> bool:
        """Tell whether a criterion is a population of the policy."""
        return self.policy is not None and name in self.policy.data.populations

    def count(self, term: str) -> Count | None:
        """Return the count of visits and stays that the policy names so."""
        return self.policy.data.counts.get(term) if self.policy else None

    def _term(self, term: str, *, windowed: bool) -> str:
        count = self.count(term)
        return self.question(term) if count is None else self._counted(count, windowed=windowed)

    def _counted(self, count: Count, *, windowed: bool) -> str:
        """Word a count: `Avoidable emergency visits in any 6 months of the last 12`."""
        words, either = self._words, f" {self._words['or']} "
        which = [words[w] for w in ("avoidable", "unplanned") if getattr(count, w)]
        causes = either.join(words["causes"][reason] for reason in count.reasons)
        window = words["any" if count.window == "any" else "last"]
        text = words["count"].format(
            which=" ".join(which),
            events=either.join(words["events"][kind] for kind in count.types),
            because=words["because"].format(causes=causes) if causes else "",
            window=window.format(months=count.months, looking_back=count.looking_back)
            if windowed
            else "",
        )
        text = " ".join(text.split())
        return text[:1].upper() + text[1:]

    def _amount(self, operator: str, number: str) -> str:
        words: str = self._words["operators"][operator]
        return words.format(n=number)

    def _named(self, name: str) -> str:
        kind, colon, rest = name.partition(": ")
        if colon and kind in _PREFIXES:
            return str(self._words[_PREFIXES[kind]]).format(name=rest)
        data = self.policy.data if self.policy else None
        service, offered = name.removesuffix(" offered"), name.endswith(" offered")
        if data and name in data.populations:
            return translated(data.populations[name].name, self._language)
        if data and service in data.services:
            named = translated(data.services[service].name, self._language)
            return str(self._words["offered" if offered else "criteria_of"]).format(service=named)
        words = name.replace("_", " ")
        return words[:1].upper() + words[1:]


@lru_cache(maxsize=64)
def phrases(library: Library, version: str | None, language: str = "en") -> Phrases:
    """Return the phrases of one policy version, in English where a language has no phrases."""
    policy = library.version(version) if version else None
    return Phrases(library.dictionary, policy, language)


_JOINS = {All: "all of", AnyOf: "any of"}


def criterion_in_words(node: Node, words: Phrases) -> str:
    """Word a whole criterion: one line for each part, indented below the part that holds it."""
    return "\n".join(_lines(node, words, 0))


def _lines(node: Node, words: Phrases, depth: int) -> Iterator[str]:
    if isinstance(node, Defined) and node.name not in ("adult", "child"):
        yield from _lines(node.children[0], words, depth)
        return
    if isinstance(node, All | AnyOf):
        if len(node.children) == 1:
            yield from _lines(node.children[0], words, depth)
            return
        yield _line(f"{words.of(_JOINS[type(node)])}:", depth)
    elif isinstance(node, Opposite):
        yield _line(f"{words.of('not')}:", depth)
    elif isinstance(node, Harmless):
        yield _line(f"{words.of('is not true' if node.value else 'is not false')}:", depth)
    else:
        yield _line(words.of(node.name), depth)
        if isinstance(node, Defined | EcmEligible):
            return
    for child in node.children:
        yield from _lines(child, words, depth + 1)


def _line(text: str, depth: int) -> str:
    return f"{'  ' * (depth - 1)}- {text}" if depth else text
