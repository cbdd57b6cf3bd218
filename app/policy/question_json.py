"""A question as plain JSON and back, so that a stored determination can be asked again for ever.
PURE.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

import orjson

from app.policy.facts_json import facts_from_json, facts_to_json
from app.policy.model import EligibilityQuestion


def question_to_json(question: EligibilityQuestion) -> str:
    """The question with every fact and its source."""
    return orjson.dumps(
        {
            "plan": question.plan,
            "service": question.service,
            "as_of": question.as_of.isoformat(),
            "county": question.county,
            "claimed": question.claimed,
            "facts": facts_to_json(question.facts),
            "identified": question.identified,
            "already_authorized": question.already_authorized,
        }
    ).decode()


def question_from_json(text: str) -> EligibilityQuestion:
    """The question that was stored."""
    stored: Mapping[str, Any] = orjson.loads(text)
    return EligibilityQuestion(
        plan=stored["plan"],
        service=stored["service"],
        as_of=date.fromisoformat(stored["as_of"]),
        county=stored["county"],
        claimed=tuple(stored["claimed"]),
        facts=facts_from_json(stored["facts"]),
        identified=stored["identified"],
        already_authorized=stored["already_authorized"],
    )
