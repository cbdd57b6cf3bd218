"""Lists what a letter asks: the best questions in front, the rest folded under their populations.

PURE. An office reads the questions of the request (`app.policy.asking`). A person, that is the
member or family, is not asked clinical questions in writing: their letter asks them to call, and
has only what staff put in their own words.
"""

from collections.abc import Sequence
from dataclasses import replace

from app.base.text import sentence
from app.policy.asking import AlternativeAsked, QuestionsAsked, arranged
from app.policy.dictionary import POPULATION, load_dictionary, with_choices
from app.policy.model import Missing
from app.policy.vocabulary import LetterWords, english, translated, words
from app.views.letters.content import LetterContent, LetterItem, LetterSection
from app.views.letters.spoken import speaks_to_member, to_member

#: Most questions in front where nothing says which of them are the best.
_IN_FRONT = 8


def questions(
    content: LetterContent, *, open_: bool, due: str | None, to_person: bool
) -> list[LetterSection]:
    """Write the sections of the questions: those in front, then the folded rest.

    `open_`: they are still to be answered; else they are what was asked for and never came, and
    only those in front are named.
    """
    writer = _QuestionWriter(content)
    if to_person:
        asked = QuestionsAsked(tuple(writer.in_words(content.snapshot.missing)))
    else:
        asked = _in_front(arranged(content.snapshot.missing, content.snapshot.asking))
    front = writer.front(asked, "questions" if open_ else "unanswered")
    if not front:
        return []
    front[-1] = replace(front[-1], after=(due,) if due else ())
    rest = writer.rest(asked) if open_ else []
    if rest:
        intro, heading = writer.wording["asking"]["further"], writer.wording["headings"]["further"]
        front.append(LetterSection(heading, (intro,), tuple(rest), folded=True))
    return front


def _in_front(asked: QuestionsAsked) -> QuestionsAsked:
    """Fold what is more than eight questions where no choice says which are the best.

    Questions in words stay in front.
    """
    if asked.first or len(asked.always) <= _IN_FRONT:
        return asked
    own = [each for each in asked.always if not each.fact]
    facts = [each for each in asked.always if each.fact]
    room = max(_IN_FRONT - len(own), 0)
    rest = AlternativeAsked(None, (), tuple(facts[room:]))
    return QuestionsAsked((*own, *facts[:room]), (), (rest,))


class _QuestionWriter:
    """Words questions in the language of a letter."""

    def __init__(self, content: LetterContent) -> None:
        self._content = content
        self.wording: LetterWords = words(content.language)
        self._words: LetterWords = self.wording["asking"]
        self._asked: set[str] = set()

    def in_words(self, missing: Sequence[Missing]) -> list[Missing]:
        """Keep what staff asked in their own words."""
        ours = english()["questions_of_ours"].values()
        return [each for each in missing if not each.fact and each.question not in ours]

    def front(self, asked: QuestionsAsked, heading: str) -> list[LetterSection]:
        """Write what is asked first: what is asked in any case, then what any one is enough of."""
        headings = self.wording["headings"]
        items = tuple(LetterItem(self._question(each)) for each in asked.always)
        choices = tuple(self._choice(each) for each in asked.first)
        if len(choices) < 2:
            items, choices = (*items, *choices), ()
        sections = [LetterSection(headings[heading], items=items)] if items else []
        if choices:
            sections.append(LetterSection(headings["any_one"], items=choices))
        return sections

    def rest(self, asked: QuestionsAsked) -> list[LetterItem]:
        """List the folded questions under their populations."""
        items: list[LetterItem] = []
        for each in asked.further:
            listed = [self._question(missing) for missing in (*each.all_of, *each.one_of)]
            if name := self._population(each.population):
                items.append(LetterItem(f"{name}:", tuple(listed)))
            else:
                items += [LetterItem(question) for question in listed]
        return items

    def _choice(self, each: AlternativeAsked) -> LetterItem:
        """Word one choice: its population, and what would decide."""
        together = [self._question(missing) for missing in each.all_of]
        either = [self._question(missing) for missing in each.one_of]
        name = self._population(each.population)
        if not name and len(together) == 1 and not either:
            return LetterItem(together[0])
        begins = f"{name}:" if name else self._words["all_of" if together else "one_alone"]
        if not together and not name:
            return LetterItem(begins, tuple(either))
        lead = self._words["one_of" if together else "one_alone"] if either else ""
        return LetterItem(begins, tuple(together), lead, tuple(either))

    def _population(self, code: str | None) -> str | None:
        policy = self._content.policy
        known = policy.data.populations.get(code) if policy and code else None
        return translated(known.name, self._content.language) if known else None

    def _with_populations(self, missing: Missing, question: str) -> str:
        """Add the populations that the question for the population of focus names, in words of the
        letter's language.
        """
        policy, language = self._content.policy, self._content.language
        if missing.fact != POPULATION or policy is None:
            return question
        names = [each.name for each in policy.data.populations.values()]
        open_ones = [translated(each, language) for each in names if each.en in missing.question]
        return with_choices(question, open_ones, language) if open_ones else question

    def _question(self, missing: Missing) -> str:
        dictionary, language = load_dictionary(), self._content.language
        ours = english()["questions_of_ours"]
        key = next((name for name, each in ours.items() if each == missing.question), None)
        if key:
            text = self.wording["questions_of_ours"][key]
        elif language == "es" and dictionary.asks(missing.fact):
            text = self._with_populations(missing, dictionary.question(missing.fact, language))
        else:
            text = missing.question
        own = self._content.recipient == "member" and missing.fact and speaks_to_member(language)
        return self._short(sentence(to_member(text, language) if own else text))

    def _short(self, question: str) -> str:
        """Leave out what explains a question when it is asked again, in another choice."""
        if question not in self._asked:
            self._asked.add(question)
            return question
        asked, mark, _ = question.partition("?")
        return asked + mark
