"""Arranges what is asked of a person: the best ways in front, the rest folded. PURE.

A determination names every fact that could change the answer, and the *ways*: the smallest sets of
facts that would decide (`app.policy.missing`). A request for information asks a few of them first,
as `Alternative`s: any one of these is enough. `asking` chooses them; letters, requests and the work
queue show what it chose.

Example: nothing is known of an adult referred for ECM. In front stand "avoidable visits and stays"
(population 2) and "an intellectual disability" (a population of the plan's own), each of which
alone would decide; "pregnant" with "of a group with disparities" would decide together. The twenty
other questions follow below, each under its population.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from app.policy.model import Missing, ShortestWay

#: Most questions in front; a way that alone has more stands there all the same.
MOST_QUESTIONS = 8


@dataclass(frozen=True)
class Alternative:
    """Facts that would decide together: all of `all_of`, and one of `one_of` where there are any.

    `population`: the population that they decide; None for the criteria of a support.
    """

    population: str | None
    all_of: tuple[str, ...]
    one_of: tuple[str, ...] = ()

    @property
    def facts(self) -> tuple[str, ...]:
        return (*self.all_of, *self.one_of)


@dataclass(frozen=True)
class Asking:
    """What to ask: `first`, of which any one is enough, and `further` facts by population."""

    first: tuple[Alternative, ...] = ()
    further: tuple[Alternative, ...] = ()

    @property
    def facts(self) -> frozenset[str]:
        return frozenset(fact for each in (*self.first, *self.further) for fact in each.facts)


def asking(
    ways: Sequence[ShortestWay], missing: Sequence[str], beside: Collection[str] = ()
) -> Asking:
    """Choose what to ask first: the ways in their order, while there is room for their questions.

    `beside`: what is asked whatever else is answered; it takes room too, and is no alternative.
    Where the criteria of a support can be met directly, the ways to ECM are not asked first, and
    nothing that is in none of the best of them is asked at all.
    """
    room = MOST_QUESTIONS - len(beside)
    direct = bool(ways) and ways[0].population is None
    first: dict[str | None, list[ShortestWay]] = {}
    asked: set[str] = set()
    for way in ways:
        together = asked.union(way.facts)
        fits = len(together) <= room and _fits(way, first.get(way.population, []))
        if not asked or (fits and not (direct and way.population)):
            first.setdefault(way.population, []).append(way)
            asked = together
    rest = [] if direct else [ShortestWay(tuple(fact for fact in missing if fact not in beside))]
    return Asking(
        tuple(_alternative(each) for each in first.values()), _further([*ways, *rest], asked)
    )


def _fits(way: ShortestWay, others: Sequence[ShortestWay]) -> bool:
    """Tell whether a way differs in one fact only from the ways of its population chosen before, so
    that all of them are said in one sentence.
    """
    if not others:
        return True
    common = set(way.facts).intersection(*(other.facts for other in others))
    return all(len(each.facts) == len(common) + 1 for each in (*others, way))


def _alternative(ways: Sequence[ShortestWay]) -> Alternative:
    common = set(ways[0].facts).intersection(*(way.facts for way in ways[1:]))
    if len(ways) == 1:
        return Alternative(ways[0].population, ways[0].facts)
    different = dict.fromkeys(fact for way in ways for fact in way.facts if fact not in common)
    together = tuple(fact for fact in ways[0].facts if fact in common)
    return Alternative(ways[0].population, together, tuple(different))


def _further(ways: Sequence[ShortestWay], asked: set[str]) -> tuple[Alternative, ...]:
    """List the facts that are not asked first, each once, under the first population of theirs."""
    listed: dict[str | None, dict[str, None]] = {}
    seen = set(asked)
    for way in ways:
        for fact in way.facts:
            if fact not in seen:
                seen.add(fact)
                listed.setdefault(way.population, {})[fact] = None
    return tuple(Alternative(population, (), tuple(facts)) for population, facts in listed.items())


# The questions


@dataclass(frozen=True)
class AlternativeAsked:
    """An alternative with its questions instead of its facts."""

    population: str | None
    all_of: tuple[Missing, ...]
    one_of: tuple[Missing, ...]


@dataclass(frozen=True)
class QuestionsAsked:
    """The questions of a request, as a person is asked them.

    - `always`: asked whatever else is answered: questions in words, and what a plan asks beside;
    - `first`: any one of these is enough;
    - `further`: the rest, folded under their populations.
    """

    always: tuple[Missing, ...]
    first: tuple[AlternativeAsked, ...] = ()
    further: tuple[AlternativeAsked, ...] = ()

    @property
    def in_order(self) -> tuple[Missing, ...]:
        """The questions in the order of asking, each once."""
        named = (m for each in (*self.first, *self.further) for m in (*each.all_of, *each.one_of))
        return tuple(dict.fromkeys((*self.always, *named)))


def arranged(missing: Sequence[Missing], asked: Asking | None) -> QuestionsAsked:
    """Arrange questions. Without an `Asking` (a person chose the questions), all are `always`."""
    if asked is None:
        return QuestionsAsked(tuple(missing))
    by_fact = {each.fact: each for each in missing}

    def questions(facts: Iterable[str]) -> tuple[Missing, ...]:
        return tuple(by_fact[fact] for fact in facts if fact in by_fact)

    def worded(listed: Iterable[Alternative]) -> tuple[AlternativeAsked, ...]:
        return tuple(
            AlternativeAsked(each.population, questions(each.all_of), questions(each.one_of))
            for each in listed
        )

    return QuestionsAsked(
        tuple(each for each in missing if each.fact not in asked.facts),
        worded(asked.first),
        worded(asked.further),
    )
