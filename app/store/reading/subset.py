"""`_summary` and `_elements` as a client wrote them; `app.fhir.subset` leaves out. PURE."""

from collections.abc import Iterable
from dataclasses import replace

from app.base.errors import Issue, Refusal
from app.fhir.subset import SUMMARIES, Subset
from app.store.reading.values import TEXT_PATTERN, Described, Unreadable, words

SUBSET = frozenset({"_summary", "_elements"})
_OF_READS = [word for word in SUMMARIES if word != "count"]


def narrowed(subset: Subset, name: str, value: str) -> Subset:
    """The subset with one more parameter of `SUBSET`. Raises `Unreadable`."""
    if name == "_summary":
        if value not in SUMMARIES:
            raise Unreadable(f"takes one of {', '.join(SUMMARIES)}.")
        return replace(subset, summary=value)
    names = frozenset(word.strip() for word in words(value))
    if not names:
        raise Unreadable("takes the names of elements, separated by commas.")
    return replace(subset, elements=names)


def of_read(asked: Iterable[tuple[str, str]]) -> Subset:
    """What a read asks for. Raises `Refusal` (400); other parameters are passed over."""
    subset = Subset()
    for name, value in asked:
        if name in SUBSET:
            try:
                subset = narrowed(subset, name, value)
            except Unreadable as unreadable:
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
