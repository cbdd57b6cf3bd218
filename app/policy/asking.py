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

from app.policy.dictionary import POPULATION, load_dictionary, with_choices
from app.policy.model import Determination, Missing, ShortestWay
from app.policy.policy import Policy

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


# What is asked of a determination


def questions_of(
    answer: Determination, policy: Policy | None
) -> tuple[tuple[Missing, ...], Asking | None]:
    """List the questions of a determination in the order of asking, and arrange them.

    An ECM referral without a population of focus is asked for it too (S004:L100). Where nobody
    knows the member, the question who they are comes first, and takes room here.
    """
    codes = {reason.code for reason in answer.reasons}
    missing = answer.missing
    beside = list(policy.data.asks_beside) if policy else []
    if "population-missing" in codes and policy:
        missing = (_population(answer, policy), *missing)
        beside.insert(0, POPULATION)
    if "member-unidentified" in codes:
        beside.append("")
    if not answer.ways:
        return missing, None
    chosen = asking(answer.ways, [each.fact for each in answer.missing], beside)
    asked = [each for each in missing if each.fact in chosen.facts or each.fact in beside]
    return arranged(asked, chosen).in_order, chosen


def _population(answer: Determination, policy: Policy) -> Missing:
    """Ask for the population of focus; its choices are the populations that are still open."""
    still_open = {way.population for way in answer.ways}
    names = [one.data.name.en for one in policy.populations if one.code in still_open]
    question = load_dictionary().question(POPULATION)
    return Missing(POPULATION, with_choices(question, names) if names else question)


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
