"""Lists the criteria that decided a denial, for a letter: each with its result and its source.

PURE. The criteria come from a stored determination; the words come from the policy and the
dictionary.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.policy.criteria import is_too_early
from app.policy.model import Criterion, Determination, DeterminationOutcome
from app.policy.phrases import Phrases
from app.policy.vocabulary import LetterWords, translated

#: A letter lists at most so many facts of one criterion: nobody reads a longer list.
_MOST = 8
_EXCLUDED, _LIMIT, _OFFERED = "excluded: ", "within limit: ", " offered"


@dataclass(frozen=True, slots=True)
class Decisive:
    """One criterion against the referral, and the parts of it that decided."""

    name: str
    citation: str
    parts: tuple[str, ...] = ()


def decisive(
    determination: Determination | None,
    claimed: Sequence[str],
    phrases: Phrases,
    words: LetterWords,
    language: str,
) -> tuple[Decisive, ...]:
    """List the criteria that decided a denial; none if the rules did not deny.

    An administrative denial is decided before the member's needs, so that no criterion of need is
    listed. Only claimed populations have details: nine populations of "no" would not help a reader.
    """
    if determination is None or determination.outcome is not DeterminationOutcome.DENIED:
        return ()
    writer = _CriterionWriter(phrases, words, language)
    data = phrases.policy.data if phrases.policy else None
    populations = data.populations if data else {}
    needs = {*populations, *(data.services if data else ())} if determination.administrative else ()
    against = [n for n in determination.criteria if n.name not in needs and _against(n)]
    named = [node for node in against if node.name in claimed and not is_too_early(node)]
    listed = []
    for node in against:
        population = node.name in populations
        detailed = not population or node in named
        parts = tuple(writer.parts(node)) if detailed else ()
        listed.append(Decisive(writer.name(node), node.citation, parts))
    return tuple(listed)


def _against(node: Criterion) -> bool:
    return is_too_early(node) or node.result is node.name.startswith(_EXCLUDED)


class _CriterionWriter:
    """Words criteria in one language, in English where there are no words of the language."""

    def __init__(self, phrases: Phrases, words: LetterWords, language: str) -> None:
        self._phrases, self._words, self._language = phrases, words, language

    def name(self, node: Criterion) -> str:
        """Word a criterion and its result."""
        name = node.name
        data = self._phrases.policy.data if self._phrases.policy else None
        if data and name in data.populations:
            population = translated(data.populations[name].name, self._language)
            return self._came_out("not_live" if is_too_early(node) else "not_met", population)
        if service := self._service(name):
            return self._came_out("not_met", self._words["rules_of"].format(service=service))
        if service := self._service(name.removesuffix(_OFFERED)):
            return self._answered(self._words["offered"].format(service=service), node)
        for begins, key in ((_EXCLUDED, "excluded"), (_LIMIT, "within_limit")):
            if name.startswith(begins):
                text = self._words[key].format(name=name.removeprefix(begins))
                return self._answered(text, node)
        return self._leaf(node)

    def _service(self, name: str) -> str | None:
        data = self._phrases.policy.data if self._phrases.policy else None
        known = data.services.get(name) if data else None
        return translated(known.name, self._language) if known else None

    def _came_out(self, how: str, name: str) -> str:
        return str(self._words[how].format(name=name))

    def parts(self, node: Criterion) -> list[str]:
        """Word the facts that decided a criterion, each once; of a limit first the used amount."""
        used = [node.detail] if node.name.startswith(_LIMIT) and node.detail else []
        texts = dict.fromkeys([*used, *(self._leaf(leaf) for leaf in _leaves(node))])
        return list(texts)[:_MOST]

    def _leaf(self, leaf: Criterion) -> str:
        return self._answered(self._phrases.of(leaf.name), leaf)

    def _answered(self, phrase: str, node: Criterion) -> str:
        key = {True: "yes", False: "no", None: "unknown"}[node.result]
        between = " " if phrase.endswith("?") else ": "
        return f"{phrase}{between}{self._words['answers'][key]}"


def _leaves(node: Criterion) -> Iterator[Criterion]:
    """Yield the leaves of the branches that decided a criterion; a criterion without parts has no
    leaves: its name says everything.
    """
    for child in node.children:
        turned = node.name in ("not", "is not true", "is not false")
        if not turned and child.result is not node.result:
            continue
        if child.children and child.name not in ("adult", "child"):
            yield from _leaves(child)
        else:
            yield child
