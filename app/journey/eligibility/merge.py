"""Merges what several sources state of a member into one set of facts (facts.md 3, 4.4).

PURE. The roster holds over the payload for facts that only a plan knows. Within the payload an
answer on a form holds over an Observation, an Observation over a derived value, and a later
statement over an earlier one. Every conflict is noted by the fact's name, never by its value.
`app.policy` knows what the facts mean.
"""

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date

from app.policy.dictionary import facts_of_roster
from app.policy.discreet import names_the_plan
from app.policy.model import CareEvent, Fact, Facts, Span
from app.policy.stated import (
    ROSTER,
    CoverageTerms,
    RosterMember,
    SourcedFacts,
    SourceKind,
    choose_coverage,
    coverage_facts,
    latest,
    noted,
)

#: The most sources that are named for one list; the codes of further sources still join the list.
_MOST_SOURCES = 50
_HOLDS = {
    SourceKind.DERIVED: "the derived value holds",
    SourceKind.OBSERVED: "the Observation holds",
    SourceKind.FORM: "the answer on the form holds",
    SourceKind.ELEMENT: "the resource itself holds",
}


def merge(
    stated: Sequence[SourcedFacts],
    roster: RosterMember | None,
    coverages: Sequence[CoverageTerms],
    as_of: date,
    plans: Container[str] | None = None,
) -> Facts:
    """Merges the member's facts on a date.

    `stated`: the statements in the order received (`app.fhir.facts.read_facts`). `roster`: the
    member as the plan's roster knows them, None if it does not. `coverages`: the Coverages of the
    payload. `plans`: the plans served, for `choose_coverage`.
    """
    notes = [note for source in stated for note in source.notes]
    values: dict[str, Fact] = {}
    for kind in SourceKind:
        sources = [source for source in stated if source.kind is kind]
        if kind is SourceKind.FORM and roster is not None:
            # Other facts of the roster are one more statement, which ranks below the forms.
            beyond = {n: f for n, f in roster.stated.values.items() if n not in facts_of_roster()}
            _stack(values, beyond, "the roster holds", notes)
        if sources:
            _stack(values, _merge_kind(sources, notes), _HOLDS[kind], notes)
    chosen = choose_coverage(coverages, as_of, plans)
    if chosen is not None:
        _stack(values, coverage_facts(chosen, as_of), _HOLDS[SourceKind.ELEMENT], notes)
    birth = next((source.birth for source in stated if source.birth), None)
    sex = next((source.sex for source in stated if source.sex), None)
    if roster is not None:
        _overrule(values, _roster_values(roster, as_of), notes)
        notes += [f"{note} ({ROSTER})" for note in roster.stated.notes]
        birth, sex = roster.stated.birth or birth, roster.stated.sex or sex
    if birth is not None:
        values.pop("age", None)
    listed, complete = merge_events(stated, notes)
    events, cut = latest(listed, as_of)
    if cut is not None:
        complete = None if complete else complete  # a shortened list may lack events
        notes.insert(0, cut)
    # Counted by themselves: the number of the others must not tell that the roster differs.
    own = [note for note in notes if names_the_plan(note)]
    sent = noted([note for note in notes if not names_the_plan(note)])
    return Facts(values, tuple(events), complete, birth, (*sent, *noted(own)), sex)


def _merge_kind(sources: Sequence[SourcedFacts], notes: list[str]) -> Mapping[str, Fact]:
    """Merges the sources of one kind; a later statement holds over an earlier one."""
    if len(sources) == 1:
        return sources[0].values
    values: dict[str, Fact] = {}
    for source in sources:
        for name in source.unreadable:
            # An unreadable correction removes the earlier answer that it corrects.
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
    # Diagnoses and Observations state a list code by code; a form states the whole list each time.
    if kind is not SourceKind.FORM and _codes(before) and _codes(fact):
        return _union(before, fact)
    notes.append(_conflict(name, before, fact, "the later one holds"))
    return fact


def _stack(
    values: dict[str, Fact], above: Mapping[str, Fact], holds: str, notes: list[str]
) -> None:
    """Puts the facts of a higher kind over the facts of lower kinds; lists are united.

    A list that the roster has too keeps the roster as a source: else an equal one would be told
    from another one (`app.policy.discreet`).
    """
    for name, fact in above.items():
        before = values.get(name)
        if before is None:
            values[name] = fact
        elif isinstance(fact.value, frozenset):
            values[name] = _stacked(name, before, fact, notes)
        else:
            if before.value != fact.value:
                notes.append(_conflict(name, before, fact, holds))
            values[name] = fact


def _stacked(name: str, before: Fact, fact: Fact, notes: list[str]) -> Fact:
    both = _codes(before) and _codes(fact)
    if before.value != fact.value and not both:
        notes.append(_conflict(name, before, fact, "the codes hold over `none`"))
    if before.source == ROSTER:
        return _union(before, fact)
    if before.value == fact.value:
        return fact
    return _union(before, fact) if both else fact if _codes(fact) else before


def _overrule(values: dict[str, Fact], roster: Mapping[str, Fact], notes: list[str]) -> None:
    """Puts the roster's own facts over all others."""
    for name, fact in roster.items():
        before = values.get(name)
        if before is not None and before.value != fact.value:
            notes.append(_conflict(name, before, fact, "the roster holds"))
        values[name] = fact


def _codes(fact: Fact) -> frozenset[str]:
    """Returns the codes of a list; empty for `none`, and for a fact that is no list."""
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
    """Merges the events of all sources; says whether they are complete for the last twelve months.

    Of several forms the later list holds, with its own statement on completeness. An Encounter with
    the type and date of a form's event is the same event: the form's answers hold, and the
    Encounter completes the answers that the form leaves open. Two events of one source stay two
    events (facts.md 1.1, 4.2).
    """
    listed: list[CareEvent] = []
    encounters: list[CareEvent] = []
    complete: bool | None = None
    for source in sorted(stated, key=lambda s: s.kind):
        if source.kind is SourceKind.DERIVED:
            encounters += source.events
        elif source.events:
            listed, complete = list(source.events), source.events_complete
        elif source.events_complete is not None:
            complete = source.events_complete
    if not encounters:
        return tuple(listed), complete
    free = Counter((event.type, event.when) for event in listed)
    places: dict[tuple[str, Span | None], list[int]] = {}
    for index, event in enumerate(listed):
        places.setdefault((event.type, event.when), []).append(index)
    for encounter in encounters:
        key = (encounter.type, encounter.when)
        if encounter.when is not None and free[key] > 0:
            index = places[key][len(places[key]) - free[key]]
            free[key] -= 1
            notes += _differing(listed[index], encounter)
            listed[index] = _completed(listed[index], encounter)
        else:
            listed.append(encounter)
    return tuple(listed), complete


def _differing(event: CareEvent, encounter: CareEvent) -> Iterator[str]:
    for name in ("avoidable", "unplanned", "led_to_admission", "reason"):
        own, other = getattr(event, name), getattr(encounter, name)
        if None not in (own, other) and own != other:
            yield (
                f"utilization.{name}: {event.source} and {encounter.source} differ; "
                f"{_HOLDS[SourceKind.FORM]}"
            )


def _completed(event: CareEvent, encounter: CareEvent) -> CareEvent:
    def first(stated: bool | None, otherwise: bool | None) -> bool | None:
        return otherwise if stated is None else stated

    return replace(
        event,
        avoidable=first(event.avoidable, encounter.avoidable),
        unplanned=first(event.unplanned, encounter.unplanned),
        led_to_admission=first(event.led_to_admission, encounter.led_to_admission),
        reason=event.reason or encounter.reason,
        source=f"{event.source}, {encounter.source}",
    )


def _roster_values(roster: RosterMember, as_of: date) -> Mapping[str, Fact]:
    """Reads the roster's own facts on a date. Without any Coverage the member is not covered."""
    own = facts_of_roster()
    values = {name: fact for name, fact in roster.stated.values.items() if name in own}
    chosen = choose_coverage(roster.coverages, as_of)
    if chosen is None:
        values["coverage_active"] = Fact(False, roster.stated.source)
    else:
        values.update(coverage_facts(chosen, as_of))
    return values


def _conflict(name: str, before: Fact, fact: Fact, holds: str) -> str:
    return f"{name}: {before.source} and {fact.source} differ; {holds}"
