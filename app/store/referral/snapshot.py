"""What was so when something was decided to be written: kept beside the correspondence.

PURE. A letter is made from this and from the versions of that moment, so that it reads the same
whenever it is printed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any

import orjson
from pydantic import BeforeValidator, TypeAdapter

from app.base.local_time import stored_day
from app.policy.model import Missing, Reason
from app.store.referral.draft import Draft

_Day = Annotated[date, BeforeValidator(stored_day)]


@dataclass(frozen=True, slots=True)
class Authorized:
    """What was authorized: the plan's number, the period, the amount where it is limited."""

    number: str
    starts_on: _Day
    ends_on: _Day
    units: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class LetterSnapshot:
    """One decision, as letters tell it. `seq` is its row of history, `version` the referral's."""

    seq: int
    version: int
    service: str | None
    received_at: datetime
    policy: str | None = None
    decided_by: str = "rules"
    reasons: tuple[Reason, ...] = ()
    missing: tuple[Missing, ...] = ()
    void_due: datetime | None = None
    assignment: str | None = None
    performer_id: str | None = None
    authorized: Authorized | None = None
    #: The member's number, as it was known.
    cin: str | None = None

    def to_json(self) -> str:
        return orjson.dumps(self).decode()

    @staticmethod
    def from_json(text: str) -> "LetterSnapshot":
        """The occasion of `to_json`. Raises ValueError on anything else."""
        return _OCCASION.validate_json(text, strict=True)


_OCCASION = TypeAdapter(LetterSnapshot)


def letter_snapshot(draft: Draft, policy: str | None, decided_by: str) -> LetterSnapshot:
    """The occasion of the change that is being composed."""
    after, held = draft.after, draft.authorization
    return LetterSnapshot(
        seq=after.moves,
        version=after.version,
        service=after.service,
        received_at=after.received_at,
        policy=policy,
        decided_by=decided_by,
        reasons=draft.details.reasons,
        missing=draft.details.missing,
        void_due=after.void_due,
        assignment=after.assignment,
        performer_id=after.performer_id,
        authorized=Authorized(held.number, held.starts_on, held.ends_on, held.units)
        if held
        else None,
        cin=after.cin,
    )
