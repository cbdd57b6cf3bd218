"""Values of search parameters: what a client wrote, as words that a statement can be built from.

PURE. FHIR R4, "Search": tokens `system|code`, references `Type/id`, dates with a prefix and the
precision they were written in. Which parameter takes which kind is left to `parameters`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

#: What a date may begin with; `ap` (approximately) is left out: it means another thing everywhere.
PREFIXES = ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb")

#: As the contract says it: days that the calendar has. (It leaves out 29 February, which is read.)
DATE_PATTERN = (
    r"^(eq|ne|gt|lt|ge|le|sa|eb)?[1-9]\d{3}(-(0[1-9]|1[0-2])|"
    r"-((0[1-9]|1[0-2])-(0[1-9]|1\d|2[0-8])|(0[13-9]|1[0-2])-(29|30)|(0[13578]|1[02])-31)"
    r"(T([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,9})?)?(Z|[+-](0\d|1[0-3]):[0-5]\d)?)?)?$"
)
#: Said by clients about the form of the answer; there is one form.
ABOUT_THE_FORM = frozenset({"_format", "_pretty"})
#: Text of a search: no control characters, and something that is neither space nor separator.
TEXT_PATTERN = r"^[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f\x85,|][^\x00-\x1f\x7f]*$"
_DATE = re.compile(
    r"(?P<prefix>[a-z]{2})?(?P<year>\d{4})(?:-(?P<month>\d\d)(?:-(?P<day>\d\d)"
    r"(?:T(?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:\.(?P<part>\d{1,9}))?)?"
    r"(?P<zone>Z|[+\- ]\d\d:\d\d)?)?)?)?\Z",
    re.ASCII,
)
_REFERENCE = re.compile(
    r"(?:(?P<base>https?://.+)/)?(?P<type>[A-Z][A-Za-z]+)/(?P<id>[^/|]+)(?:/_history/[^/|]+)?\Z"
)
_ESCAPED = re.compile(r"\\([,$|\\])")
_LATEST = datetime.max.replace(tzinfo=UTC)
_EARLIEST = datetime.min.replace(tzinfo=UTC)


class Unreadable(ValueError):
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
        raise Unreadable("takes `code`, `system|code`, `|code` or `system|`.")
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


def date_range(text: str) -> DateRange:
    """A date or instant with its prefix; without a zone it is read in UTC."""
    found = _DATE.match(text)
    prefix = (found and found["prefix"]) or "eq"
    if found is None or prefix not in PREFIXES:
        raise Unreadable(
            "takes a date such as `ge2026-01-31` or `lt2026-01-31T08:00:00Z`, with one of the "
            "prefixes eq, ne, gt, lt, ge, le, sa, eb."
        )
    try:
        low = _low(found)
    except (ValueError, OverflowError):
        raise Unreadable("names a day or an hour that does not exist.") from None
    return DateRange(prefix, low, _high(found, low))


def _low(found: re.Match[str]) -> datetime:
    local = datetime(
        int(found["year"]),
        int(found["month"] or 1),
        int(found["day"] or 1),
        int(found["hour"] or 0),
        int(found["minute"] or 0),
        min(int(found["second"] or 0), 59)
        if found["second"] == "60"
        else int(found["second"] or 0),
        int((found["part"] or "0").ljust(6, "0")[:6]),
        tzinfo=_zone(found["zone"]),
    )
    try:
        return local.astimezone(UTC)
    except OverflowError:
        return _EARLIEST if local.year == 1 else _LATEST


def _zone(text: str | None) -> timezone:
    if text is None or text == "Z":
        return UTC
    hours, minutes = int(text[1:3]), int(text[4:6])
    if hours > 14 or minutes > 59:
        raise ValueError
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(-offset if text[0] == "-" else offset)


def _high(found: re.Match[str], low: datetime) -> datetime:
    """The first moment after the value: a year, month, day, minute or second later."""
    try:
        if found["month"] is None:
            return low.replace(year=low.year + 1)
        if found["day"] is None:
            return (low + timedelta(days=31)).replace(day=1)
        if found["hour"] is None:
            return low + timedelta(days=1)
        if found["second"] is None:
            return low + timedelta(minutes=1)
        if found["part"] is None:
            return low + timedelta(seconds=1)
        return low + timedelta(seconds=10 ** -min(len(found["part"]), 6))
    except (ValueError, OverflowError):
        return _LATEST
