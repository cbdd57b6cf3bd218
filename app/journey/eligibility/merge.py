"""What several sources say of a member becomes one set of facts (facts.md 3, 4.4).

PURE. The roster holds over the payload for what only a plan knows; otherwise an answer on a form
over an Observation over a derived value, and the later over the earlier. Every conflict is noted by
the fact's name, never by its value. What the facts mean is left to `app.policy`.
"""

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import cache

from app.policy.dictionary import KNOWN_FROM_RESOURCES, load_dictionary
from app.policy.model import CareEvent, Fact, Facts, Span
from app.policy.stated import (
    CoverageTerms,
    RosterMember,
    SourcedFacts,
    SourceKind,
    choose_coverage,
    coverage_facts,
    latest,
    noted,
)

#: Sources of one list that are named; codes of more are united all the same.
_MOST_SOURCES = 50
_WHO = {
    SourceKind.DERIVED: "the derived value holds",
    SourceKind.OBSERVED: "the Observation holds",
    SourceKind.FORM: "the answer on the form holds",
    SourceKind.ELEMENT: "the resource itself holds",
}


@cache
def _rosters_own() -> frozenset[str]:
    return KNOWN_FROM_RESOURCES.union(n for n, fact in load_dictionary().items() if fact.roster)


def merge(
    stated: Sequence[SourcedFacts],
    roster: RosterMember | None,
    coverages: Sequence[CoverageTerms],
    as_of: date,
    plans: Container[str] | None = None,
) -> Facts:
    """The member's facts on a date.

    `stated` in the order received (`app.fhir.facts.read_facts`), `coverages` those of the payload,
    `roster` the member as the plan's roster knows them, None where it does not. `plans` as in
    `choose_coverage`.
    """
    notes = [note for source in stated for note in source.notes]
    values: dict[str, Fact] = {}
    for kind in SourceKind:
        said = [source for source in stated if source.kind is kind]
        if kind is SourceKind.FORM and roster is not None:
            # What the roster says beyond its own facts is one statement more, below the forms.
            beyond = {n: f for n, f in roster.stated.values.items() if n not in _rosters_own()}
            _stack(values, beyond, "the roster holds", notes)
        if said:
            _stack(values, _fold(said, notes), _WHO[kind], notes)
    chosen = choose_coverage(coverages, as_of, plans)
    if chosen is not None:
        _stack(values, coverage_facts(chosen, as_of), _WHO[SourceKind.ELEMENT], notes)
    birth = next((source.birth for source in stated if source.birth), None)
    if roster is not None:
        _overrule(values, _rosters_word(roster, as_of), notes)
        notes += roster.stated.notes
        birth = roster.stated.birth or birth
    if birth is not None:
        values.pop("age", None)
    told, complete = merge_events(stated, notes)
    events, cut = latest(told, as_of)
    if cut is not None:
        complete = None if complete else complete  # a list that was cut is open
        notes.insert(0, cut)
    return Facts(values, tuple(events), complete, birth, noted(notes))


def _fold(said: Sequence[SourcedFacts], notes: list[str]) -> Mapping[str, Fact]:
    """What the sources of one kind say together; the later said holds."""
    if len(said) == 1:
        return said[0].values
    values: dict[str, Fact] = {}
    for source in said:
        for name in source.unreadable:
            # A correction that cannot be read does not leave the answer it corrects standing.
            values.pop(name, None)
        for name, fact in source.values.items():
            before = values.get(name)
            values[name] = (
                fact if before is None else _later(name, before, fact, source.kind, notes)
            )
    return values


def _later(name: str, before: Fact, fact: Fact, kind: SourceKind, notes: list[str]) -> Fact:
    if before.value == fact.value:
        return fact
    # Diagnoses and Observations tell a list code by code; a form tells it whole, each time.
    if kind is not SourceKind.FORM and _codes(before) and _codes(fact):
        return _union(before, fact)
    notes.append(_conflict(name, before, fact, "the later one holds"))
    return fact


def _stack(
    values: dict[str, Fact], above: Mapping[str, Fact], holds: str, notes: list[str]
) -> None:
    """Put the facts of a higher kind over those of the lower ones; lists are united."""
    for name, fact in above.items():
        before = values.get(name)
        if before is None or before.value == fact.value:
            values[name] = fact
        elif not isinstance(fact.value, frozenset):
            notes.append(_conflict(name, before, fact, holds))
            values[name] = fact
        elif _codes(before) and _codes(fact):
            values[name] = _union(before, fact)
        else:
            notes.append(_conflict(name, before, fact, "the codes hold over `none`"))
            values[name] = fact if _codes(fact) else before


def _overrule(values: dict[str, Fact], roster: Mapping[str, Fact], notes: list[str]) -> None:
    """Let the roster's own facts hold."""
    for name, fact in roster.items():
        before = values.get(name)
        if before is not None and before.value != fact.value:
            notes.append(_conflict(name, before, fact, "the roster holds"))
        values[name] = fact


def _codes(fact: Fact) -> frozenset[str]:
    """The codes of a list; empty for `none`, and for what is no list."""
    return fact.value if isinstance(fact.value, frozenset) else frozenset()


def _union(before: Fact, fact: Fact) -> Fact:
    together, sources = _codes(before) | _codes(fact), before.source.split(", ")
    if fact.source in sources or len(sources) > _MOST_SOURCES:
        return Fact(together, before.source)
    more = fact.source if len(sources) < _MOST_SOURCES else "…"
    return Fact(together, f"{before.source}, {more}")


def merge_events(
    stated: Iterable[SourcedFacts], notes: list[str]
) -> tuple[tuple[CareEvent, ...], bool | None]:
    """The events of all sources, and whether the list is complete for the last twelve months.

    Of several forms the later list holds, with its own word on completeness. An Encounter of the
    type and date of a form's event is that event: the form's answers win, and what it leaves open
    is completed. Two events of one source stay two (facts.md 1.1, 4.2).
    """
    told: list[CareEvent] = []
    encounters: list[CareEvent] = []
    complete: bool | None = None
    for source in sorted(stated, key=lambda s: s.kind):
        if source.kind is SourceKind.DERIVED:
            encounters += source.events
        elif source.events:
            told, complete = list(source.events), source.events_complete
        elif source.events_complete is not None:
            complete = source.events_complete
    if not encounters:
        return tuple(told), complete
    free = Counter((event.type, event.when) for event in told)
    places: dict[tuple[str, Span | None], list[int]] = {}
    for index, event in enumerate(told):
        places.setdefault((event.type, event.when), []).append(index)
    for encounter in encounters:
        key = (encounter.type, encounter.when)
        if encounter.when is not None and free[key] > 0:
            index = places[key][len(places[key]) - free[key]]
            free[key] -= 1
            notes += _differing(told[index], encounter)
            told[index] = _completed(told[index], encounter)
        else:
            told.append(encounter)
    return tuple(told), complete


def _differing(told: CareEvent, encounter: CareEvent) -> Iterator[str]:
    for name in ("avoidable", "unplanned", "led_to_admission", "reason"):
        said, other = getattr(told, name), getattr(encounter, name)
        if None not in (said, other) and said != other:
            yield (
                f"utilization.{name}: {told.source} and {encounter.source} differ; "
                f"{_WHO[SourceKind.FORM]}"
            )


def _completed(told: CareEvent, encounter: CareEvent) -> CareEvent:
    def first(stated: bool | None, otherwise: bool | None) -> bool | None:
        return otherwise if stated is None else stated

    return replace(
        told,
        avoidable=first(told.avoidable, encounter.avoidable),
        unplanned=first(told.unplanned, encounter.unplanned),
        led_to_admission=first(told.led_to_admission, encounter.led_to_admission),
        reason=told.reason or encounter.reason,
        source=f"{told.source}, {encounter.source}",
    )


def _rosters_word(roster: RosterMember, as_of: date) -> Mapping[str, Fact]:
    """The roster's own facts on a date. Without any Coverage it says: not covered."""
    own = _rosters_own()
    values = {name: fact for name, fact in roster.stated.values.items() if name in own}
    chosen = choose_coverage(roster.coverages, as_of)
    if chosen is None:
        values["coverage_active"] = Fact(False, roster.stated.source)
    else:
        values.update(coverage_facts(chosen, as_of))
    return values


def _conflict(name: str, before: Fact, fact: Fact, holds: str) -> str:
    return f"{name}: {before.source} and {fact.source} differ; {holds}"
