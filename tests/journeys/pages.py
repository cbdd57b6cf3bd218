"""Reads a page of ours: whether its elements are closed in order, and its text."""

from html.parser import HTMLParser

_VOID = {"meta", "br", "hr", "link", "img"}
_DRAWN = {"line", "circle", "path", "rect"}


class Page(HTMLParser):
    """`text`: what a person reads. A page that is not well-formed raises AssertionError."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.parts: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.parts).split())

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        assert not any(name.startswith("on") or name == "style" for name, _ in attrs)
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        assert tag in _DRAWN
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.parts.append(data)


def read_page(answer, *, drawn=True):
    """The page of an answer, which is all that it needs and does nothing by itself."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert len(answer.content) < 100_000
    page = Page(answer.text)
    assert "script" not in page.tags
    assert page.tags.count("svg") >= drawn
    return page
