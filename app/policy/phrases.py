"""What the name of a criterion means to a person: `ed_avoidable_in_any_6m >= 5` in plain words.

Words come from the dictionary's questions, the policy's own counts and names, and `phrases.yaml`:
in English, and for letters in Spanish. Which criteria are worth telling is `explain.py`.

A whole criterion in plain words, before any member is looked at: what a plan asks for.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from app.policy.criteria import All, AnyOf, Defined, EcmEligible, Harmless, Node, Opposite
from app.policy.dictionary import Dictionary
from app.policy.library import Library
from app.policy.policy import Policy
from app.policy.schema import Count

_COMPARED = re.compile(r"([a-z0-9_ +]+) (<=|>=|==|!=|<|>) (\d+(?:\.\d+)?)")
_SIZE = re.compile(r"n\(([a-z0-9_]+)\) (<=|>=|==|!=|<|>) (\d+)")
_AMONG = re.compile(r"([a-z0-9_]+) (?:== \"([^\"]*)\"|in \[([^\]]*)\])")
_WORDS: Mapping[str, Mapping[str, Any]] = yaml.load(
    Path(__file__).with_suffix(".yaml").read_text("utf-8"), Loader=yaml.CSafeLoader
)


class Phrases:
    """The words of one policy at one date; without a policy, those of the dictionary alone."""

    def __init__(self, dictionary: Dictionary, policy: Policy | None, language: str = "en") -> None:
        self.dictionary = dictionary
        self.policy = policy
        self._language = language if language in _WORDS else "en"
        self._said = _WORDS[self._language]
        self._known: dict[str, str] = {}

    def of(self, name: str) -> str:
        """A criterion's name in words; a name that nobody explains is given as it is."""
        known = self._known.get(name)
        if known is None:
            known = self._known[name] = self._find(name)
        return known

    def _find(self, name: str) -> str:
        if name in self._said["alone"]:
            return str(self._said["alone"][name])
        if name in self.dictionary:
            return self.question(name)
        for pattern, words in (
            (_SIZE, self._size),
            (_AMONG, self._among),
            (_COMPARED, self._compared),
        ):
            if found := pattern.fullmatch(name):
                return words(found)
        return self._named(name)

    def question(self, fact: str) -> str:
        """The question that asks for a fact, without its explanations."""
        if fact in self._said["alone"]:
            return str(self._said["alone"][fact])
        asked = self.dictionary.question(fact, self._language)
        question, mark, _ = asked.partition("?")
        return question + mark

    def _size(self, found: re.Match[str]) -> str:
        return f"{self.question(found[1])} {self._amount(found[2], found[3])}"

    def _among(self, found: re.Match[str]) -> str:
        codes = found[2] if found[2] is not None else found[3]
        among = codes.replace("-", " ").replace("_", " ")
        words: str = self._said["looked_for"]
        return words.format(question=self.question(found[1]), codes=among)

    def _compared(self, found: re.Match[str]) -> str:
        terms = found[1].split(" + ")
        if terms == ["age"]:
            words: str = self._said["age"]
            return words.format(amount=self._amount(found[2], found[3]))
        first, *others = (self._term(term) for term in terms)
        plus = f" {self._said['plus']} "
        words = plus.join([first, *(other[:1].lower() + other[1:] for other in others)])
        between = " " if words.endswith("?") else ": "
        return f"{words}{between}{self._amount(found[2], found[3])}"

    def _term(self, term: str) -> str:
        count = self.policy.data.counts.get(term) if self.policy else None
        return self.question(term) if count is None else self._counted(count)

    def _counted(self, count: Count) -> str:
        """`Avoidable emergency visits in any 6 months of the last 12`."""
        said, either = self._said, f" {self._said['or']} "
        which = [said[w] for w in ("avoidable", "unplanned") if getattr(count, w)]
        causes = either.join(said["causes"][reason] for reason in count.reasons)
        window = said["any" if count.window == "any" else "last"]
        words = said["count"].format(
            which=" ".join(which),
            events=either.join(said["events"][kind] for kind in count.types),
            because=said["because"].format(causes=causes) if causes else "",
            window=window.format(months=count.months, looking_back=count.looking_back),
        )
        words = " ".join(words.split())
        return words[:1].upper() + words[1:]

    def _amount(self, operator: str, number: str) -> str:
        words: str = self._said["operators"][operator]
        return words.format(n=number)

    def _named(self, name: str) -> str:
        kind, _, rest = name.partition(": ")
        if kind == "excluded":
            return f"Excluded ({rest})"
        if kind == "within limit":
            return f"Within the limit ({rest})"
        data = self.policy.data if self.policy else None
        service, offered = name.removesuffix(" offered"), name.endswith(" offered")
        if data and offered and service in data.services:
            return f"{data.services[service].name.en} is offered here"
        if data and name in data.populations:
            return f"{data.populations[name].name.en} ({name})"
        if data and name in data.services:
            return f"Criteria of {data.services[name].name.en}"
        words = name.replace("_", " ")
        return words[:1].upper() + words[1:]


@lru_cache(maxsize=64)
def phrases(library: Library, version: str | None, language: str = "en") -> Phrases:
    """The words of one policy version; English stands for a language that has none."""
    policy = library.version(version) if version else None
    return Phrases(library.dictionary, policy, language)


_JOINS = {All: "All of:", AnyOf: "One of:"}


def criterion_in_words(node: Node, words: Phrases) -> str:
    """One line a part, indented by what belongs to what."""
    return "\n".join(_lines(node, words, 0))


def _lines(node: Node, words: Phrases, depth: int) -> Iterator[str]:
    if isinstance(node, Defined) and node.name not in ("adult", "child"):
        yield from _lines(node.children[0], words, depth)
        return
    if isinstance(node, All | AnyOf):
        if len(node.children) == 1:
            yield from _lines(node.children[0], words, depth)
            return
        yield _line(_JOINS[type(node)], depth)
    elif isinstance(node, Opposite):
        yield _line("Not:", depth)
    elif isinstance(node, Harmless):
        yield _line(f"Unless the answer is {'yes' if node.value else 'no'}:", depth)
    else:
        yield _line(words.of(node.name), depth)
        if isinstance(node, Defined | EcmEligible):
            return
    for child in node.children:
        yield from _lines(child, words, depth + 1)


def _line(text: str, depth: int) -> str:
    return f"{'  ' * (depth - 1)}- {text}" if depth else text
