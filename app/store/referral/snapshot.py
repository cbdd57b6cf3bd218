"""Snapshot of a decision, stored beside the correspondence that the decision causes.

PURE. A letter is made from the snapshot and from the resource versions of that moment, so that its
text is the same whenever somebody prints it. Its classes have no slots, as all that orjson writes
as it is (`app.policy.model`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any

import orjson
from pydantic import BeforeValidator, TypeAdapter

from app.base.local_time import stored_day
from app.policy.asking import Asking
from app.policy.model import Missing, Reason
from app.store.referral.draft import Draft

_Day = Annotated[date, BeforeValidator(stored_day)]


@dataclass(frozen=True)
class Authorized:
    """The authorization: the plan's number, the period, the amount where it is limited."""

    number: str
    starts_on: _Day
    ends_on: _Day
    units: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class LetterSnapshot:
    """One decision for its letters. `seq`: its row of history; `version`: of the referral."""

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
    #: The member's number, as it was known at the decision.
    cin: str | None = None
    #: What is asked first, and what is folded (`app.policy.asking.arranged`); None: as `missing`.
    asking: Asking | None = None

    def to_json(self) -> str:
        return orjson.dumps(self).decode()

    @staticmethod
    def from_json(text: str) -> "LetterSnapshot":
        """Reads the text of `to_json`. Raises ValueError on any other text."""
        return _SNAPSHOT.validate_json(text, strict=True)


_SNAPSHOT = TypeAdapter(LetterSnapshot)


def letter_snapshot(draft: Draft, policy: str | None, decided_by: str) -> LetterSnapshot:
    """Takes the snapshot of the change that is being composed."""
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
        asking=draft.details.asking,
    )
