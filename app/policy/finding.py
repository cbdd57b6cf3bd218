"""What the rules find for one service in one county, before it becomes a determination."""

from collections.abc import Iterable
from dataclasses import dataclass

from app.policy.model import Criterion, DeterminationOutcome, Reason


@dataclass(frozen=True, slots=True)
class Finding:
    """An outcome with its reasons; `missing` are names of facts, in the order of asking."""

    outcome: DeterminationOutcome
    reasons: tuple[Reason, ...] = ()
    populations: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    criteria: tuple[Criterion, ...] = ()
    administrative: bool = False
    notes: tuple[str, ...] = ()

    def codes(self) -> frozenset[str]:
        return frozenset(reason.code for reason in self.reasons)


def pending(
    reasons: Iterable[Reason], criteria: tuple[Criterion, ...], missing: tuple[str, ...] = ()
) -> Finding:
    """Not to be decided by the rules, or not yet."""
    return Finding(DeterminationOutcome.PENDING, tuple(reasons), (), missing, criteria)
