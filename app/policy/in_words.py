"""A whole criterion in plain words, before any member is looked at: what a plan asks for. PURE."""

from collections.abc import Iterator

from app.policy.criteria import All, AnyOf, Defined, EcmEligible, Harmless, Node, Opposite
from app.policy.phrases import Phrases

_JOINS = {All: "All of:", AnyOf: "One of:"}


def criterion_in_words(node: Node, words: Phrases) -> str:
    """One line a part, indented by what belongs to what."""
    return "\n".join(_lines(node, words, 0))


def _lines(node: Node, words: Phrases, depth: int) -> Iterator[str]:
    if isinstance(node, Defined) and node.name not in ("adult", "child"):
        yield from _lines(node.children[0], words, depth)
        return
    if isinstance(node, All | AnyOf):
        if len(node.children) == 1:
            yield from _lines(node.children[0], words, depth)
            return
        yield _line(_JOINS[type(node)], depth)
    elif isinstance(node, Opposite):
        yield _line("Not:", depth)
    elif isinstance(node, Harmless):
        yield _line(f"Unless the answer is {'yes' if node.value else 'no'}:", depth)
    else:
        yield _line(words.of(node.name), depth)
        if isinstance(node, Defined | EcmEligible):
            return
    for child in node.children:
        yield from _lines(child, words, depth + 1)


def _line(text: str, depth: int) -> str:
    return f"{'  ' * (depth - 1)}- {text}" if depth else text
