"""Values of search parameters: what a client wrote, as words that a statement can be built from.

PURE. FHIR R4, "Search": tokens `system|code`, references `Type/id`, dates with a prefix and the
precision they were written in. Which parameter takes which kind is left to `parameters`.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.fhir import dates as span

#: What a date may begin with; `ap` (approximately) is left out: it means another thing everywhere.
PREFIXES = ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb")

#: As the contract says it: a prefix, days that the calendar has, several separated by commas.
_LEAP = r"([0-9]{2}(0[48]|[2468][048]|[13579][26])|(0[48]|[2468][048]|[13579][26])00)-02-29"
_DAY = r"((0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])|(0[13-9]|1[0-2])-(29|30)|(0[13578]|1[02])-31)"
_YEAR = r"([1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])"
_TIME = r"T([01][0-9]|2[0-3]):[0-5][0-9](:([0-5][0-9]|60)([.][0-9]+)?)?"
_ZONE = r"(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])?"
_MOMENT = (
    rf"({_YEAR}(-(0[1-9]|1[0-2]))?|({_YEAR}-{_DAY}|{_LEAP})"
    rf"({_TIME}{_ZONE})?)"
)
_DATE_ASKED = rf"(eq|ne|gt|lt|ge|le|sa|eb)?{_MOMENT}"
#: Or nothing, which a search ignores.
DATE_PATTERN = f"^({_DATE_ASKED}(,{_DATE_ASKED}){{0,19}})?$"
#: One moment without a prefix, or nothing.
MOMENT_PATTERN = f"^{_MOMENT}?$"
#: Said by clients about the form of the answer; there is one form.
ABOUT_THE_FORM = frozenset({"_format", "_pretty"})
#: Text: no control characters, and something that is neither space nor separator.
TEXT_PATTERN = r"^[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f\x85,|][^\x00-\x1f\x7f]*$"
#: The same, or blanks alone, which a search ignores.
SEARCH_PATTERN = rf"^([^\S\x00-\x1f]*|{TEXT_PATTERN[1:-1]})$"
_DATE = re.compile(rf"(?P<prefix>[a-z]{{2}})?{span.PATTERN}\Z", re.ASCII)
_REFERENCE = re.compile(
    r"(?:(?P<base>https?://.+)/)?(?P<type>[A-Z][A-Za-z]+)/(?P<id>[^/|]+)(?:/_history/[^/|]+)?\Z"
)
_ESCAPED = re.compile(r"\\([,$|\\])")


class UnreadableValue(ValueError):
    """A value that is not of its parameter's kind. The text says what to send instead."""


@dataclass(frozen=True, slots=True)
class Token:
    """`system` None: any system; empty: none at all. `code` None: any code of the system."""

    system: str | None
    code: str | None


@dataclass(frozen=True, slots=True)
class Reference:
    """`type` None: the client gave the id alone."""

    type: str | None
    id: str


@dataclass(frozen=True, slots=True)
class DateRange:
    """A moment as wide as it was written: from `low` to before `high`, both in UTC."""

    prefix: str
    low: datetime
    high: datetime

    @property
    def first(self) -> str:
        """`low`, as words have it."""
        return moment(self.low)

    @property
    def after(self) -> str:
        """`high`, as words have it."""
        return moment(self.high)


def _pieces(text: str, separator: str) -> Iterator[str]:
    """The parts between unescaped separators; escapes (a backslash and `,|$` or itself) stay."""
    current: list[str] = []
    characters = iter(text)
    for character in characters:
        if character == "\\":
            current.append(character + next(characters, ""))
        elif character == separator:
            yield "".join(current)
            current = []
        else:
            current.append(character)
    yield "".join(current)


def _plain(text: str) -> str:
    """A part without its escapes; a backslash before anything else is one of the value."""
    return _ESCAPED.sub(r"\1", text)


def split(text: str) -> Iterator[str]:
    """The alternatives of one value, separated by commas. Each is as it was written: `token`,
    `reference` and `words` take its escapes away.
    """
    return _pieces(text, ",")


def words(text: str) -> list[str]:
    """The alternatives of one value as plain text, without those that are blank."""
    return [_plain(word) for word in split(text) if word.strip()]


def token(text: str) -> Token:
    """`code`, `system|code`, `|code` or `system|`, in which an escaped bar separates nothing."""
    system, *rest = _pieces(text, "|")
    if not rest:
        return Token(None, _plain(system))
    code = _plain("|".join(rest))
    if not system and not code:
        raise UnreadableValue("takes `code`, `system|code`, `|code` or `system|`.")
    return Token(_plain(system), code or None)


def reference(text: str, base: str) -> Reference:
    """`id`, `Type/id`, or a full URL of this server, each also of one version (`/_history/n`): that
    names the resource. Another server's resource is kept as it is.
    """
    plain = _plain(text)
    found = _REFERENCE.match(plain)
    if found is None or (found["base"] and found["base"] != base):
        return Reference(None, plain)
    return Reference(found["type"], found["id"])


def canonical(text: str) -> Token:
    """An address of whichever version; or `address|version`, that version alone. Where a reference
    points to within what it names says nothing of what it names.
    """
    address, *rest = (_plain(piece).partition("#")[0] for piece in _pieces(text, "|"))
    version = "|".join(rest)
    if not address:
        raise UnreadableValue("takes a canonical address, or `address|version`.")
    return Token(address, version) if version else Token(None, address)


def date_range(text: str) -> DateRange:
    """A date or instant with its prefix; without a zone it is California's."""
    found = _DATE.match(text)
    prefix = (found and found["prefix"]) or "eq"
    if found is None or prefix not in PREFIXES:
        raise UnreadableValue(
            "takes a date such as `ge2026-01-31` or `lt2026-01-31T08:00:00Z`, with one of the "
            "prefixes eq, ne, gt, lt, ge, le, sa, eb."
        )
    try:
        return DateRange(prefix, *span.span_of(found))
    except (ValueError, OverflowError):
        raise UnreadableValue("names a day or an hour that does not exist.") from None


def moment(at: datetime) -> str:
    """A moment in UTC as text that sorts as moments do."""
    return at.replace(tzinfo=None).isoformat(timespec="microseconds")


#: Parameter → its schema and what it selects.
Described = Mapping[str, tuple[dict[str, Any], str]]
