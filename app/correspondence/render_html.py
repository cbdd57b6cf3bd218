"""A letter as one HTML page: self-contained, escaped, printable. Holds no words of its own."""

from collections.abc import Iterable
from html import escape

from app.correspondence.content import Item, Letter, Section

#: Nothing is loaded from anywhere: the browser is told so, too.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"

#: 12 points is the least that a notice to a member may be set in.
_STYLE = """
@page { size: letter; margin: 2.2cm }
body { font: 12pt/1.45 Helvetica, Arial, sans-serif; color: #111; max-width: 17cm;
  margin: 2rem auto; padding: 0 1rem; overflow-wrap: anywhere }
header p { margin: 0 }
header .sender { font-size: 14pt; font-weight: bold; border-bottom: 2px solid #14532d;
  padding-bottom: .3rem; margin-bottom: 1.2rem }
address { font-style: normal; margin: 1.2rem 0; white-space: pre-line }
h1 { font-size: 16pt; margin: 1.2rem 0 .6rem }
h3 { font-size: 12pt; margin: .6rem 0 0; break-after: avoid }
h2 { font-size: 13pt; margin: 1.2rem 0 .3rem; break-after: avoid }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; margin: 0 0 1.2rem }
dt { font-weight: bold }
dd { margin: 0 }
p, ul { margin: .3rem 0 }
li { margin: .2rem 0; break-inside: avoid }
footer { border-top: 1px solid #999; margin-top: 1.6rem; padding-top: .4rem }
@media print { body { margin: 0; padding: 0; max-width: none } }
"""


def html(letter: Letter) -> str:
    """The page."""
    about = "".join(f"<dt>{_(label)}</dt><dd>{_(value)}</dd>" for label, value in letter.about)
    taglines = "".join(f'<p lang="{language}">{_(text)}</p>' for language, text in letter.taglines)
    return (
        f'<!DOCTYPE html>\n<html lang="{letter.language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{_(letter.title)}</title><style>{_STYLE}</style></head><body>"
        f'<header><p class="sender">{_(letter.sender)}</p><p>{_(letter.date)}</p>'
        f"<address>{_(chr(10).join(letter.addressee))}</address></header>"
        f"<main><h1>{_(letter.title)}</h1><dl>{about}</dl><p>{_(letter.greeting)}</p>"
        f"{''.join(_section(section) for section in letter.sections)}</main>"
        f"<footer>{taglines}</footer></body></html>\n"
    )


def _section(section: Section) -> str:
    items = "".join(map(_item, section.items))
    points = "".join(f"<h3>{_(lead)}</h3><p>{_(text)}</p>" for lead, text in section.points)
    return (
        f"<section><h2>{_(section.heading)}</h2>{_paragraphs(section.paragraphs)}"
        f"{f'<ul>{items}</ul>' if items else ''}{_paragraphs(section.after)}"
        f"{points}</section>"
    )


def _item(item: Item) -> str:
    parts = "".join(f"<li>{_(part)}</li>" for part in item.parts)
    return f"<li>{_(item.text)}{f'<ul>{parts}</ul>' if parts else ''}</li>"


def _paragraphs(texts: Iterable[str]) -> str:
    return "".join(f"<p>{_(text)}</p>" for text in texts)


def _(text: str) -> str:
    return escape(text)
