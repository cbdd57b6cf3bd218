"""How letters look: whole, escaped, on the page, and the same every time."""

import re
import time
import zlib
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from fpdf import FPDF
from hypothesis import given, settings
from hypothesis import strategies as st

from app.model.notices import ANNOUNCED
from app.policy.model import Reason
from app.policy.vocabulary import LANGUAGES
from app.views.letters.addressee import addressee
from app.views.letters.content import Addressee, cut
from app.views.letters.letter import compose_letter, html
from app.views.letters.render_pdf import pdf, printable
from tests.correspondence.samples import NOON, content, texts

HOSTILE = '<script>alert("x")</script> & O\'Brien {plan} </style>'
#: US letter in points, and the margin that text keeps.
WIDTH, HEIGHT, MARGIN, FOOT = 612.0, 792.0, 56.0, 45.0
_SHOWN = re.compile(
    rb"BT (?:/F\d+ [\d.]+ Tf )?([\d.]+) ([\d.]+) Td (?:/F\d+ [\d.]+ Tf )?(?:[\d.]+ Tw )?"
    rb"\(((?:[^\\()]|\\.)*)\) Tj",
    re.DOTALL,
)


class Page(HTMLParser):
    """The elements and the text of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words, self.attributes = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.words.append(data)


def streams(document):
    """The page contents of a PDF, unpacked."""
    found = re.findall(rb"stream\n(.*?)\nendstream", document, re.DOTALL)
    return [zlib.decompress(each) for each in found if each[:1] == b"\x78"]


def placed(document):
    """(x, y, text) of everything that is shown."""
    for stream in streams(document):
        for x, y, raw in _SHOWN.findall(stream):
            text = re.sub(rb"\\(.)", rb"\1", raw, flags=re.DOTALL).decode("cp1252")
            yield float(x), float(y), text


def squeezed(text):
    """The text without the spaces that a line break may take."""
    return re.sub(r"\s+", "", text)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("outcome", ANNOUNCED)
@pytest.mark.parametrize("recipient", ["requesting", "servicing", "member"])
def test_page_and_print_hold_every_word_of_the_letter(language, outcome, recipient):
    letter = compose_letter(content(outcome, recipient, language))
    page = squeezed("".join(Page(html(letter)).words))
    body = (text for _, y, text in placed(pdf(letter, NOON)) if y > FOOT)
    printed = squeezed("".join(body))
    for text in texts(letter):
        assert squeezed(text) in page
        assert squeezed(printable(text)).removeprefix("–") in printed


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("outcome", ANNOUNCED)
def test_print_stays_inside_the_margins_on_few_pages(language, outcome):
    document = pdf(compose_letter(content(outcome, language=language)), NOON)
    pages = len(re.findall(rb"/Type /Page\b", document))
    assert 1 <= pages <= 3
    shown = list(placed(document))
    assert shown
    measure = FPDF(unit="pt")
    measure.core_fonts_encoding = "windows-1252"
    measure.set_font("Helvetica", size=12)
    for x, y, text in shown:
        assert x >= MARGIN, text
        assert x + measure.get_string_width(text) <= WIDTH - MARGIN, text
        assert 20 <= y <= HEIGHT - MARGIN, text
    sizes = {
        float(size) for part in streams(document) for size in re.findall(rb"/F\d ([\d.]+) Tf", part)
    }
    assert min(sizes) >= 9
    assert 12.0 in sizes


def test_print_is_the_same_every_time_and_says_its_language():
    letter = compose_letter(content(language="es"))
    assert pdf(letter, NOON) == pdf(letter, NOON)
    assert b"/Lang (es)" in pdf(letter, NOON)


def test_the_page_is_escaped_and_loads_nothing():
    to = Addressee(HOSTILE, (HOSTILE,))
    made = replace(content(), to=to, member=HOSTILE, referral_id=HOSTILE)
    shown = html(compose_letter(made))
    page = Page(shown)
    assert "script" not in page.tags
    assert page.tags.count("style") == 1
    assert not [name for name, _ in page.attributes if name in ("src", "href", "onload")]
    assert HOSTILE in "".join(page.words)
    assert "<script>" not in shown


def test_the_page_is_a_document_in_its_language():
    page = Page(html(compose_letter(content(language="hmn"))))
    assert ("lang", "hmn") in page.attributes
    assert page.tags.count("h1") == 1
    assert {"header", "main", "footer", "address", "dl", "ul"} <= set(page.tags)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Ñandú “Ejemplo” – é", "Ñandú “Ejemplo” – é"),
        ("Nguyễn Thị Đào", "Nguyen Thi Dào"),
        ("Łukasz", "Lukasz"),
        ("e\u0301", "e"),
        ("王", "?"),
        ("a\x00b\u200bc", "a bc"),
        ("two\nlines", "two lines"),
    ],
)
def test_letters_that_the_font_lacks_become_their_nearest(text, said):
    assert printable(text) == said


@settings(max_examples=40)
@given(st.text(max_size=300), st.text(max_size=60))
def test_no_name_stops_a_letter(name, line):
    made = replace(content("cancelled"), to=Addressee(name, (line,)), member=name)
    letter = compose_letter(made)
    assert pdf(letter, NOON).startswith(b"%PDF-")
    assert html(letter).endswith("</html>\n")


def test_a_letter_is_cut_and_printed_in_a_moment_whatever_was_sent():
    long = "word " * 200_000
    to = addressee(
        {
            "name": [{"text": long}],
            "address": [{"line": [long, "x" * 1_000_000] * 50, "city": long}],
            "telecom": [{"system": "phone", "value": long}] * 50,
        }
    )
    reasons = tuple(Reason("", f"{n} {long}") for n in range(100))
    made = compose_letter(content(to=to, member=to.name, reasons=reasons, decided_by="staff-hpsj"))
    assert max(map(len, texts(made))) < 2_000
    assert len(to.name) == 160
    assert to.name.endswith("d…")
    began = time.process_time()
    assert len(pdf(made, NOON)) < 200_000
    assert len(html(made)) < 100_000
    assert time.process_time() - began < 5


@given(st.text(), st.integers(1, 40))
def test_a_text_is_cut_where_it_is_too_long_and_only_there(text, most):
    shown = cut(text, most)
    assert len(shown) <= most
    assert (shown == text) == (len(text) <= most) or text.rstrip().endswith("…")
