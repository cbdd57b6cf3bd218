"""Which criteria decided a denial, as a letter tells them: the ones that failed, with their source.

PURE. Reads a stored determination; the words are the policy's and the dictionary's.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.correspondence.words import Words, translated
from app.policy.model import Criterion, Determination, Outcome
from app.policy.phrases import Phrases

#: How many single facts are told of one criterion before a letter stops being read.
_MOST = 8
_EXCLUDED = "excluded: "


@dataclass(frozen=True, slots=True)
class Decisive:
    """One criterion that spoke against the referral, and what of it did."""

    name: str
    citation: str
    parts: tuple[str, ...] = ()


def decisive(
    determination: Determination | None,
    claimed: Sequence[str],
    phrases: Phrases,
    said: Words,
    language: str,
) -> tuple[Decisive, ...]:
    """The criteria that decided; none where the rules did not deny.

    Of the populations only those claimed are told in detail: nine times "no" tells nobody anything.
    """
    if determination is None or determination.outcome is not Outcome.DENIED:
        return ()
    teller = _Teller(phrases, said, language)
    against = [node for node in determination.criteria if _against(node)]
    named = [node for node in against if node.name in claimed]
    populations = phrases.policy.data.populations if phrases.policy else {}
    found = []
    for node in against:
        population = node.name in populations
        detailed = not population or node in named
        parts = tuple(teller.parts(node)) if detailed else ()
        found.append(Decisive(teller.name(node), node.citation, parts))
    return tuple(found)


def _against(node: Criterion) -> bool:
    return node.result is node.name.startswith(_EXCLUDED)


class _Teller:
    """Words for criteria in one language; in English where there are no others."""

    def __init__(self, phrases: Phrases, said: Words, language: str) -> None:
        self._phrases, self._said, self._language = phrases, said, language

    def name(self, node: Criterion) -> str:
        """What was looked at, and how it came out."""
        name = node.name
        data = self._phrases.policy.data if self._phrases.policy else None
        if data and name in data.populations:
            return self._not_met(translated(data.populations[name].name, self._language))
        if data and name in data.services:
            service = translated(data.services[name].name, self._language)
            return self._not_met(self._said["rules_of"].format(service=service))
        return self._leaf(node)

    def _not_met(self, name: str) -> str:
        return str(self._said["not_met"].format(name=name))

    def parts(self, node: Criterion) -> list[str]:
        """The facts that made it so, each once."""
        found = dict.fromkeys(self._leaf(leaf) for leaf in _leaves(node))
        return list(found)[:_MOST]

    def _leaf(self, leaf: Criterion) -> str:
        key = {True: "yes", False: "no", None: "unknown"}[leaf.result]
        phrase = self._fact(leaf.name)
        between = " " if phrase.endswith("?") else ": "
        return f"{phrase}{between}{self._said['answers'][key]}"

    def _fact(self, name: str) -> str:
        dictionary = self._phrases.dictionary
        if self._language == "es" and name in dictionary:
            question, mark, _ = dictionary.question(name, "es").partition("?")
            return question + mark
        return self._phrases.of(name)


def _leaves(node: Criterion) -> Iterator[Criterion]:
    """The ends of the branches that made a criterion what it is; a single end is its name."""
    for child in node.children:
        turned = node.name in ("not", "is not true", "is not false")
        if not turned and child.result is not node.result:
            continue
        if child.children and child.name not in ("adult", "child"):
            yield from _leaves(child)
        else:
            yield child
