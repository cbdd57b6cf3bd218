"""What is kept of a receiver's answer: short, printable, without a member's data."""

import pytest

from app.notification.excerpt import KEPT, excerpt


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        (b"queue is full", "queue is full"),
        (b"bad\x00byte\x1b[31m", "bad byte [31m"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"member 90000001A unknown", "member [masked] unknown"),
        (b"call (415) 555-0100 now", "call [masked] now"),
        (b"ssn 123-45-6789", "ssn [masked]"),
        (b"mail jo@example.org", "mail [masked]"),
        (b"born 1971-05-04", "born [masked]"),
        (b'{"family": "Doe", "given": ["Jo"]}', '{"family": "[masked]", "given": "[masked]"}'),
        (b'{"given": ["Jo"', '{"given": "[masked]"'),
        (b"at 2026-03-02T12:00:00Z", "at 2026-03-02T12:00:00Z"),
    ],
)
def test_what_could_be_a_members_is_masked(body, kept):
    assert excerpt(body) == kept


def test_long_answers_are_cut():
    assert len(excerpt(b"a" * 65536)) == KEPT
