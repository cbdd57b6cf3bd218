"""A letter as data: what it is made of, and what it is when it is made. PURE.

What a letter shows is cut: a page has an end, and printing takes a moment.

What was sent is kept whole with the referral; names, addresses and what people wrote come to paper
as far as a reader could use them.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice

from app.policy.policy import Policy
from app.store.referral.snapshot import LetterSnapshot
from app.views.letters.criteria import Decisive


@dataclass(frozen=True, slots=True)
class Addressee:
    """Somebody to write to: a name, the lines of the address, and how to reach them otherwise."""

    name: str | None = None
    lines: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    faxes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LetterContent:
    """All that a letter is made of."""

    outcome: str
    recipient: str  # requesting | servicing | member
    language: str
    at: datetime
    referral_id: str
    to: Addressee
    #: The member's name: as it was sent, unless the letter is theirs.
    member: str | None
    occasion: LetterSnapshot
    #: How the performer reaches the member; for the performer of an approval alone.
    member_reached: Addressee | None = None
    policy: Policy | None = None
    decisive: tuple[Decisive, ...] = ()
    provider: Addressee | None = None
    #: The requester is the member or family: a letter to a person, not to an office.
    person: bool = False


@dataclass(frozen=True, slots=True)
class LetterItem:
    """One line of a list, and the lines below it."""

    text: str
    parts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LetterSection:
    """One part under its heading: paragraphs, a list, paragraphs after it, points."""

    heading: str
    paragraphs: tuple[str, ...] = ()
    items: tuple[LetterItem, ...] = ()
    after: tuple[str, ...] = ()
    #: Points with a heading of their own, and what it says.
    points: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter, ready to be laid out."""

    language: str
    sender: str
    date: str
    addressee: tuple[str, ...]
    title: str
    about: tuple[tuple[str, str], ...]
    greeting: str
    sections: tuple[LetterSection, ...]
    taglines: tuple[tuple[str, str], ...]  # language, words
    page: str  # "Page {number} of {count}"


_NAME, _LINE, _LINES = 160, 100, 8
_TEXT, _TEXTS = 1_500, 40
_MORE = "…"


def cut(text: str, most: int) -> str:
    """The text, or its beginning with a sign that there is more."""
    return text if len(text) <= most else text[: most - 1].rstrip() + _MORE


def short_name(name: str | None) -> str | None:
    """A name as it is written to."""
    return cut(name, _NAME) if name else name


def short_lines(lines: Iterable[str]) -> tuple[str, ...]:
    """The lines of an address, or the numbers of a phone."""
    return tuple(cut(line, _LINE) for line in islice(lines, _LINES))


def bounded(letter: Letter) -> Letter:
    """The letter with each of its texts and lists cut."""
    return replace(
        letter,
        sender=cut(letter.sender, _NAME),
        addressee=tuple(cut(line, _NAME) for line in letter.addressee[: _LINES + 2]),
        about=tuple((label, cut(value, _NAME)) for label, value in letter.about),
        greeting=cut(letter.greeting, 2 * _NAME),
        sections=tuple(map(_section, letter.sections)),
    )


def _section(section: LetterSection) -> LetterSection:
    items = [replace(each, text=_text(each.text), parts=_texts(each.parts)) for each in
             section.items[:_TEXTS]]  # fmt: skip
    if len(section.items) > _TEXTS:
        items.append(LetterItem(_MORE))
    return replace(
        section,
        paragraphs=_texts(section.paragraphs),
        items=tuple(items),
        after=_texts(section.after),
    )


def _texts(texts: tuple[str, ...]) -> tuple[str, ...]:
    more = (_MORE,) if len(texts) > _TEXTS else ()
    return (*map(_text, texts[:_TEXTS]), *more)


def _text(text: str) -> str:
    return cut(text, _TEXT)
