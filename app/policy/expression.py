"""Parses the notation of criteria in policy files into a small tree.

Example: `adult and homeless and (complex_need or n(ji_conditions) >= 1)`. The notation has
- facts and defined names, joined by `and`, `or`, `not`;
- comparisons of whole numbers and of sums of counts;
- `name == "code"`, `name in ["a", "b"]`, and `n(list) >= 1`, the number of codes in a list;
- `… is not true` and `… is not false`, which turn unknown into yes.
The parser looks up no name: the compiler (`policy.py`) gives the names their meaning.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

_TOKEN = re.compile(
    r'\s*(?:(\d+(?:\.\d+)?)|([a-z_][a-z0-9_]*)|("[^"]*")|(<=|>=|==|!=|[<>()\[\],+]))'
)
_COMPARISONS = ("<=", ">=", "==", "!=", "<", ">")
_WORDS = ("and", "or", "not", "is", "in", "n")


class ExpressionFault(ValueError):
    """Says that a criterion cannot be read; the text says where, and what was expected."""


@dataclass(frozen=True, slots=True)
class Name:
    """A boolean fact, or a name defined in the policy file."""

    name: str


@dataclass(frozen=True, slots=True)
class Compare:
    """Compares a sum of whole numbers or counts with a number."""

    terms: tuple[str, ...]
    operator: str
    number: Decimal


@dataclass(frozen=True, slots=True)
class Among:
    """Tests whether a code, or any code of a list, is among `codes`."""

    name: str
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Size:
    """Compares the number of codes in a list (`none` does not count) with a number."""

    name: str
    operator: str
    number: Decimal


@dataclass(frozen=True, slots=True)
class Not:
    """Turns yes into no and no into yes; unknown stays unknown."""

    part: "Expression"


@dataclass(frozen=True, slots=True)
class Unless:
    """Stands for `part is not true` (or `false`): an unknown part gives yes."""

    part: "Expression"
    value: bool


@dataclass(frozen=True, slots=True)
class Joined:
    """Parts joined by `and` or `or`."""

    word: str
    parts: tuple["Expression", ...]


Expression = Name | Compare | Among | Size | Not | Unless | Joined


def parse(text: str) -> Expression:
    """Read one criterion. Raises `ExpressionFault` naming what was found and what was expected."""
    parser = _Parser(_tokens(text))
    expression = parser.either()
    parser.end()
    return expression


def _tokens(text: str) -> list[str]:
    tokens, at = [], 0
    stripped = text.rstrip()
    while at < len(stripped):
        match = _TOKEN.match(stripped, at)
        if match is None:
            raise ExpressionFault(f"cannot read {stripped[at : at + 20].strip()!r}")
        tokens.append(match.group(0).strip())
        at = match.end()
    return tokens


class _Parser:
    """Recursive descent: `or` binds weakest, then `and`, then `not`, then `is not`."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._at = 0

    def either(self) -> Expression:
        return self._joined("or", self._both)

    def end(self) -> None:
        if self._at < len(self._tokens):
            raise ExpressionFault(
                f"found {self._tokens[self._at]!r}, expected 'and', 'or' or the end"
            )

    def _both(self) -> Expression:
        return self._joined("and", self._negated)

    def _joined(self, word: str, part: Callable[[], Expression]) -> Expression:
        parts = [part()]
        while self._take(word):
            parts.append(part())
        return parts[0] if len(parts) == 1 else Joined(word, tuple(parts))

    def _negated(self) -> Expression:
        if self._take("not"):
            return Not(self._negated())
        expression = self._primary()
        if not self._take("is"):
            return expression
        self._expect("not")
        value = self._next("true or false")
        if value not in ("true", "false"):
            raise ExpressionFault(f"found {value!r}, expected true or false after 'is not'")
        return Unless(expression, value == "true")

    def _primary(self) -> Expression:
        if self._take("("):
            expression = self.either()
            self._expect(")")
            return expression
        if self._peek() == "n":
            return self._size()
        name = self._name()
        if self._take("in"):
            return Among(name, self._codes())
        return self._compared(name)

    def _compared(self, name: str) -> Expression:
        terms = [name]
        while self._take("+"):
            terms.append(self._name())
        if self._peek() not in _COMPARISONS:
            if len(terms) > 1:
                raise ExpressionFault("a sum must be compared with a number")
            return Name(name)
        operator = self._next("a comparison")
        value = self._next("a number or a quoted code")
        if value.startswith('"') and len(terms) == 1 and operator in ("==", "!="):
            among = Among(name, (value.strip('"'),))
            return among if operator == "==" else Not(among)
        return Compare(tuple(terms), operator, _number(value))

    def _size(self) -> Expression:
        self._expect("n")
        self._expect("(")
        name = self._name()
        self._expect(")")
        operator = self._next("a comparison")
        if operator not in _COMPARISONS:
            raise ExpressionFault(f"found {operator!r}, expected a comparison after n({name})")
        return Size(name, operator, _number(self._next("a number")))

    def _codes(self) -> tuple[str, ...]:
        self._expect("[")
        codes = [self._code()]
        while self._take(","):
            codes.append(self._code())
        self._expect("]")
        return tuple(codes)

    def _code(self) -> str:
        token = self._next("a quoted code")
        if not token.startswith('"'):
            raise ExpressionFault(f"found {token!r}, expected a quoted code")
        return token.strip('"')

    def _name(self) -> str:
        token = self._next("a name")
        if token in _WORDS or not (token[0].isalpha() or token[0] == "_"):
            raise ExpressionFault(f"found {token!r}, expected the name of a fact")
        return token

    def _peek(self) -> str | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _next(self, expected: str) -> str:
        token = self._peek()
        if token is None:
            raise ExpressionFault(f"found the end, expected {expected}")
        self._at += 1
        return token

    def _take(self, word: str) -> bool:
        if self._peek() != word:
            return False
        self._at += 1
        return True

    def _expect(self, word: str) -> None:
        token = self._next(repr(word))
        if token != word:
            raise ExpressionFault(f"found {token!r}, expected {word!r}")


def _number(token: str) -> Decimal:
    if not token[0].isdigit():
        raise ExpressionFault(f"found {token!r}, expected a number")
    return Decimal(token)
