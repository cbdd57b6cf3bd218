"""What a new policy file would change: questions of the past, asked of the file now in force and of
the new one.

PURE, but for reading the new file. Where questions come from and how the answer is shown is the
command's affair.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from app.policy.dictionary import load_dictionary
from app.policy.engine import evaluate, evaluate_under
from app.policy.library import (
    CALENDARS,
    FILES,
    Library,
    read_calendar,
    read_layer,
    read_policy,
    version_of,
)
from app.policy.model import Determination, Question
from app.policy.policy import Policy
from app.policy.read_files import FileFault, read_file
from app.policy.replay import Difference, criteria_compared
from app.policy.switches import Choice

#: The date under which a file that is in force nowhere is read.
_NEVER = date.max


@dataclass(frozen=True, slots=True)
class Change:
    """One referral that the new file would answer otherwise."""

    referral: str
    before: Determination
    after: Determination

    @property
    def why(self) -> list[Difference]:
        """The criteria whose result differs, the deepest first: those are the causes."""
        changed = [
            difference
            for difference in criteria_compared(self.before.criteria, self.after.criteria)
            if not difference.where.endswith((": detail", ": source"))
        ]
        return sorted(changed, key=lambda d: -d.where.count(" > "))


def read_candidate(
    plan: str, file: Path, path: Path = FILES, chosen: Choice | None = None
) -> Policy:
    """A new file of a plan, over what it extends and shares. Raises `FileFault`."""
    layers = {version_of(known): read_layer(known) for known in sorted(path.glob("*/*.yaml"))}
    calendars = {
        name.split("/")[1]: read_calendar(layer)
        for name, layer in layers.items()
        if name.startswith(f"{CALENDARS}/")
    }
    version = f"{plan}/{_NEVER}"
    try:
        layers[version] = read_file(file)
    except (OSError, UnicodeDecodeError):
        raise FileFault(file, 1, "cannot be read; expected a YAML file in UTF-8") from None
    found = read_policy(version, layers, calendars, load_dictionary(), chosen)
    return replace(found, version=f"{plan}/{file.name}")


def simulate(
    library: Library, candidate: Policy, asked: Iterable[tuple[str, Question]]
) -> Iterator[Change | None]:
    """For every question of the candidate's plan what would change; None: nothing."""
    for referral, question in asked:
        if question.plan != candidate.plan:
            continue
        before = evaluate(library, question)
        after = evaluate_under(candidate, library.dictionary, question)
        changed = (before.outcome, before.reasons, before.populations) != (
            after.outcome,
            after.reasons,
            after.populations,
        )
        yield Change(referral, before, after) if changed else None
