"""Parses the values of search parameters, as a client wrote them, into values for a statement.

PURE. FHIR R4, "Search": tokens `system|code`, references `Type/id`, dates with a prefix and the
precision in which they were written. The kind of each parameter is in `app.store.reading.catalog`.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.fhir import dates

#: The prefixes of a date. `ap` (approximately) is left out: each server gives this another width.
PREFIXES = ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb")

#: The pattern in the contract: a prefix, days that the calendar has, commas between alternatives.
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
#: Dates as asked for, or an empty value, which a search ignores.
DATE_PATTERN = f"^({_DATE_ASKED}(,{_DATE_ASKED}){{0,19}})?$"
#: One moment without a prefix, or an empty value.
MOMENT_PATTERN = f"^{_MOMENT}?$"
#: Parameters by which clients choose the form of the answer; ignored, since there is one form.
ABOUT_THE_FORM = frozenset({"_format", "_pretty"})
#: Text without control characters, with at least one character that is no space or separator.
TEXT_PATTERN = r"^[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f\x85,|][^\x00-\x1f\x7f]*$"
#: As `TEXT_PATTERN`, but also blanks alone, which a search ignores.
SEARCH_PATTERN = rf"^([^\S\x00-\x1f]*|{TEXT_PATTERN[1:-1]})$"
_DATE = re.compile(rf"(?P<prefix>[a-z]{{2}})?{dates.PATTERN}\Z", re.ASCII)
_REFERENCE = re.compile(
    r"(?:(?P<base>https?://.+)/)?(?P<type>[A-Z][A-Za-z]+)/(?P<id>[^/|]+)(?:/_history/[^/|]+)?\Z"
)
_ESCAPED = re.compile(r"\\([,$|\\])")


class UnreadableValue(ValueError):
    """A value that its parameter does not take; the text says what to send instead."""


@dataclass(frozen=True, slots=True)
class Token:
    """A code and its system. `system` None: any; empty: none at all. `code` None: any code."""

    system: str | None
    code: str | None


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference to a resource; `type` is None where the client gave the id alone."""

    type: str | None
    id: str


@dataclass(frozen=True, slots=True)
class DateRange:
    """The stretch of time of a date as precise as written: from `low` to before `high`, in UTC."""

    prefix: str
    low: datetime
    high: datetime

    @property
    def first(self) -> str:
        """`low` in the form of `app.store.reading.words`."""
        return moment(self.low)

    @property
    def after(self) -> str:
        """`high` in the form of `app.store.reading.words`."""
        return moment(self.high)


def _pieces(text: str, separator: str) -> Iterator[str]:
    """Yields the parts between unescaped separators; escapes (a backslash and a mark) stay."""
    if "\\" not in text:
        yield from text.split(separator)
        return
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
    """Removes the escapes of a part; a backslash before another character is part of the value."""
    return _ESCAPED.sub(r"\1", text)


def split(text: str) -> Iterator[str]:
    """Yields the alternatives of one value, separated by commas, with their escapes.

    `token`, `reference` and `words` remove the escapes.
    """
    return _pieces(text, ",")


def words(text: str) -> list[str]:
    """Lists the alternatives of one value as plain text, without blank ones."""
    return [_plain(word) for word in split(text) if word.strip()]


def token(text: str) -> Token:
    """Reads `code`, `system|code`, `|code` or `system|`; an escaped bar separates nothing."""
    system, *rest = _pieces(text, "|")
    if not rest:
        return Token(None, _plain(system))
    code = _plain("|".join(rest))
    if not system and not code:
        raise UnreadableValue("takes `code`, `system|code`, `|code` or `system|`.")
    return Token(_plain(system), code or None)


def reference(text: str, base: str) -> Reference:
    """Reads `id`, `Type/id` or a full URL of this server; a version (`/_history/n`) is dropped.

    The URL of another server's resource is kept as it is.
    """
    plain = _plain(text)
    match = _REFERENCE.match(plain)
    if match is None or (match["base"] and match["base"] != base):
        return Reference(None, plain)
    return Reference(match["type"], match["id"])


def canonical(text: str) -> Token:
    """Reads an address (of any version) or `address|version` (of this version alone).

    A fragment (`#…`) is dropped: it names a part of the resource, and not another resource.
    """
    address, *rest = (_plain(piece).partition("#")[0] for piece in _pieces(text, "|"))
    version = "|".join(rest)
    if not address:
        raise UnreadableValue("takes a canonical address, or `address|version`.")
    return Token(address, version) if version else Token(None, address)


def date_range(text: str) -> DateRange:
    """Reads a date or an instant with its prefix; without a zone, California's holds."""
    match = _DATE.match(text)
    prefix = (match and match["prefix"]) or "eq"
    if match is None or prefix not in PREFIXES:
        raise UnreadableValue(
            "takes a date such as `ge2026-01-31` or `lt2026-01-31T08:00:00Z`, with one of the "
            "prefixes eq, ne, gt, lt, ge, le, sa, eb."
        )
    try:
        return DateRange(prefix, *dates.span_of(match))
    except (ValueError, OverflowError):
        raise UnreadableValue("names a day or an hour that does not exist.") from None


def moment(at: datetime) -> str:
    """Writes a moment in UTC as text whose alphabetic order is the order of time."""
    return at.replace(tzinfo=None).isoformat(timespec="microseconds")


#: Parameter → its schema in the contract, and its description.
Described = Mapping[str, tuple[dict[str, Any], str]]
