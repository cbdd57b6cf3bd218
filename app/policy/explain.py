"""Explains a determination to a nurse: the answer, its reasons, and the criteria with sources.

PURE. Below a criterion only the parts that decided it are shown: the met parts of a met criterion,
the failed parts of a failed criterion, the open parts of an open criterion. The determination
itself keeps the whole tree.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape

from app.policy.citations import citation_in_words
from app.policy.criteria import NOT_STATED
from app.policy.library import Library
from app.policy.model import Criterion, Determination, DeterminationOutcome, Reason
from app.policy.phrases import Phrases, phrases
from app.policy.vocabulary import words_of

_OUTCOMES = words_of("determinations", "staff")
_REASONS = words_of("reasons", "staff")
_RESULTS = {True: "yes", False: "no", None: "not known"}
_MET = {True: "met", False: "not met", None: "not known yet"}
#: Names of nodes that only join or negate their parts; the parts are shown in their place.
_JOINS = frozenset({"all of", "any of", "criteria", "not", "is not true", "is not false"})


@dataclass(frozen=True, slots=True)
class ExplainedLine:
    """One sentence; `depth` 0 is a heading."""

    depth: int
    text: str


def explain(determination: Determination, library: Library) -> str:
    """Explain as plain text: one sentence a line, the parts of a criterion indented below it."""
    lines = _lines(determination, library)
    return "\n".join(
        line.text if line.depth == 0 else f"{'  ' * (line.depth - 1)}- {line.text}"
        for line in lines
    )


def explain_xhtml(determination: Determination, library: Library) -> str:
    """Explain as a `text.div` of FHIR: escaped, with no elements but div, p, ul and li."""
    parts = ['<div xmlns="http://www.w3.org/1999/xhtml">']
    depth = 0
    for line in _lines(determination, library):
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


def _lines(determination: Determination, library: Library) -> list[ExplainedLine]:
    words = phrases(library, determination.policy)
    lines = [ExplainedLine(0, _answer(determination))]
    lines += [ExplainedLine(1, _reason(reason)) for reason in determination.reasons]
    if determination.populations:
        named = "; ".join(words.of(code) for code in determination.populations)
        lines.append(ExplainedLine(0, f"Met: {named}."))
    if determination.criteria:
        lines.append(ExplainedLine(0, "What was looked at:"))
        lines += _criteria(determination, words)
    if determination.missing:
        lines.append(ExplainedLine(0, "To be answered:"))
        lines += [ExplainedLine(1, missing.question) for missing in determination.missing]
    if determination.notes:
        lines.append(ExplainedLine(0, "Notes:"))
        lines += [ExplainedLine(1, note) for note in determination.notes]
    return lines


def _answer(determination: Determination) -> str:
    where = f" (policy {determination.policy})" if determination.policy else ""
    return f"{_OUTCOMES[determination.outcome]} As of {determination.as_of}{where}, because:"


def _reason(reason: Reason) -> str:
    known = _REASONS.get(reason.code, reason.code)
    return f"{known} {reason.text}" if reason.text else known


def _criteria(determination: Determination, words: Phrases) -> Iterator[ExplainedLine]:
    """List the criteria in full; of an approval, a population that was not met is one line only."""
    approved = determination.outcome is DeterminationOutcome.APPROVED
    for node in determination.criteria:
        if approved and node.children and node.result is not True:
            yield _line(node, words, 1)  # another population, not needed for the approval
        else:
            yield from _node(node, words, 1)


def _node(node: Criterion, words: Phrases, depth: int, above: str = "") -> Iterator[ExplainedLine]:
    yield _line(node, words, depth, above)
    for child in _decisive_parts(node):
        yield from _node(child, words, depth + 1, node.citation)


def _decisive_parts(node: Criterion) -> Iterable[Criterion]:
    """List the parts that decided a criterion; a node that only joins is replaced by its parts."""
    if not node.children or node.name in ("adult", "child"):
        return
    turned = node.name in ("not", "is not true", "is not false")
    for child in node.children:
        if not turned and len(node.children) > 1 and child.result is not node.result:
            continue
        if child.children and (child.name in _JOINS or child.name == f"{node.name} criteria"):
            yield from _decisive_parts(child)
        else:
            yield child


def _line(node: Criterion, words: Phrases, depth: int, above: str = "") -> ExplainedLine:
    """Word one criterion; its source is said unless the criterion above has the same."""
    name = words.of(node.name)
    detail = _detail(node)
    cited = node.citation and node.citation != above
    source = f" ({citation_in_words(node.citation)})" if cited else ""
    results = _MET if node.children and not name.endswith("?") else _RESULTS
    between = " " if name.endswith("?") else ": "
    answer = results[node.result]
    return ExplainedLine(depth, f"{name}{between}{answer.capitalize()}{detail}.{source}")


def _detail(node: Criterion) -> str:
    """Show the value of a fact and the resource that stated the value, in brackets."""
    if not node.detail or node.detail == NOT_STATED:
        return ""
    name, colon, rest = node.detail.partition(": ")
    if colon and name in node.facts:
        stated, bracket, source = rest.partition(" (")
        if bracket and stated in ("yes", "no") and node.name == name:
            return f" ({source}"
        same = node.name == name or f"({name})" in node.name or node.name.startswith(name)
        return f" ({rest})" if same else f" ({name.replace('_', ' ')}: {rest})"
    return f" ({node.detail})"
