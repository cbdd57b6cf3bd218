"""A stored determination read back, so that it can be explained and compared for ever. PURE."""

import orjson
from pydantic import TypeAdapter

from app.policy.model import Determination

_STORED = TypeAdapter(Determination)


def answer_to_json(answer: Determination) -> str:
    """The determination with its whole tree of criteria."""
    return orjson.dumps(answer).decode()


def answer_from_json(text: str | bytes) -> Determination:
    """The determination of `answer_to_json`. Raises ValueError on anything else."""
    return _STORED.validate_json(text, strict=True)
