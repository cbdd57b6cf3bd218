"""Turns sentences about the member into sentences to the member. PURE.

Questions and criteria are worded for referrers, who speak of the member: "Does the member live in
the community?" A letter to the member says "Do you live in the community?". Spanish has one form
for both, so that only the word changes. Hmong letters say who "the member" is instead.
"""

import re
from datetime import date
from functools import cache

from app.policy.vocabulary import LetterWords

_ENGLISH = (
    (r"\bor was she\b", "or were you"),
    (r"\bmember under 21 always counts\b", "person under 21 always counts"),
    (r"\b([Dd])oes the member\b", r"\1o you"),
    (r"\bIs the member\b", "Are you"),
    (r"\bis the member\b", "are you"),
    (r"\bWas the member\b", "Were you"),
    (r"\bwas the member\b", "were you"),
    (r"\bHas the member\b", "Have you"),
    (r"\bhas the member\b", "have you"),
    (r"\b[Tt]he member owns\b", "you own"),
    (r"\bthe member agrees\b", "you agree"),
    (r"\bThe member's\b", "Your"),
    (r"\bthe member's\b", "your"),
    (r"\bThe member is\b", "You are"),
    (r"\bThe member has\b", "You have"),
    (r"\bThe member\b", "You"),
    (r"\bthe member\b", "you"),
)
_SPANISH = (
    (r"\bEl miembro\b", "Usted"),
    (r"\bel miembro\b", "usted"),
    (r"\bdel miembro\b", "de usted"),
    (r"\bal miembro\b", "a usted"),
)
_RULES = {"en": _ENGLISH, "es": _SPANISH}


def to_member(text: str, language: str) -> str:
    """Speak to the member; in a language without such words, leave the text as it is."""
    for pattern, words in _compiled(language):
        text = pattern.sub(words, text)
    return text


def speaks_to_member(language: str) -> bool:
    """Tell whether `to_member` has words of the language."""
    return language in _RULES


@cache
def _compiled(language: str) -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple((re.compile(pattern), words) for pattern, words in _RULES.get(language, ()))


def written_date(day: date, wording: LetterWords) -> str:
    """Write a date in words."""
    month = wording["months"][day.month - 1]
    return str(wording["date"].format(day=day.day, month=month, year=day.year))
