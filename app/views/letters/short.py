"""What a letter shows is cut: a page has an end, and printing takes a moment. PURE.

What was sent is kept whole with the referral; names, addresses and what people wrote come to paper
as far as a reader could use them.
"""

from collections.abc import Iterable
from dataclasses import replace
from itertools import islice

from app.views.letters.content import Item, Letter, Section

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


def _section(section: Section) -> Section:
    items = [replace(each, text=_text(each.text), parts=_texts(each.parts)) for each in
             section.items[:_TEXTS]]  # fmt: skip
    if len(section.items) > _TEXTS:
        items.append(Item(_MORE))
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
