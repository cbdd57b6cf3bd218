"""Letters as data: the content from which a letter is written, and the written letter. PURE.

The texts and lists of a letter are cut to a length that a reader can use: a page has an end, and
printing takes time. The referral keeps names, addresses and notes whole, as they were sent.
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
    """A person or an organization to write to: name, lines of the address, phones and faxes."""

    name: str | None = None
    lines: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    faxes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LetterContent:
    """Everything from which a letter is written."""

    outcome: str
    recipient: str  # requesting | servicing | member
    language: str
    at: datetime
    referral_id: str
    to: Addressee
    #: The member's name: in a letter to the member as the roster knows it, else as it was sent.
    member: str | None
    snapshot: LetterSnapshot
    #: Where the performer reaches the member; only in a letter to the performer.
    member_reached: Addressee | None = None
    policy: Policy | None = None
    decisive: tuple[Decisive, ...] = ()
    provider: Addressee | None = None
    #: The requester is family of the member: the letter goes to a person, not to an office.
    person: bool = False


@dataclass(frozen=True, slots=True)
class LetterItem:
    """One line of a list, with the lines below the line: `parts`, then `lead` with the lines of
    which one is enough.
    """

    text: str
    parts: tuple[str, ...] = ()
    lead: str = ""
    either: tuple[str, ...] = ()

    @property
    def texts(self) -> tuple[str, ...]:
        """All lines, in their order."""
        return (self.text, *self.parts, *([self.lead] if self.lead else []), *self.either)


@dataclass(frozen=True, slots=True)
class LetterSection:
    """One part under its heading: paragraphs, a list, paragraphs after the list, points."""

    heading: str
    paragraphs: tuple[str, ...] = ()
    items: tuple[LetterItem, ...] = ()
    after: tuple[str, ...] = ()
    #: Points: each has a heading of its own, and a text.
    points: tuple[tuple[str, str], ...] = ()
    #: Shut on the page until somebody opens it; printed in full.
    folded: bool = False


@dataclass(frozen=True, slots=True)
class Letter:
    """A written letter, ready for the layout as HTML or PDF."""

    language: str
    sender: str
    date: str
    addressee: tuple[str, ...]
    title: str
    about: tuple[tuple[str, str], ...]
    greeting: str
    sections: tuple[LetterSection, ...]
    taglines: tuple[tuple[str, str], ...]  # language, text
    page: str  # "Page {number} of {count}"


# Lengths

_NAME, _LINE, _LINES = 160, 100, 8
_TEXT, _TEXTS = 1_500, 40
_MORE = "…"


def cut(text: str, most: int) -> str:
    """Cut a text to `most` letters; `…` shows that the text was longer."""
    return text if len(text) <= most else text[: most - 1].rstrip() + _MORE


def short_name(name: str | None) -> str | None:
    """Cut a name."""
    return cut(name, _NAME) if name else name


def short_lines(lines: Iterable[str]) -> tuple[str, ...]:
    """Cut the lines of an address, or a list of phone numbers."""
    return tuple(cut(line, _LINE) for line in islice(lines, _LINES))


def bounded(letter: Letter) -> Letter:
    """Cut the texts and lists of a letter."""
    return replace(
        letter,
        sender=cut(letter.sender, _NAME),
        addressee=tuple(cut(line, _NAME) for line in letter.addressee[: _LINES + 2]),
        about=tuple((label, cut(value, _NAME)) for label, value in letter.about),
        greeting=cut(letter.greeting, 2 * _NAME),
        sections=tuple(map(_section, letter.sections)),
    )


def _section(section: LetterSection) -> LetterSection:
    items = [replace(each, text=_text(each.text), parts=_texts(each.parts),
                     either=_texts(each.either)) for each in
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
