"""What is kept of a receiver's answer: short, printable, without a member's data."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.journey.notification.deliver import KEPT, excerpt

NAME, BORN, NUMBER = "Doe", "1971", "90000001"


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        (b"queue is full", "queue is full"),
        (b'{"error": "invalid_signature"}', '{"error": "invalid_signature"}'),
        (b"<h1>502 Bad Gateway</h1>", "<…>… Bad Gateway</…>"),
        (b"bad\x00byte\x1b[31m", "bad…[…"),
        (b"\xff\xfe", "…"),
        (b"member 90000001A unknown", "… unknown"),
        (b"no such patient: Jane Doe", "no …"),
        (b"", ""),
    ],
)
def test_what_a_server_says_of_itself_is_kept(body, kept):
    assert excerpt(body) == kept


@pytest.mark.parametrize(
    "body",
    [
        "Patient Jane Doe, born May 4, 1971, CIN 90000001A, call (415) 555-0100",
        '{"patientName": "Doe^Jane", "dob": "19710504", "cin": "9 0 0 0 0 0 0 1 A"}',
        r'{"n\u0061me": "\u0044oe", "born": "\u0031971"}',
        "<family value='Doe'/><birthDate>1971-05-04</birthDate>",
        "name=Doe&dob=1971-05-04&cin=90000001A",
        "name=%44oe%2CJane&cin=%39%30000001A",
        "D&#111;e &#49;971",
        "Ｄｏｅ １９７１ ９００００００１",
        "D o e 1 9 7 1",
        "D\u200bo\u200be",
        "RG9lLCBKYW5l",
        "jane.doe@example.org wrote",
        "doe_jane-1971",
        "the fourth of May nineteen seventy-one, schizophrenia, 12 Main Street",
    ],
)
def test_no_spelling_of_a_person_gets_through(body):
    kept = excerpt(body.encode()).casefold()
    for part in ("doe", "jane", "71", "may", "seventy", "415", "9000", "schizo", "street", "rg9"):
        assert part not in kept
    assert not any(character.isdigit() for character in kept)


@given(st.text())
def test_every_word_that_is_kept_is_one_of_ours(text):
    kept = excerpt(text.encode("utf-8", "surrogatepass"))
    assert len(kept) <= KEPT
    assert excerpt(kept.encode()) == kept
    assert not any(character.isdigit() for character in kept)


def test_long_answers_are_cut():
    assert len(excerpt(b"error " * 65536)) == KEPT
