"""Explains a determination to a nurse: the answer, its reasons, and what decided, with sources.

PURE. The short form has at most `MOST_LINES` lines. It shows what decided: of a denial every
criterion that is not met, with all the parts of those that came nearest; of an approval the
criteria that are met; of an open answer what is still to be answered. The full form shows every
part of every criterion. The determination itself keeps the whole tree.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

from app.policy.asking import AlternativeAsked, arranged, questions_of
from app.policy.library import Library
from app.policy.looked_at import ToldCriterion, looked_at
from app.policy.model import Determination, DeterminationOutcome, Missing, Reason
from app.policy.phrases import Phrases, phrases
from app.policy.readings import BearingReading
from app.policy.sentences import source_in_words
from app.policy.vocabulary import with_advice, words_of

#: The short form has at most so many lines.
MOST_LINES = 25
_MOST_NOTES = 3
#: A resource that stated something: `Condition/x`, `Condition/#x` or `#x`.
_REFERENCE = re.compile(r"\b[A-Z][A-Za-z]+/#?[A-Za-z0-9.-]+|#[A-Za-z0-9.-]+")
_OUTCOMES = words_of("determinations", "staff")
_REASONS = words_of("reasons", "staff")


#: The reasons of a denial that say that a need is not shown; all others are administrative.
_ABOUT_NEED = frozenset(
    {"no-population", "service-criteria-not-met", "plan-gate-not-met", "limit-reached"}
)


def is_about_need(codes: Iterable[str]) -> bool:
    """Tell whether reasons of a denial are about the member's need, and not administrative."""
    return not _ABOUT_NEED.isdisjoint(codes)


@dataclass(frozen=True, slots=True)
class ExplainedLine:
    """One sentence; `depth` 0 is a heading."""

    depth: int
    text: str


def explain(
    determination: Determination,
    library: Library,
    readings: Sequence[BearingReading] = (),
    *,
    full: bool = False,
) -> str:
    """Explain as plain text: one sentence a line, the parts of a criterion indented below it."""
    return "\n".join(
        line.text if line.depth == 0 else f"{'  ' * (line.depth - 1)}- {line.text}"
        for line in _lines(determination, library, readings, full=full)
    )


def explain_xhtml(
    determination: Determination,
    library: Library,
    readings: Sequence[BearingReading] = (),
    *,
    full: bool = False,
) -> str:
    """Explain as a `text.div` of FHIR: escaped, with no elements but div, p, ul and li."""
    parts = ['<div xmlns="http://www.w3.org/1999/xhtml">']
    depth = 0
    for line in _lines(determination, library, readings, full=full):
        if line.depth > depth:
            parts.append("<ul><li>" * (line.depth - depth))
        elif line.depth:
            parts.append("</li></ul>" * (depth - line.depth) + "</li><li>")
        else:
            parts.append("</li></ul>" * depth)
        depth = line.depth
        text = escape(line.text, quote=False)
        parts.append(text if line.depth else f"<p>{text}</p>")
    parts.append("</li></ul>" * depth + "</div>")
    return "".join(parts)


def _lines(
    determination: Determination,
    library: Library,
    readings: Sequence[BearingReading],
    *,
    full: bool,
) -> list[ExplainedLine]:
    words = phrases(library, determination.policy)
    lines = list(_read_as("Read first, before deciding:", readings, before_deciding=True))
    lines.append(ExplainedLine(0, _answer(determination)))
    lines += [ExplainedLine(1, text) for text in _reasons(determination.reasons)]
    lines += _read_as("How the page is read:", readings, before_deciding=False)
    if determination.populations:
        named = "; ".join(words.of(code) for code in determination.populations)
        lines.append(ExplainedLine(0, f"Met: {named}."))
    said = " ".join(reason.text or "" for reason in determination.reasons)
    more = [_note(note, words) for note in determination.notes if note not in said]
    notes = _listed("Notes:", more, None if full else _MOST_NOTES, "notes")
    room = None if full else MOST_LINES - len(lines) - len(notes)
    return [*lines, *_body(determination, words, room), *notes]


def _body(
    determination: Determination, words: Phrases, room: int | None
) -> Iterator[ExplainedLine]:
    """List the criteria and the questions; `room`: the lines that both may take."""
    asked = _asked(determination, words, room)
    left = None if room is None else room - len(asked) - 1
    shown = looked_at(determination, words, left)
    if shown:
        yield ExplainedLine(0, "What was looked at:")
        yield from _flat(shown, 1)
    yield from asked


def _asked(determination: Determination, words: Phrases, room: int | None) -> list[ExplainedLine]:
    """List the questions of an answer that is open: the best ways first, of which any is enough;
    in short the number of further questions, in full the questions under their populations.
    """
    if determination.outcome is not DeterminationOutcome.PENDING or not determination.missing:
        return []
    questions = arranged(*questions_of(determination, words.policy))
    told = [ToldCriterion(_question(missing, words)) for missing in questions.always]
    ways = [_way(each, words) for each in questions.first]
    told += [ToldCriterion("Any one of these is enough:", tuple(ways))] if len(ways) > 1 else ways
    if room is None and questions.further:
        folded = tuple(_folded(each, words) for each in questions.further)
        told.append(ToldCriterion("Questions that could decide besides:", folded))
    lines = [ExplainedLine(0, "To be answered:"), *_flat(told, 1)]
    further = sum(len(each.one_of) for each in questions.further) if room is not None else 0
    if further:
        lines.append(ExplainedLine(1, f"Further questions that could decide: {further}."))
    if room is None or len(lines) <= room:
        return lines
    return [*lines[: room - 1], ExplainedLine(1, f"And {len(lines) - room + 1} more lines.")]


def _way(asked: AlternativeAsked, words: Phrases) -> ToldCriterion:
    """Tell the questions that decide together, below the population that they decide."""
    together = tuple(ToldCriterion(_question(missing, words)) for missing in asked.all_of)
    single = tuple(ToldCriterion(_question(missing, words)) for missing in asked.one_of)
    parts = (
        (*together, ToldCriterion("One of these:", single))
        if together and single
        else together + single
    )
    how = "" if len(parts) < 2 else "all of these" if together else "one of these"
    if asked.population:
        return ToldCriterion(f"{words.of(asked.population)}{how and f'; {how}'}:", parts)
    return ToldCriterion(f"{how.capitalize()}:", parts) if len(parts) > 1 else parts[0]


def _folded(asked: AlternativeAsked, words: Phrases) -> ToldCriterion:
    """Tell the further questions of a population."""
    of = words.of(asked.population) if asked.population else "Whatever the population"
    return ToldCriterion(
        f"{of}:", tuple(ToldCriterion(_question(missing, words)) for missing in asked.one_of)
    )


def _question(missing: Missing, words: Phrases) -> str:
    """Shorten a question: without its explanation, but with its choices."""
    known = words.dictionary.get(missing.fact)
    if known is None or known.names_choices:
        return missing.question
    _, mark, choices = missing.question.partition("? Choices: ")
    return f"{words.question(missing.fact)}{f' Choices: {choices}' if mark else ''}"


def _flat(told: Iterable[ToldCriterion], depth: int) -> Iterator[ExplainedLine]:
    for each in told:
        yield ExplainedLine(depth, each.text)
        yield from _flat(each.parts, depth + 1)


def _listed(heading: str, texts: Sequence[str], most: int | None, what: str) -> list[ExplainedLine]:
    """List texts below a heading; of more than `most`, the last line says how many are left out."""
    if not texts:
        return []
    shown = list(texts)
    if most is not None and len(texts) > most:
        shown = [*texts[: most - 1], f"And {len(texts) - most + 1} more {what}."]
    return [ExplainedLine(0, heading), *(ExplainedLine(1, text) for text in shown)]


def _read_as(
    heading: str, readings: Iterable[BearingReading], *, before_deciding: bool
) -> Iterator[ExplainedLine]:
    chosen = [r for r in readings if r.data.before_deciding is before_deciding]
    if chosen:
        yield ExplainedLine(0, heading)
    for reading in chosen:
        yield ExplainedLine(1, f"{reading.text} Source: {reading.source}.")


def _answer(determination: Determination) -> str:
    where = f" (policy {determination.policy})" if determination.policy else ""
    return f"{_OUTCOMES[determination.outcome]} As of {determination.as_of}{where}, because:"


def _reasons(reasons: Iterable[Reason]) -> Iterator[str]:
    """Word reasons; advice that several of them share is said with the first."""
    said: set[str | None] = set()
    for reason in reasons:
        known = _REASONS.get(reason.code, reason.code)
        yield _sentence(known if reason.text in said else with_advice(known, reason.text))
        said.add(reason.text)


def _note(note: str, words: Phrases) -> str:
    """Word a note of the intake: `homeless: QuestionnaireResponse/x and Condition/y differ`."""
    told = _REFERENCE.sub(lambda found: f"the {source_in_words(found[0])}", note)
    fact, _, rest = told.partition(": ")
    if fact not in words.dictionary:
        return _sentence(told[:1].upper() + told[1:])
    asked = words.question(fact)
    return _sentence(f"{asked}{' ' if asked.endswith('?') else ': '}{rest[:1].upper()}{rest[1:]}")


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?", "!", ":")) else f"{text}."
