"""Reads `_summary` and `_elements`, and words the issues of parameters that are not taken. PURE.

`app.fhir.subset` leaves out the elements that these two parameters do not ask for. FHIR R4,
"Search", handling errors: a parameter that a search does not take is ignored with a warning that
names it; it is refused if the caller asks for strict handling. A parameter without a value is read
as if it were absent.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from app.base.errors import Issue, Refusal
from app.fhir.subset import SUMMARIES, Subset
from app.store.reading.values import TEXT_PATTERN, Described, UnreadableValue, words

SUBSET = frozenset({"_summary", "_elements"})
#: No type has as many elements of its own.
_MOST_ELEMENTS = 100
_OF_READS = [word for word in SUMMARIES if word != "count"]


def narrowed(subset: Subset, name: str, value: str) -> Subset:
    """Narrows a subset by one more parameter of `SUBSET`. Raises `UnreadableValue`."""
    if name == "_summary":
        if value not in SUMMARIES:
            raise UnreadableValue(f"takes one of {', '.join(SUMMARIES)}.")
        return replace(subset, summary=value)
    names = frozenset(word.strip() for word in words(value))
    if not names or len(names) > _MOST_ELEMENTS:
        text = f"takes up to {_MOST_ELEMENTS} names of elements, separated by commas."
        raise UnreadableValue(text)
    return replace(subset, elements=names)


def of_read(asked: Iterable[tuple[str, str]]) -> Subset:
    """Reads the subset that a read asks for, ignoring other parameters. Raises `Refusal` (400)."""
    subset = Subset()
    for name, value in asked:
        if name in SUBSET:
            try:
                subset = narrowed(subset, name, value)
            except UnreadableValue as unreadable:
                raise Refusal(400, [Issue("value", f"{name} {unreadable}")]) from None
    if subset.counts:
        text = f"_summary takes one of {', '.join(_OF_READS)} here: there is nothing to count."
        raise Refusal(400, [Issue("value", text)])
    return subset


_SUMMARY_TEXT = (
    "`true`: what R4 marks as summary; `text`: the text and what must be there; `data`: all but "
    "the text; `false`: all. A part is tagged `SUBSETTED`."
)
_ELEMENTS = {
    "_elements": (
        {"type": "string", "pattern": TEXT_PATTERN},
        "The elements to show, separated by commas, beside what must be there.",
    )
}
#: Both parameters in the contract: parameter → its schema and its description.
IN_READS: Described = {
    "_summary": ({"type": "string", "enum": _OF_READS}, _SUMMARY_TEXT),
    **_ELEMENTS,
}
IN_SEARCHES: Described = {
    "_summary": (
        {"type": "string", "enum": list(SUMMARIES)},
        _SUMMARY_TEXT + " `count`: the total alone.",
    ),
    **_ELEMENTS,
}


#: The most conditions of one search; a repeat of a parameter counts even without a value.
MAX_CONDITIONS = 10
#: A name that a parameter could have: the client chose it, and an answer repeats no other.
_NAME = re.compile(r"(?!.*[0-9]{3})[A-Za-z_][A-Za-z0-9_.:-]{0,63}")
#: Parameters that may not be empty: ignoring one would show too much, or the first page again.
_NEEDED = SUBSET | {"_cursor"}


def ignored(name: str, text: str, *, strict: bool, code: str = "not-supported") -> Issue:
    """Words the issue about one parameter: an error under strict handling, else a warning.

    `text` follows the parameter's name.
    """
    sentence = f"`{name}` {text}" if _NAME.fullmatch(name) else f"A parameter {text}"
    if strict:
        return Issue(code, sentence)
    return Issue(code, f"{sentence} It was ignored.", severity="warning")


def unknown(kind: str, name: str, *, strict: bool) -> Issue:
    """Words the issue about a parameter that this type is not searched by."""
    text = f"is no parameter that {kind} is searched by; see GET /fhir/metadata."
    return ignored(name, text, strict=strict)


def empty(name: str, *, strict: bool) -> Issue:
    """Words the issue about a parameter without a value."""
    return ignored(name, "has no value.", strict=strict, code="value")


def is_empty(name: str, value: str) -> bool:
    """Tells whether a parameter has no value but blanks, and may be ignored for this."""
    return name not in _NEEDED and not value.strip()


def too_often(asked: Sequence[tuple[str, str]]) -> list[Issue]:
    """Finds a parameter given more than `MAX_CONDITIONS` times, with a value or without."""
    many = Counter(name for name, _ in asked)
    text = f"One parameter is given at most {MAX_CONDITIONS} times."
    return [Issue("too-costly", text) for count in many.values() if count > MAX_CONDITIONS][:1]


def is_fault(issue: Issue) -> bool:
    """Tells whether the issue refuses the search."""
    return issue.severity == "error"
