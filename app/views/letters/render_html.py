"""A letter as one HTML page: self-contained, escaped, printable. Holds no words of its own."""

from app.views.letters.content import Letter
from app.views.page import templates

#: Nothing is loaded from anywhere: the browser is told so, too.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
_TEMPLATES = templates()


def html(letter: Letter) -> str:
    """The page, from `letter.html` of the templates."""
    return _TEMPLATES.get_template("letter.html").render(letter=letter)
