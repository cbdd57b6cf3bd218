"""Gives the names of a parsed criterion their meaning, once, when the policy files are loaded.

A name that no dictionary, count or definition knows, or a fact used against its type, is a fault of
the policy file and stops the start.
"""

from collections.abc import Mapping
from decimal import Decimal

from app.policy.criteria import (
    AnyOf,
    AnyOfCodes,
    CodesCounted,
    Defined,
    EcmEligible,
    Harmless,
    Node,
    Numbers,
    Opposite,
    every,
    yes_no,
)
from app.policy.dictionary import Dictionary
from app.policy.expression import (
    Among,
    Compare,
    Expression,
    ExpressionFault,
    Joined,
    Name,
    Not,
    Size,
    Unless,
    parse,
)
from app.policy.reading import COMPUTED

ECM_ELIGIBLE = "ecm_eligible"
UTILIZATION = "utilization"


class Compiler:
    """Compiles the criteria of one policy file."""

    def __init__(
        self,
        dictionary: Dictionary,
        counts: frozenset[str],
        definitions: Mapping[str, tuple[str, str]],
    ) -> None:
        self._dictionary = dictionary
        self._counts = counts
        self._definitions = definitions
        self._defined: dict[str, Node] = {}
        self._open: list[str] = []

    def compile(self, text: str, citation: str) -> Node:
        """One criterion as a node. Raises `ExpressionFault` for what cannot be read or meant."""
        return self._node(parse(text), citation)

    def _node(self, part: Expression, citation: str) -> Node:
        match part:
            case Name(name):
                return self._named(name, citation)
            case Among(name, codes):
                return self._among(name, codes, citation)
            case Size(name, compare, number):
                return self._size(name, compare, number, citation)
            case Compare(terms, compare, number):
                return self._numbers(terms, compare, number, citation)
            case Not(inner):
                return Opposite(
                    name="not", citation=citation, children=(self._node(inner, citation),)
                )
            case Unless(inner, value):
                return Harmless(
                    name=f"is not {str(value).lower()}",
                    citation=citation,
                    children=(self._node(inner, citation),),
                    value=value,
                )
            case Joined(word, parts):
                children = tuple(self._node(p, citation) for p in parts)
                if word == "and":
                    return every("all of", citation, children)
                return AnyOf(name="any of", citation=citation, children=children)

    def _named(self, name: str, citation: str) -> Node:
        if name == ECM_ELIGIBLE:
            return EcmEligible(name=name, citation=citation)
        if name in self._definitions:
            return self._definition(name)
        if name not in COMPUTED and self._type(name) != "boolean":
            raise ExpressionFault(f"{name} is no yes/no fact; compare it")
        return yes_no(name, citation)

    def _definition(self, name: str) -> Node:
        if name in self._open:
            raise ExpressionFault(f"{name} is defined by itself")
        if name not in self._defined:
            text, citation = self._definitions[name]
            self._open.append(name)
            child = self.compile(text, citation)
            self._open.pop()
            self._defined[name] = Defined(name=name, citation=citation, children=(child,))
        return self._defined[name]

    def _among(self, name: str, codes: tuple[str, ...], citation: str) -> Node:
        if self._type(name) not in ("code", "code-list"):
            raise ExpressionFault(f"{name} has no codes")
        if unknown := [c for c in codes if c not in self._dictionary[name].codes]:
            raise ExpressionFault(f"{name} has no code {', '.join(unknown)}")
        one = f'{name} == "{codes[0]}"'
        text = one if len(codes) == 1 else f"{name} in [{', '.join(codes)}]"
        return AnyOfCodes(
            name=text, citation=citation, asks=(name,), fact=name, codes=frozenset(codes)
        )

    def _size(self, name: str, compare: str, number: Decimal, citation: str) -> Node:
        if self._type(name) != "code-list":
            raise ExpressionFault(f"{name} is no list")
        return CodesCounted(
            name=f"n({name}) {compare} {number}",
            citation=citation,
            asks=(name,),
            fact=name,
            compare=compare,
            number=int(number),
        )

    def _numbers(
        self, terms: tuple[str, ...], compare: str, number: Decimal, citation: str
    ) -> Node:
        for term in terms:
            if term not in self._counts and self._type(term) not in ("integer", "money"):
                raise ExpressionFault(f"{term} is no number and no count")
        asks = dict.fromkeys(UTILIZATION if t in self._counts else t for t in terms)
        return Numbers(
            name=f"{' + '.join(terms)} {compare} {number}",
            citation=citation,
            asks=tuple(asks),
            terms=terms,
            compare=compare,
            number=number,
        )

    def _type(self, name: str) -> str:
        if name not in self._dictionary:
            raise ExpressionFault(f"{name} is no fact of the dictionary, no count, no definition")
        return self._dictionary[name].type
