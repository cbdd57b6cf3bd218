"""How deep a JSON text is nested, seen before anything is built of it."""

import re
from itertools import accumulate

#: Levels of nesting: deeper than any FHIR resource that people write.
MAX_DEPTH = 100

# Possessive, and content with a missing closing quote: linear time whatever is sent.
_STRINGS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_BRACKETS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_BEGINNING = 16_384
_STEP = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


def is_deep(body: bytes) -> bool:
    """Whether brackets are nested deeper than `MAX_DEPTH`, those within strings left aside."""
    # An attack is deep from its beginning: a small part of it is enough to see that.
    return _exceeds_depth(body[:_BEGINNING]) or _exceeds_depth(body)


def _exceeds_depth(body: bytes) -> bool:
    if len(body) > _BEGINNING:
        return _is_deep_within(body)
    brackets = _STRINGS.sub(b"", body).translate(None, _NOT_BRACKETS)
    return any(depth > MAX_DEPTH for depth in accumulate(map(_STEP.__getitem__, brackets)))


def _is_deep_within(body: bytes) -> bool:
    """The same in many small steps: one long one would let no other thread have its turn."""
    depth = 0
    for found in _BRACKETS.finditer(body):
        depth += _STEP.get(body[found.start()], 0)
        if depth > MAX_DEPTH:
            return True
    return False
