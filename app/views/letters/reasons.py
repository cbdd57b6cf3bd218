"""Words the reasons of a decision: what their codes say, and what the plan or a person adds.

PURE. Advice of a plan is stored in English, as the determination gave it. A letter finds it again
among the advice of the policy, and says it in its own language.
"""

import re
from datetime import date
from functools import cache

from app.base.text import sentence
from app.policy.criteria import ANNOUNCED
from app.policy.model import Reason
from app.policy.vocabulary import (
    Audience,
    reason_in_words,
    translated,
    words,
    words_of,
)
from app.views.letters.content import LetterContent
from app.views.letters.criteria import Decisive
from app.views.letters.spoken import speaks_to_member, written_date

#: Advice that is left out: the criterion says already that its source is another plan's.
_SECONDARY = "secondary-source"
#: Advice in the words that determinations hold, those of version 0.2.0 too.
_FORMERLY = {
    "announced": ANNOUNCED,
    "begins": "from {date}",
    "partial": "The plan offers this service in part only; what part is not said, so a person "
    "decides.",
    "waiver-1915c": "A member cannot be enrolled in ECM and a 1915(c) waiver program at the same "
    "time; the waiver may serve this member better, and the choice is the member's.",
    "careadvantage": "CareAdvantage members do not qualify for ECM; they may receive Community "
    "Supports.",
    "excluded-program": "The member is enrolled in a program that excludes ECM; the member may "
    "choose between them.",
    "reassignment": "For members delegated to Kaiser, Kaiser is responsible for Community "
    "Supports. A member who wishes to receive a support that HPSJ offers and Kaiser does not may "
    "choose reassignment to HPSJ by contacting Customer Service at 1.888.936.PLAN (7526), TTY/TDD "
    "711.",
    "turn-to-delegate": "For members delegated to Kaiser, Kaiser is responsible for Community "
    "Supports and offers this service: please turn to Kaiser, and see its Evidence of Coverage.",
    "secondary-source": "This criterion comes from other plans' documents (a secondary source) and "
    "is to be confirmed by a person.",
}


def reasons_in_words(content: LetterContent) -> list[str]:
    """Word each reason once; of a denial also the one thing that was not met."""
    texts = [_one_reason(content, reason) for reason in content.snapshot.reasons]
    if content.outcome == "denied":
        texts += _not_met(content)
    return list(filter(None, dict.fromkeys(texts)))


def _not_met(content: LetterContent) -> list[str]:
    """Say of each criterion the one thing that was not met; nothing where the reason says it
    already, or where the language has no words for criteria.
    """
    wording = words(content.language)
    named = [each for each in content.decisive if not each.group and each.parts]
    if not speaks_to_member(content.language):
        return []
    said = [wording["one_thing"].format(criterion=one) for one in _things(named)]
    several = len(named) == 1 and len(named[0].parts) > 1
    return said or ([str(wording["no_way"])] if several else [])


def _things(named: list[Decisive]) -> list[str]:
    return [each.one_thing for each in named if each.one_thing]


def _one_reason(content: LetterContent, reason: Reason) -> str:
    to_member = content.recipient == "member"
    known = reason_in_words(content.language, reason.code, to_member=to_member)
    added = _advice(content, reason.text)
    if added and known and _says_the_code(added, reason.code):
        added = None
    return " ".join(sentence(part) for part in (known, added) if part)


def _advice(content: LetterContent, text: str | None) -> str | None:
    """Translate advice of the plan; a text that a person wrote stays as it is."""
    if not text:
        return None
    wording = words(content.language)
    advice = content.policy.data.advice if content.policy else {}
    for key, each in advice.items():
        former = _FORMERLY.get(key, each.en)
        found = _pattern(each.en).fullmatch(text) or _pattern(former).fullmatch(text)
        if found is None:
            continue
        if key == _SECONDARY:
            return None
        day = found.groupdict().get("date")
        written = written_date(date.fromisoformat(day), wording) if day else ""
        return translated(each, content.language).replace("{date}", written)
    return text


@cache
def _pattern(advice: str) -> re.Pattern[str]:
    """Match a text that says this advice; `{date}` in the advice stands for a day."""
    named = r"(?P<date>\d{4}-\d\d-\d\d)"
    return re.compile(re.escape(advice).replace(r"\{date\}", named))


def _says_the_code(text: str, code: str) -> bool:
    """Tell whether a text only repeats what its code means."""
    said = text.strip().rstrip(".").casefold()
    readers: tuple[Audience, ...] = ("display", "staff", "member", "others")
    meant = [words_of("reasons", reader).get(code, "") for reader in readers]
    return said in [each.rstrip(".").casefold() for each in meant if each]
