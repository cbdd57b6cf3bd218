"""Makes the HTML pages for people: self-contained, without scripts; they load nothing.

`templates/` has one file for each page; each extends `page.html`. A template escapes every value
that it writes. The content security policy allows the page's own style, by its hash, and nothing
else.
"""

import base64
import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

HTML = "text/html"


def printable(value: object) -> object:
    """Turn a value into text without unprintable characters; rendered templates stay unchanged."""
    if isinstance(value, Markup):
        return value
    text = str(value)
    if text.isprintable():
        return text
    return "".join(c for c in text if c.isprintable() or c == "\n")


def templates(before_escaping: Callable[[object], object] | None = None) -> Environment:
    """Load the templates, each compiled once. A name without a value is an error in a template.

    `before_escaping` is called with each value that a template writes, and returns the value to
    write.
    """
    return Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=before_escaping,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )


_PAGES = templates(printable)


def render(template: str, **values: Any) -> Markup:
    """Render a page, or a part of a page, from its template."""
    return Markup(_PAGES.get_template(template).render(values))  # noqa: S704 (values are escaped)


def page(template: str, **values: Any) -> Response:
    """Answer with a page."""
    return Response(render(template, **values), headers=_headers(), media_type=HTML)


@cache
def _headers() -> dict[str, str]:
    style = base64.b64encode(hashlib.sha256(render("page.css").encode()).digest()).decode()
    return {
        "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{style}'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
    }


def html_response(description: str) -> dict[str, object]:
    """Describe a page in the contract (OpenAPI)."""
    example = '<!doctype html><html lang="en"><head><title>…</title></head><body>…</body></html>'
    return {
        "description": description,
        "content": {HTML: {"schema": {"type": "string"}, "example": example}},
    }
