"""Chooses and orders the criteria that an explanation shows, each as a line with its parts.

PURE. A criterion that only names or joins its parts is shown as `All of these are needed` or `One
of these is needed`; the part that decided comes first, and the parts that hold follow it. A
population whose adults and children are asked separately is shown once.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from app.policy.citations import citation_in_words
from app.policy.criteria import NOT_STATED, AnyOf, is_too_early
from app.policy.model import Criterion, Determination, DeterminationOutcome
from app.policy.phrases import Phrases
from app.policy.policy import ECM_ELIGIBLE
from app.policy.sentences import Sentences

_AGES = ("adult", "child")
_UNNAMED = ("all of", "any of", "criteria")
_RULES = ("not", "is not true", "is not false")
_ANY, _ALL = "One of these is needed", "All of these are needed"
_LIFTED = {"": "if this is so", _ANY: "if one of these is so", _ALL: "if all this is so"}
_MET = {True: "met", False: "not met", None: "not known yet"}
_EXCLUDED, _LIMIT, _OFFERED, _COVERED = (
    "excluded: ",
    "within limit: ",
    " offered",
    "coverage_active",
)
#: A line that stands for a whole criterion names at most so many of its parts.
_MOST_NAMED = 2


@dataclass(frozen=True, slots=True)
class ToldCriterion:
    """One sentence, and the sentences below it."""

    text: str
    parts: tuple["ToldCriterion", ...] = ()


_Write = Callable[["_Part", str], ToldCriterion]


def number_of_lines(told: Iterable[ToldCriterion]) -> int:
    """Count the lines of sentences with all that stands below them."""
    return sum(1 + number_of_lines(each.parts) for each in told)


@dataclass(frozen=True, slots=True)
class _Part:
    """A criterion without the nodes that only name or join others.

    `called`: the defined name of a leaf; `rule`: the negation round it; `age`: it tests the age.
    """

    node: Criterion
    result: bool | None
    join: str = ""
    parts: tuple["_Part", ...] = ()
    called: str = ""
    rule: str = ""
    age: bool = False

    @property
    def named(self) -> bool:
        return self.node.name not in _UNNAMED

    def holding(self) -> int:
        """Count the parts that hold of a criterion that is not met, its age aside."""
        if self.join == _ANY:
            return max((part.holding() for part in self.parts), default=0)
        return sum(p.result is True and not (p.age or p.rule) for p in self.parts)


def looked_at(
    determination: Determination, phrases: Phrases, room: int | None
) -> tuple[ToldCriterion, ...]:
    """List the criteria of a determination in at most `room` lines; None: list all, in full."""
    reader = _PartReader(phrases)
    writer = _PartWriter(Sentences(phrases))
    nodes = _once(determination.criteria)
    if room is None:
        return tuple(writer.whole(reader.read(node)) for node in nodes)
    shown = [node for node in nodes if _decides(node, determination)]
    if determination.outcome is DeterminationOutcome.PENDING:
        met = [node for node in shown if node.result is True]
        shown = met or shown
    return _fitted([reader.read(node) for node in shown], writer, room)


def _decides(node: Criterion, determination: Determination) -> bool:
    """Tell whether a criterion decided the answer, so that the short form shows it."""
    name, outcome = node.name, determination.outcome
    if name.startswith(_EXCLUDED):
        return node.result is True
    if name == _COVERED or name.endswith(_OFFERED):
        approved = outcome is DeterminationOutcome.APPROVED
        return node.result is False or (approved and node.result is True)
    if determination.administrative or (name.startswith(_LIMIT) and NOT_STATED in node.detail):
        return False
    if outcome is DeterminationOutcome.DENIED:
        return node.result is False or is_too_early(node)
    if node.result is False:
        return outcome is DeterminationOutcome.PENDING and not determination.missing
    return node.result is True and not is_too_early(node)


def _once(nodes: Iterable[Criterion]) -> list[Criterion]:
    """Take a population once: of its adults and its children those that the member belongs to."""
    kept: dict[str, Criterion] = {}
    for node in nodes:
        if node.name not in kept or _is_of_another_age(kept[node.name]):
            kept[node.name] = node
    return list(kept.values())


def _is_of_another_age(node: Criterion) -> bool:
    return node.result is False and [part.name in _AGES for part in node.children] == [True]


def _fails_by_age(part: _Part) -> bool:
    return part.result is False and bool(part.parts) and all(p.age for p in part.parts)


def _fitted(parts: Sequence[_Part], writer: "_PartWriter", room: int) -> tuple[ToldCriterion, ...]:
    """Show every criterion in one line, and those that came nearest with their parts, as far as
    the room goes.
    """
    if room < 1:
        return ()
    told = {id(part): writer.brief(part) for part in parts}
    left = room - len(told)
    few = len(parts) <= _MOST_NAMED + 1
    nearest = sorted(parts, key=lambda p: (is_too_early(p.node), p.holding()), reverse=True)
    for part in nearest:
        if not (few or part.result is not False or part.holding()):
            continue
        whole = writer.decisive(part)
        if number_of_lines(whole.parts) <= left:
            told[id(part)] = whole
            left -= number_of_lines(whole.parts)
    first = [p for p in nearest if told[id(p)].parts or is_too_early(p.node)]
    listed = [told[id(p)] for p in (*first, *(p for p in parts if p not in first))]
    if len(listed) <= room or left >= 0:
        return tuple(listed)
    return (
        *listed[: room - 1],
        ToldCriterion(f"And {len(listed) - room + 1} more of the same answer."),
    )


class _PartReader:
    """Reads the nodes of a determination as parts."""

    def __init__(self, phrases: Phrases) -> None:
        policy = phrases.policy
        data = policy.data if policy else None
        self._populations = data.populations if data else {}
        self._any = {
            "any of",
            *(data.populations if data else ()),
            *(data.supports if data else ()),
        }
        self._any.add(ECM_ELIGIBLE)
        if policy and isinstance(policy.gate, AnyOf):
            self._any.add("plan gate")

    def read(self, node: Criterion) -> _Part:
        children = node.children
        if not children:
            return _Part(node, node.result, age=node.name.startswith("age "))
        if node.name in _AGES:
            return _Part(children[0], node.result, age=True)
        if children[0].name in _AGES and node.name in self._populations:
            return self._aged(node)
        if len(children) == 1:
            return self._wrapped(node, self.read(children[0]))
        if node.name == ECM_ELIGIBLE:
            children = tuple(child for child in children if child.name in self._populations)
        join = _ANY if node.name in self._any else _ALL
        parts: list[_Part] = []
        for part in map(self.read, children):
            same = part.join == join and not part.named
            parts += part.parts if same else [part]
        return _Part(node, node.result, join, tuple(parts))

    def _aged(self, node: Criterion) -> _Part:
        """Read a population that is asked for adults or for children alone."""
        age = self.read(node.children[0])
        if len(node.children) == 1:
            return _Part(node, node.result, _ALL, (age,))
        once = self.read(node.children[1].children[0])
        if age.result is True:
            return replace(once, node=node, result=node.result)
        return _Part(node, node.result, _ALL, (age, replace(once, node=node.children[1])))

    @staticmethod
    def _wrapped(node: Criterion, inner: _Part) -> _Part:
        """Read a criterion with one part: its name stands for the part, or goes with it."""
        if node.name in _RULES:
            return replace(inner, result=node.result, rule=node.name)
        if node.name in _UNNAMED or node.name.endswith(" criteria"):
            return inner
        if inner.parts and not inner.named:
            return replace(inner, node=node, result=node.result)
        defined = inner.node.name != node.name and not inner.parts and not inner.rule
        if defined and not inner.age and not node.name.startswith(_LIMIT):
            return replace(inner, called=node.name)
        return _Part(node, node.result, _ALL, (inner,))


class _PartWriter:
    """Writes parts as lines: whole, by what decided, or in one line."""

    def __init__(self, sentences: Sentences) -> None:
        self._sentences = sentences

    def whole(self, part: _Part, within: str = "") -> ToldCriterion:
        """Write a part with everything below it; what decided comes first."""
        ordered = sorted(part.parts, key=lambda p: p.result is not part.result)
        return self._told(part, ordered, within, self.whole, whole=True)

    def decisive(self, part: _Part, within: str = "") -> ToldCriterion:
        """Write a part with what decided it, and with what holds of a criterion that is not met."""
        parts = [] if part.node.name == ECM_ELIGIBLE else _decisive(part)
        if part.join == _ANY and len(parts) == 1:
            (only,) = parts
            if not part.named:
                return self.decisive(only, within)
            if only.parts:
                way = self._sentences.name(only.node.name) if only.named else ""
                part, parts = replace(only, node=part.node, called=way), _decisive(only)
        return self._told(part, parts, within, self.decisive)

    def _told(
        self,
        part: _Part,
        parts: Sequence[_Part],
        within: str,
        write: _Write,
        *,
        whole: bool = False,
    ) -> ToldCriterion:
        source = self._source(part, within)
        if not part.parts:
            return ToldCriterion(f"{self._leaf(part)}.{source}")
        if not parts:
            return ToldCriterion(f"{self._group(part)}.{source}")
        below = tuple(
            self.brief(each, part.node.citation)
            if not whole and each.named and each.result is True and part.result is not True
            else write(each, part.node.citation)
            for each in parts
        )
        if not part.named:
            return ToldCriterion(f"{part.join}: {_MET[part.result]}.{source}", below)
        return ToldCriterion(f"{self._group(part)}.{_joined(part)}{source}", below)

    def brief(self, part: _Part, within: str = "") -> ToldCriterion:
        """Write a part in one line, with the first thing that decided it."""
        source = self._source(part, within)
        if not part.parts:
            return ToldCriterion(f"{self._leaf(part)}.{source}")
        why = "" if part.result is True else self._first(part)
        return ToldCriterion(f"{self._group(part)}.{why}{source}")

    def _first(self, part: _Part) -> str:
        """Say the first things that are against a criterion, or open."""
        against = [p for p in _decisive(part) if p.result is part.result]
        shown = against[: 1 if part.join == _ALL else _MOST_NAMED]
        left_out = 0 if part.join == _ALL else len(against) - len(shown)
        said = "".join(self._said(each) for each in shown)
        return f"{said} And {left_out} more." if left_out else said

    def _said(self, part: _Part) -> str:
        if not part.parts:
            return f" {self._leaf(part)}."
        group = self._group(part)
        return f" {group}." if "? " in group else self._first(part)

    def _group(self, part: _Part) -> str:
        if part.node.name.startswith(_LIMIT):
            return self._sentences.leaf(part.node)
        return self._sentences.group(part.node, part.called)

    def _leaf(self, part: _Part) -> str:
        said = self._sentences.leaf(part.node, part.called)
        return f"{said}. {self._sentences.name(part.rule)}" if part.rule else said

    @staticmethod
    def _source(part: _Part, within: str) -> str:
        citation = part.node.citation
        return f" ({citation_in_words(citation)})" if citation and citation != within else ""


def _joined(part: _Part) -> str:
    """Say how the parts of a criterion that is not met belong together."""
    if part.result is True:
        return ""
    join = part.join if len(part.parts) > 1 else ""
    if part.node.name.startswith(_LIMIT):
        return f" The limit is lifted {_LIFTED[join]}."
    return f" {join}." if join else ""


def _decisive(part: _Part) -> list[_Part]:
    """List the parts that decided a criterion, then those that hold of one that all must hold.
    A way for another age is left out, unless every way is.
    """
    decided = [p for p in part.parts if p.result is part.result]
    if part.join == _ANY and part.result is not True:
        return [p for p in decided if not (p.age or _fails_by_age(p))] or decided[:1]
    if part.result is True:
        return [p for p in decided if not (p.age or p.rule)] or decided
    held = [p for p in part.parts if p.result is True and not (p.age or p.rule)]
    return [*decided, *held]
