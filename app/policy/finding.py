"""The finding: the answer of the rules for one service in one county. The engine makes a finding
into a determination.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from app.policy.model import Criterion, DeterminationOutcome, Reason, ShortestWay


@dataclass(frozen=True, slots=True)
class Finding:
    """An outcome with its reasons; `missing` names facts, in the order of asking."""

    outcome: DeterminationOutcome
    reasons: tuple[Reason, ...] = ()
    populations: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    criteria: tuple[Criterion, ...] = ()
    administrative: bool = False
    notes: tuple[str, ...] = ()
    ways: tuple[ShortestWay, ...] = ()

    def codes(self) -> frozenset[str]:
        return frozenset(reason.code for reason in self.reasons)


def pending(
    reasons: Iterable[Reason],
    criteria: tuple[Criterion, ...],
    missing: tuple[str, ...] = (),
    ways: tuple[ShortestWay, ...] = (),
) -> Finding:
    """Make a finding that the rules do not decide, or cannot decide yet."""
    return Finding(DeterminationOutcome.PENDING, tuple(reasons), (), missing, criteria, ways=ways)
