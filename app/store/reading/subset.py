"""`_summary` and `_elements` as a client wrote them; `app.fhir.subset` leaves out. PURE.

What a search does not take: passed over with a warning that names it, or refused.

FHIR R4, "Search", handling errors: lenient unless the caller asks for strict handling. A parameter
without a value is read as if it were not there.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from app.base.errors import Issue, Refusal
from app.fhir.subset import SUMMARIES, Subset
from app.store.reading.values import TEXT_PATTERN, Described, UnreadableValue, words

SUBSET = frozenset({"_summary", "_elements"})
_OF_READS = [word for word in SUMMARIES if word != "count"]


def narrowed(subset: Subset, name: str, value: str) -> Subset:
    """The subset with one more parameter of `SUBSET`. Raises `UnreadableValue`."""
    if name == "_summary":
        if value not in SUMMARIES:
            raise UnreadableValue(f"takes one of {', '.join(SUMMARIES)}.")
        return replace(subset, summary=value)
    names = frozenset(word.strip() for word in words(value))
    if not names:
        raise UnreadableValue("takes the names of elements, separated by commas.")
    return replace(subset, elements=names)


def of_read(asked: Iterable[tuple[str, str]]) -> Subset:
    """What a read asks for. Raises `Refusal` (400); other parameters are passed over."""
    subset = Subset()
    for name, value in asked:
        if name in SUBSET:
            try:
                subset = narrowed(subset, name, value)
            except UnreadableValue as unreadable:
                raise Refusal(400, [Issue("value", f"{name} {unreadable}")]) from None
    if subset.counts:
        said = f"_summary takes one of {', '.join(_OF_READS)} here: there is nothing to count."
        raise Refusal(400, [Issue("value", said)])
    return subset


_SAID = (
    "`true`: what R4 marks as summary; `text`: the text and what must be there; `data`: all but "
    "the text; `false`: all. A part is tagged `SUBSETTED`."
)
_ELEMENTS = {
    "_elements": (
        {"type": "string", "pattern": TEXT_PATTERN},
        "The elements to show, separated by commas, beside what must be there.",
    )
}
#: Both in the contract: parameter → its schema and what it does.
IN_READS: Described = {
    "_summary": ({"type": "string", "enum": _OF_READS}, _SAID),
    **_ELEMENTS,
}
IN_SEARCHES: Described = {
    "_summary": (
        {"type": "string", "enum": list(SUMMARIES)},
        _SAID + " `count`: the total alone.",
    ),
    **_ELEMENTS,
}


#: Of one search; repeats of one parameter count whether they have a value or not.
MAX_CONDITIONS = 10
#: A name is the client's: longer than any of ours, it is cut.
_LONGEST_NAME = 64
#: Ignored, they would show more than was asked for, or the first page again: empty is a fault.
_NEEDED = SUBSET | {"_cursor"}


def ignored(name: str, said: str, *, strict: bool, code: str = "not-supported") -> Issue:
    """The word on one parameter: an error under strict handling, else a warning. `said` follows the
    name.
    """
    shown = name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"
    told = f"`{shown}` {said}"
    if strict:
        return Issue(code, told)
    return Issue(code, f"{told} It was ignored.", severity="warning")


def unknown(kind: str, name: str, *, strict: bool) -> Issue:
    """A parameter that this type is not searched by."""
    said = f"is no parameter that {kind} is searched by; see GET /fhir/metadata."
    return ignored(name, said, strict=strict)


def empty(name: str, *, strict: bool) -> Issue:
    """A parameter without a value."""
    return ignored(name, "has no value.", strict=strict, code="value")


def is_empty(name: str, value: str) -> bool:
    """Whether nothing but blanks was sent for a parameter that can do without."""
    return name not in _NEEDED and not value.strip()


def too_often(asked: Sequence[tuple[str, str]]) -> list[Issue]:
    """A parameter given more often than a search has conditions, with a value or without."""
    many = Counter(name for name, _ in asked)
    said = f"One parameter is given at most {MAX_CONDITIONS} times."
    return [Issue("too-costly", said) for count in many.values() if count > MAX_CONDITIONS][:1]


def is_fault(issue: Issue) -> bool:
    """Whether it refuses the search."""
    return issue.severity == "error"
