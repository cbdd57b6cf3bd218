"""A page to read: self-contained HTML, no script, nothing loaded from anywhere.

Text is escaped where it enters (`esc`). The content security policy allows the page's own style,
by its hash, and nothing else. What a page says is left to its part of the journey.
"""

import base64
import hashlib
from html import escape

from fastapi import Response

_STYLE = """
:root{color-scheme:light}
body{margin:0;background:#f4f6f8;color:#1d2b36;font:16px/1.5 system-ui,-apple-system,"Segoe UI",
Roboto,"Noto Sans",sans-serif}
main{max-width:960px;margin:0 auto;padding:24px 20px 48px}
header{background:#123f4d;color:#fff}
header>div{max-width:960px;margin:0 auto;padding:20px}
header p{margin:0;color:#bfd8de;font-size:14px}
h1{font-size:26px;line-height:1.25;margin:2px 0 10px}
h2{font-size:18px;margin:0 0 12px}
section{background:#fff;border:1px solid #dbe3e8;border-radius:10px;padding:18px 20px;
margin:0 0 18px}
.badge{display:inline-block;background:#fff;color:#123f4d;border-radius:999px;padding:3px 14px;
font-weight:600;font-size:15px}
dl{display:grid;grid-template-columns:repeat(auto-fit,minmax(200px,1fr));gap:10px 24px;margin:0}
dt{font-size:13px;color:#5a6b77}
dd{margin:0;font-weight:600;overflow-wrap:anywhere}
.picture{overflow-x:auto}
svg{display:block;width:100%;min-width:600px;height:auto}
ol{list-style:none;margin:0;padding:0 0 0 22px;border-left:3px solid #dbe3e8}
ol>li{position:relative;padding:0 0 18px}
ol>li:last-child{padding-bottom:0}
ol>li::before{content:"";position:absolute;left:-31px;top:6px;width:11px;height:11px;
border-radius:50%;background:#8da2ae;border:2px solid #fff}
ol>li.received::before,ol>li.authorization::before{background:#1f7a4d}
ol>li.move::before{background:#17697f}
ol>li.reminder::before{background:#b7791f}
time{display:block;font-size:13px;color:#5a6b77}
li strong{display:block}
li p{margin:0;overflow-wrap:anywhere}
li ul{margin:2px 0 0;padding-left:20px;color:#43545f;font-size:15px}
li li{overflow-wrap:anywhere}
.quiet{color:#5a6b77;font-size:14px}
table{border-collapse:collapse;width:100%;font-size:15px}
th,td{text-align:left;padding:6px 10px;border-bottom:1px solid #e6ecef;vertical-align:top}
th{font-size:13px;color:#5a6b77;font-weight:600}
td.number,th.number{text-align:right;font-variant-numeric:tabular-nums}
@media print{body{background:#fff}section{break-inside:avoid}}
"""
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_HASH}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
}
HTML = "text/html"


def esc(text: object) -> str:
    """Text as HTML, for an element or a quoted attribute; unprintable characters are left out."""
    return escape("".join(c for c in str(text) if c.isprintable() or c == "\n"), quote=True)


def page(title: str, above: str, badge: str, sections: list[str]) -> Response:
    """The page. `title`, `above` and `badge` are text; `sections` are HTML already."""
    mark = f'<span class="badge">{esc(badge)}</span>' if badge else ""
    inner = "\n".join(f"<section>{section}</section>" for section in sections)
    text = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{esc(title)}</title><style>{_STYLE}</style></head>\n<body><header><div>"
        f"<p>{esc(above)}</p><h1>{esc(title)}</h1>{mark}</div></header>\n<main>{inner}</main>"
        "</body></html>\n"
    )
    return Response(text, headers=_HEADERS, media_type=HTML)


def scrolled(label: str, picture: str) -> str:
    """A picture that may be wider than the window; the keyboard reaches and moves it, too."""
    return (
        f'<div class="picture" tabindex="0" role="group" aria-label="{esc(label)}">{picture}</div>'
    )


def html_response(description: str) -> dict[str, object]:
    """The page in the contract."""
    example = '<!doctype html><html lang="en"><head><title>…</title></head><body>…</body></html>'
    return {
        "description": description,
        "content": {HTML: {"schema": {"type": "string"}, "example": example}},
    }
