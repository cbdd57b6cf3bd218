"""Which criteria decided a denial, as a letter tells them: with how they came out and their source.

PURE. Reads a stored determination; the words are the policy's and the dictionary's.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.policy.criteria import NOT_LIVE
from app.policy.model import Criterion, Determination, DeterminationOutcome
from app.policy.phrases import Phrases
from app.policy.vocabulary import LetterWords, translated

#: How many single facts are told of one criterion before a letter stops being read.
_MOST = 8
_EXCLUDED, _LIMIT, _OFFERED = "excluded: ", "within limit: ", " offered"


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
    said: LetterWords,
    language: str,
) -> tuple[Decisive, ...]:
    """The criteria that decided; none where the rules did not deny.

    An administrative denial is decided before any need is looked at: nothing is told of that. Of
    the populations only those claimed are told in detail: nine times "no" tells nobody anything.
    """
    if determination is None or determination.outcome is not DeterminationOutcome.DENIED:
        return ()
    teller = _Teller(phrases, said, language)
    data = phrases.policy.data if phrases.policy else None
    populations = data.populations if data else {}
    needs = {*populations, *(data.services if data else ())} if determination.administrative else ()
    against = [n for n in determination.criteria if n.name not in needs and _against(n)]
    named = [node for node in against if node.name in claimed and not _too_early(node)]
    found = []
    for node in against:
        population = node.name in populations
        detailed = not population or node in named
        parts = tuple(teller.parts(node)) if detailed else ()
        found.append(Decisive(teller.name(node), node.citation, parts))
    return tuple(found)


def _against(node: Criterion) -> bool:
    return _too_early(node) or node.result is node.name.startswith(_EXCLUDED)


def _too_early(node: Criterion) -> bool:
    """A population that is met before it is live."""
    return node.result is True and node.detail == NOT_LIVE


class _Teller:
    """Words for criteria in one language; in English where there are no others."""

    def __init__(self, phrases: Phrases, said: LetterWords, language: str) -> None:
        self._phrases, self._said, self._language = phrases, said, language

    def name(self, node: Criterion) -> str:
        """What was looked at, and how it came out."""
        name = node.name
        data = self._phrases.policy.data if self._phrases.policy else None
        if data and name in data.populations:
            population = translated(data.populations[name].name, self._language)
            return self._came_out("not_live" if _too_early(node) else "not_met", population)
        if service := self._service(name):
            return self._came_out("not_met", self._said["rules_of"].format(service=service))
        if service := self._service(name.removesuffix(_OFFERED)):
            return self._answered(self._said["offered"].format(service=service), node)
        for begins, words in ((_EXCLUDED, "excluded"), (_LIMIT, "within_limit")):
            if name.startswith(begins):
                text = self._said[words].format(name=name.removeprefix(begins))
                return self._answered(text, node)
        return self._leaf(node)

    def _service(self, name: str) -> str | None:
        data = self._phrases.policy.data if self._phrases.policy else None
        known = data.services.get(name) if data else None
        return translated(known.name, self._language) if known else None

    def _came_out(self, how: str, name: str) -> str:
        return str(self._said[how].format(name=name))

    def parts(self, node: Criterion) -> list[str]:
        """The facts that made it so, each once; of a limit, how much was used."""
        used = [node.detail] if node.name.startswith(_LIMIT) and node.detail else []
        found = dict.fromkeys([*used, *(self._leaf(leaf) for leaf in _leaves(node))])
        return list(found)[:_MOST]

    def _leaf(self, leaf: Criterion) -> str:
        return self._answered(self._phrases.of(leaf.name), leaf)

    def _answered(self, phrase: str, node: Criterion) -> str:
        key = {True: "yes", False: "no", None: "unknown"}[node.result]
        between = " " if phrase.endswith("?") else ": "
        return f"{phrase}{between}{self._said['answers'][key]}"


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
