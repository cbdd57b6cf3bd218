"""Shows what the plan alone knows of a member by result only: to everybody but the plan's staff.

PURE. The roster and our own authorizations say what nobody outside the plan may learn of a member
(spec.md 4): a program, an amount, an age, who serves them now. An answer keeps its reasons, its
populations and the result of every criterion, since a denial owes its reason; what the facts said
is left out. Whether the sender stated the same makes no difference: else the sender could try
values until one is confirmed.
"""

import re
from collections.abc import Iterable
from dataclasses import replace

from app.policy.criteria import NOT_STATED, OF_THE_PLAN, SET_ASIDE
from app.policy.dictionary import facts_of_roster
from app.policy.model import Criterion, Determination, EligibilityQuestion, Fact, Facts
from app.policy.sensitive import is_sensitive, sensitive_codes
from app.policy.stated import OURS, ROSTER

_SOURCE = re.compile(rf"(?<![\w/#.-])(?:{ROSTER}|{OURS})(?![\w/#.-])")
_EXCLUDED, _PROGRAMS = "excluded: ", "programs_enrolled"
#: The exclusions of single programs become one: the name of the one that is true would tell it.
_ANY_PROGRAM = f"{_EXCLUDED}other programs"


def names_the_plan(text: str) -> bool:
    """Tell whether a source, a detail or a note names the roster or our own authorizations."""
    return _SOURCE.search(text) is not None


def of_the_plan(facts: Facts) -> frozenset[str]:
    """Name the facts that are shown by result only; none where the plan stated nothing."""
    own = {name for name, fact in facts.values.items() if names_the_plan(fact.source)}
    return facts_of_roster() | own if own else frozenset()


def by_result(answer: Determination, facts: Facts) -> Determination:
    """Leave out of an answer what the plan alone knows; `facts` are those of its question.

    A note that the plan's records differ from what was sent is left out too.
    """
    hidden = of_the_plan(facts)
    if not hidden:
        return answer
    return replace(
        answer,
        reasons=tuple(
            # Version 0.2.0 stored the note as the text of a reason, too.
            replace(reason, text=None) if SET_ASIDE in (reason.text or "") else reason
            for reason in answer.reasons
        ),
        criteria=_by_result(answer.criteria, hidden),
        notes=tuple(
            note for note in answer.notes if not (names_the_plan(note) or SET_ASIDE in note)
        ),
    )


def _by_result(nodes: Iterable[Criterion], hidden: frozenset[str]) -> tuple[Criterion, ...]:
    shown: list[Criterion] = []
    programs: list[Criterion] = []
    for node in nodes:
        if node.name.startswith(_EXCLUDED) and _PROGRAMS in node.facts:
            if not programs:
                shown.append(node)
            programs.append(node)
        else:
            shown.append(_one(node, hidden))
    return tuple(_joined(programs) if programs and node is programs[0] else node for node in shown)


def _one(node: Criterion, hidden: frozenset[str]) -> Criterion:
    told = names_the_plan(node.detail) or not hidden.isdisjoint(node.facts)
    unknown = node.result is None and node.detail == NOT_STATED
    return replace(
        node,
        detail=OF_THE_PLAN if told and node.detail and not unknown else node.detail,
        children=_by_result(node.children, hidden),
    )


def _joined(programs: list[Criterion]) -> Criterion:
    results = {node.result for node in programs}
    result = True if True in results else None if None in results else False
    return Criterion(
        _ANY_PROGRAM,
        result,
        "; ".join(dict.fromkeys(node.citation for node in programs)),
        NOT_STATED if result is None else OF_THE_PLAN,
        (_PROGRAMS,),
    )


def by_population(
    question: EligibilityQuestion, answer: Determination
) -> tuple[EligibilityQuestion, Determination]:
    """Leave out what may tell of a substance use disorder: every criterion by its own result only.

    For whom the member has permitted to read no more (`app.policy.sensitive`). What was stated
    makes no difference: a missing line would tell as much as the line.
    """
    facts = question.facts
    told = replace(
        facts,
        values={n: _plain(n, fact) for n, fact in facts.values.items() if not _tells(n)},
        events=tuple(replace(event, reason=None) for event in facts.events),
        notes=(),
    )
    return replace(question, facts=told), replace(
        answer,
        criteria=tuple(
            replace(node, detail="", facts=(), children=())
            for node in answer.criteria
            if not any(map(is_sensitive, node.facts))
        ),
        missing=tuple(each for each in answer.missing if not is_sensitive(each.fact)),
        ways=(),
        notes=(),
    )


def _tells(fact: str) -> bool:
    """Tell whether every answer to a fact tells; of the others some codes do."""
    return is_sensitive(fact) and not sensitive_codes()[fact]


def _plain(name: str, fact: Fact) -> Fact:
    if not is_sensitive(name) or not isinstance(fact.value, frozenset):
        return fact
    return replace(fact, value=fact.value - sensitive_codes()[name])
