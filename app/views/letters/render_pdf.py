"""Renders a letter as a PDF. This module adds no words to the letter.

The PDF is on US letter paper, in Helvetica: every PDF reader has this font, and the font has all
letters of English, Spanish and Hmong (RPA). A letter that the font does not have, in a name, is
replaced by its nearest Latin letter: `ł` → `l`. A process loads fpdf2 (20 MB) with its first PDF.
"""

import unicodedata
from datetime import datetime
from typing import cast

from fpdf import FPDF
from fpdf.enums import MethodReturnValue, XPos, YPos

from app.views.letters.content import Letter, LetterItem, LetterSection

_MARGIN = 20.0  # millimetres
_BOTTOM = 18.0
_LINE = 5.2
_MOST_KEPT = 10  # lines on one page; a longer text may be divided between two pages
_BODY, _HEADING, _TITLE = 12, 13, 16  # points; 12 is the least for a notice to a member
#: Letters that Unicode does not decompose into a Latin letter and an accent.
_NEAREST = str.maketrans(
    {"ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ı": "i", "ħ": "h", "Ħ": "H", "ŧ": "t", "Ŧ": "T"}
)


class _Page(FPDF):
    """Letter paper with the page's number at its foot."""

    def __init__(self, letter: Letter, at: datetime) -> None:
        super().__init__(orientation="portrait", unit="mm", format="letter")
        self._letter = letter
        self.core_fonts_encoding = "windows-1252"
        self.set_margins(_MARGIN, _MARGIN, _MARGIN)
        self.set_auto_page_break(auto=True, margin=_BOTTOM)
        self.alias_nb_pages("{nb}")
        self.set_title(letter.title)
        self.set_author(letter.sender)
        self.set_lang(letter.language)
        self.set_creation_date(at)

    def footer(self) -> None:
        self.set_y(-14)
        self.set_font("Helvetica", size=9)
        text = self._letter.page.format(number=self.page_no(), count="{nb}")
        self.cell(0, 5, printable(text), align="C")


def pdf(letter: Letter, at: datetime) -> bytes:
    """Make the PDF; the same letter always gives the same bytes."""
    page = _Page(letter, at)
    page.add_page()
    _head(page, letter)
    for section in letter.sections:
        _section(page, section)
    _keep(page, 2 * _LINE * len(letter.taglines) + 4 * _LINE)
    page.ln(_LINE)
    page.line(_MARGIN, page.get_y(), page.w - _MARGIN, page.get_y())
    page.ln(2)
    for _, text in letter.taglines:
        _text(page, text)
        page.ln(1.5)
    return bytes(page.output())


def printable(text: str) -> str:
    """Replace letters that the font does not have by the nearest Latin letter, else by `?`."""
    kept = []
    for character in text.translate(_NEAREST):
        if _has(character):
            kept.append(character)
            continue
        parts = unicodedata.normalize("NFKD", character)
        kept.append("".join(part for part in parts if _has(part)) or _unknown(character))
    return "".join(kept)


def _has(character: str) -> bool:
    if unicodedata.category(character) in ("Cc", "Cf"):
        return False
    return bool(character.encode("cp1252", "ignore"))


def _unknown(character: str) -> str:
    """Replace a letter that the font does not have: a control character by a space, a mark or an
    invisible character by nothing, any other by `?`.
    """
    kind = unicodedata.category(character)
    return " " if kind == "Cc" else "" if kind[0] in "MC" else "?"


def _head(page: FPDF, letter: Letter) -> None:
    _text(page, letter.sender, style="B", size=14)
    page.set_draw_color(20, 83, 45)
    page.set_line_width(0.6)
    page.line(_MARGIN, page.get_y() + 1, page.w - _MARGIN, page.get_y() + 1)
    page.set_line_width(0.2)
    page.ln(6)
    _text(page, letter.date)
    page.ln(4)
    for line in letter.addressee:
        _text(page, line)
    page.ln(6)
    _text(page, letter.title, style="B", size=_TITLE, line=7.5)
    page.ln(2)
    for label, value in letter.about:
        _text(page, f"{label}: {value}")
    page.ln(3)
    _text(page, letter.greeting)


def _section(page: FPDF, section: LetterSection) -> None:
    _keep(page, 4 * _LINE)
    page.ln(3)
    _text(page, section.heading, style="B", size=_HEADING, line=6.5)
    for text in section.paragraphs:
        _text(page, text)
    for item in section.items:
        _item(page, item)
    for text in section.after:
        _text(page, text)
    for lead, text in section.points:
        _keep(page, 3 * _LINE)
        _text(page, lead, style="B")
        _text(page, text)
        page.ln(1.5)


def _keep(page: FPDF, height: float) -> None:
    """Begin a new page if `height` does not fit any more, so that no heading ends a page."""
    if page.will_page_break(height):
        page.add_page()


def _item(page: FPDF, item: LetterItem) -> None:
    _line(page, "•", item.text, 5.0)
    for part in (*item.parts, *([item.lead] if item.lead else [])):
        _line(page, "–", part, 10.0)
    for one in item.either:
        _line(page, "·", one, 15.0)


def _line(page: FPDF, sign: str, text: str, indent: float) -> None:
    """Write one line of a list, not divided between two pages."""
    page.set_font("Helvetica", size=_BODY)
    page.set_left_margin(_MARGIN + indent)
    page.set_x(_MARGIN + indent)
    _keep(page, _height(page, text))
    page.set_x(_MARGIN + indent - 4)
    page.cell(4, _LINE, sign)
    _text(page, text)
    page.set_left_margin(_MARGIN)
    page.set_x(_MARGIN)
    page.ln(0.8)


def _height(page: FPDF, text: str) -> float:
    """Measure the height of a text in millimetres, at most `_MOST_KEPT` lines."""
    taken = page.multi_cell(
        0, _LINE, printable(text), align="L", dry_run=True, output=MethodReturnValue.HEIGHT
    )
    return min(cast(float, taken), _MOST_KEPT * _LINE)


def _text(
    page: FPDF, text: str, *, style: str = "", size: int = _BODY, line: float = _LINE
) -> None:
    page.set_font("Helvetica", style=style, size=size)
    page.multi_cell(0, line, printable(text), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)


# HTML
