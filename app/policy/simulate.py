"""Compares policies: the referrals that a new file would answer otherwise, and the values that
differ between two files.

`simulate` asks questions of the past again, of the policy in force and of the new file. `diff`
lists the changed criteria, dates, clocks and terms, with sources. Both are PURE; `read_candidate`
reads the new file. The commands (`app.commands.policy`) read the questions and show the result.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from app.policy.dictionary import load_dictionary
from app.policy.engine import evaluate, evaluate_under
from app.policy.library import (
    CALENDARS,
    FILES,
    Choice,
    Library,
    read_calendar,
    read_layer,
    read_policy,
    version_of,
)
from app.policy.model import Determination, EligibilityQuestion
from app.policy.policy import Policy
from app.policy.read_files import FileFault, read_file
from app.policy.replay import Difference, criteria_compared

#: A file that is not in force yet is read under this date.
_NEVER = date.max


@dataclass(frozen=True, slots=True)
class Change:
    """One referral that the new file would answer in another way."""

    referral: str
    before: Determination
    after: Determination

    @property
    def why(self) -> list[Difference]:
        """List the criteria whose result differs, the deepest first: the deepest are the causes."""
        changed = [
            difference
            for difference in criteria_compared(self.before.criteria, self.after.criteria)
            if not difference.where.endswith(": detail")
        ]
        return sorted(changed, key=lambda d: -d.where.count(" > "))


def read_candidate(
    plan: str, file: Path, path: Path = FILES, chosen: Choice | None = None
) -> Policy:
    """Read a new file of a plan, laid over the files that it extends and shares. Raises
    `FileFault`.
    """
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
    candidate = read_policy(version, layers, calendars, load_dictionary(), chosen)
    return replace(candidate, version=f"{plan}/{file.name}")


def simulate(
    library: Library, candidate: Policy, asked: Iterable[tuple[str, EligibilityQuestion]]
) -> Iterator[Change | None]:
    """Yield, for every question of the candidate's plan, the change; None: nothing changes."""
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


#: Section of a file → its title, in the order in which an analyst reads the sections.
_SECTIONS: Mapping[str, str] = {
    "availability": "Services by county and date",
    "populations": "Populations of focus",
    "supports": "Criteria of Community Supports",
    "gate": "Before any Community Support",
    "limits": "Limits",
    "exclusions": "Exclusions",
    "county_starts": "What offers without a date rest on",
    "definitions": "Definitions",
    "counts": "Counts",
    "automation": "Who decides",
    "clocks": "Clocks",
    "terms": "Terms of authorizations",
    "default_term": "Terms of authorizations",
    "furthest_start": "How far ahead a service may be wished for",
    "correspondence": "Who is told",
    "contacts": "Contacts",
    "catalog": "Catalog",
    "advice": "Advice",
    "services": "Names of services",
    "own_lines": "Sources",
    "switches": "Switches",
}
_OTHER = "Other"
#: Keys that are shown with the value beside them, not as changes of their own.
_BESIDE = frozenset({"citation", "live_citation", "quote", "live_quote"})


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """One value that differs. None: the value is missing. `citation` is the source of the new
    value.
    """

    section: str
    where: str
    before: str | None
    after: str | None
    citation: str


def diff(old: Policy, new: Policy) -> list[PolicyChange]:
    """List every change, by section. Another name of the file, or other extended files, are no
    change.
    """
    before, after = old.data.model_dump(mode="json"), new.data.model_dump(mode="json")
    order = [*_SECTIONS, *(key for key in after if key not in _SECTIONS)]
    changes: list[PolicyChange] = []
    for section in order:
        title = _SECTIONS.get(section, _OTHER)
        for where, was, now, source in _walk(
            before.get(section), after.get(section), (section,), ""
        ):
            changes.append(PolicyChange(title, where, was, now, source))
    return changes


def _walk(
    was: Any, now: Any, place: tuple[str, ...], source: str
) -> Iterator[tuple[str, str | None, str | None, str]]:
    if was == now:
        return
    source = _citation(now) or _citation(was) or source
    if isinstance(was, dict) and isinstance(now, dict):
        for key in dict.fromkeys((*was, *now)):
            if key not in _BESIDE:
                yield from _walk(was.get(key), now.get(key), (*place, str(key)), source)
        return
    if isinstance(was, list) and isinstance(now, list) and _named(was) and _named(now):
        yield from _walk(_by_name(was), _by_name(now), place, source)
        return
    before, after = _shown(was), _shown(now)
    if before != after:
        yield " > ".join(place), before, after, source


def _named(items: list[Any]) -> bool:
    return all(isinstance(item, dict) for item in items)


def _by_name(items: list[dict[str, Any]]) -> dict[str, Any]:
    """Map the ways to qualify by their names; a way without a name by its number."""
    one = len(items) == 1
    return {
        "criteria" if one else item.get("name") or str(index): {
            key: value for key, value in item.items() if key != "name"
        }
        for index, item in enumerate(items, 1)
    }


def _citation(value: Any) -> str:
    if not isinstance(value, dict):
        return ""
    return str(value.get("citation") or value.get("live_citation") or "")


def _shown(value: Any) -> str | None:
    """Show a value to an analyst; a group of keys becomes one text."""
    if value is None or value in ({}, [], ""):
        return None
    if isinstance(value, dict):
        texts = {k: _shown(v) for k, v in value.items() if k not in _BESIDE}
        return "; ".join(f"{key}: {text}" for key, text in texts.items() if text is not None)
    if isinstance(value, list):
        return ", ".join(text for text in map(_shown, value) if text is not None)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return " ".join(str(value).split())
