"""What a search does not take: passed over with a warning that names it, or refused. PURE.

FHIR R4, "Search", handling errors: lenient unless the caller asks for strict handling. A parameter
without a value is read as if it were not there.
"""

from collections import Counter
from collections.abc import Sequence

from app.base.errors import Issue
from app.store.reading.subset import SUBSET

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
