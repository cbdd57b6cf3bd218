"""A stored determination read back, so that it can be explained and compared for ever. PURE."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import orjson

from app.policy.model import Criterion, Determination, Missing, Outcome, Reason


def answer_to_json(answer: Determination) -> str:
    """The determination with its whole tree of criteria."""
    return orjson.dumps(answer).decode()


def answer_from_json(text: str | bytes) -> Determination:
    """The determination of `answer_to_json`. Raises KeyError or ValueError on anything else."""
    stored: Mapping[str, Any] = orjson.loads(text)
    return Determination(
        outcome=Outcome(stored["outcome"]),
        reasons=tuple(Reason(r["code"], r["text"]) for r in stored["reasons"]),
        populations=tuple(stored["populations"]),
        missing=tuple(Missing(m["fact"], m["question"]) for m in stored["missing"]),
        criteria=tuple(_criterion(c) for c in stored["criteria"]),
        policy=stored["policy"],
        as_of=date.fromisoformat(stored["as_of"]),
        administrative=stored["administrative"],
        notes=tuple(stored["notes"]),
    )


def _criterion(stored: Mapping[str, Any]) -> Criterion:
    return Criterion(
        name=stored["name"],
        result=stored["result"],
        citation=stored["citation"],
        detail=stored["detail"],
        facts=tuple(stored["facts"]),
        children=tuple(_criterion(child) for child in stored["children"]),
    )
