"""Lists the criteria that decided a denial, for a letter: each with its result and its source.

PURE. The criteria come from a stored determination; the words come from the policy and the
dictionary.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.base.text import sentence
from app.policy.criteria import OF_THE_PLAN, is_too_early
from app.policy.model import Criterion, Determination, DeterminationOutcome
from app.policy.phrases import Phrases
from app.policy.vocabulary import LetterWords, translated
from app.views.letters.spoken import to_member

#: A letter lists at most so many facts of one criterion: nobody reads a longer list.
_MOST = 8
_EXCLUDED, _LIMIT, _OFFERED = "excluded: ", "within limit: ", " offered"
_GATE = "plan gate"
_ALL, _TURNED = ("all of", "criteria"), ("not", "is not true", "is not false")
_AMOUNTS = re.compile(
    r"used (?P<used>[\d.]+)[^,]*(?:, requested (?P<requested>[\d.]+)[^,]*)?, at most (?P<most>\d+)"
)
_COMPARES = re.compile(r" (<=|>=|==|<|>) \d")
_LISTED = re.compile(r"n\((\w+)\) >= 1")
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Decisive:
    """One criterion against the referral, as a sentence, and the parts of it that decided.

    `group`: a population that the referral does not claim; then `name` is its name alone.
    """

    name: str
    citation: str
    parts: tuple[str, ...] = ()
    group: bool = False
    #: The one thing that was not met; empty where there is more than one way to meet the criterion.
    one_thing: str = ""


def decisive(
    determination: Determination | None,
    claimed: Sequence[str],
    phrases: Phrases,
    words: LetterWords,
    language: str,
    *,
    to_the_member: bool = False,
) -> tuple[Decisive, ...]:
    """List the criteria that decided a denial; none if the rules did not deny.

    An administrative denial is decided before the member's needs, so that no criterion of need is
    listed. Only claimed populations have details: nine populations of "no" would not help a reader.
    """
    if determination is None or determination.outcome is not DeterminationOutcome.DENIED:
        return ()
    writer = _CriterionWriter(phrases, words, language, to_the_member)
    data = phrases.policy.data if phrases.policy else None
    populations = data.populations if data else {}
    needs = {*populations, *(data.services if data else ())} if determination.administrative else ()
    against = [n for n in determination.criteria if n.name not in needs and _against(n)]
    named = {node.name for node in against if node.name in claimed and not is_too_early(node)}
    listed: dict[str, Decisive] = {}
    for node in against:
        group = node.name in populations and node.name not in named and not is_too_early(node)
        if group:
            made = Decisive(writer.population(node), node.citation, group=True)
        elif node.name in populations and node.name not in named:
            made = Decisive(writer.name(node), node.citation)
        else:
            one, parts = writer.one_thing(node), tuple(writer.parts(node))
            made = Decisive(writer.name(node), node.citation, parts, one_thing=one)
        # A population stands once, whatever its parts by age.
        listed.setdefault(made.name, made)
    return tuple(listed.values())


def _against(node: Criterion) -> bool:
    return is_too_early(node) or node.result is node.name.startswith(_EXCLUDED)


class _CriterionWriter:
    """Words criteria in one language, in English where there are no words of the language."""

    def __init__(
        self, phrases: Phrases, words: LetterWords, language: str, to_the_member: bool
    ) -> None:
        self._phrases, self._words, self._language = phrases, words, language
        self._to_the_member = to_the_member

    def population(self, node: Criterion) -> str:
        """Name a population of the policy."""
        data = self._phrases.policy.data if self._phrases.policy else None
        known = data.populations.get(node.name) if data else None
        return translated(known.name, self._language) if known else node.name

    def name(self, node: Criterion) -> str:
        """Word a criterion and its result, as a sentence."""
        name = node.name
        data = self._phrases.policy.data if self._phrases.policy else None
        if data and name in data.populations:
            how = "not_live" if is_too_early(node) else "not_met"
            return self._came_out(how, self.population(node))
        if service := self._service(name):
            return self._came_out("not_met", self._words["rules_of"].format(service=service))
        if service := self._service(name.removesuffix(_OFFERED)):
            return self._answered(self._words["offered"].format(service=service), node)
        if name == _GATE:
            return self._came_out("not_met", self._phrases.of(name))
        if name.startswith(_LIMIT):
            return self._answered(self._words["within_limit"], node)
        if name.startswith(_EXCLUDED):
            named = name.removeprefix(_EXCLUDED)
            known = self._words["exclusions"].get(named, named)
            return self._answered(self._words["excluded"].format(name=known), node)
        return self._leaf(node)

    def _service(self, name: str) -> str | None:
        data = self._phrases.policy.data if self._phrases.policy else None
        known = data.services.get(name) if data else None
        return translated(known.name, self._language) if known else None

    def _came_out(self, how: str, name: str) -> str:
        return sentence(str(self._words[how].format(name=name)))

    def parts(self, node: Criterion) -> list[str]:
        """Word the facts that decided a criterion, each once; of a limit first the amounts."""
        used = self._amounts(node) if node.name.startswith(_LIMIT) else []
        texts = dict.fromkeys([*used, *(self._leaf(leaf) for leaf in _leaves(node))])
        return list(texts)[:_MOST]

    def one_thing(self, node: Criterion) -> str:
        """Word the one thing that was not met; empty where there are several ways to meet it. The
        parts of a way are all needed, and one way is enough.
        """
        whole = False
        while node.children and node.name not in ("adult", "child"):
            failed = [child for child in node.children if child.result is node.result]
            if node.name in _TURNED or not failed:
                return ""
            if len(failed) > 1 and not (whole or node.name in _ALL):
                return ""
            whole = self._has_ways(node.name)
            node = failed[0]
        return self._leaf(node) if node.result is False else ""

    def _has_ways(self, name: str) -> bool:
        """Tell whether a criterion is a population or a service, whose parts are ways."""
        data = self._phrases.policy.data if self._phrases.policy else None
        return data is not None and (name in data.populations or name in data.services)

    def _amounts(self, node: Criterion) -> list[str]:
        """Word the amounts of a limit: used, requested, the most."""
        found = _AMOUNTS.match(node.detail)
        if found is None:
            told = node.detail not in ("", OF_THE_PLAN)
            return [sentence(node.detail)] if told else []
        stated = zip(node.facts, (found["used"], found["requested"]), strict=False)
        asked = [(self._question(fact), number) for fact, number in stated if number]
        asked.append((self._words["the_most"], found["most"]))
        return [sentence(f"{text}{_between(text)}{number}") for text, number in asked]

    def _question(self, fact: str) -> str:
        return self._spoken(self._phrases.question(fact))

    def _spoken(self, text: str) -> str:
        return to_member(text, self._language) if self._to_the_member else text

    def _leaf(self, leaf: Criterion) -> str:
        if (listed := _LISTED.fullmatch(leaf.name)) and leaf.result is False:
            none = self._phrases.dictionary.none[self._language == "es"]
            return sentence(f"{self._question(listed[1])} {none}")
        answered = self._answered(self._spoken(self._phrases.of(leaf.name)), leaf)
        number = _NUMBER.match(leaf.detail) if _COMPARES.search(leaf.name) else None
        if number is None:
            return answered
        counted = self._words["counted"].format(number=number[0])
        return f"{answered} {sentence(counted)}"

    def _answered(self, phrase: str, node: Criterion) -> str:
        key = {True: "yes", False: "no", None: "unknown"}[node.result]
        return sentence(f"{phrase}{_between(phrase)}{self._words['answers'][key]}")


def _between(phrase: str) -> str:
    return " " if phrase.endswith("?") else ": "


def _leaves(node: Criterion) -> Iterator[Criterion]:
    """Yield the leaves of the branches that decided a criterion; a criterion without parts has no
    leaves: its name says everything.
    """
    for child in node.children:
        if node.name not in _TURNED and child.result is not node.result:
            continue
        if child.children and child.name not in ("adult", "child"):
            yield from _leaves(child)
        else:
            yield child
