"""The words by which a resource of the network or a roster is found, as rows of their own.

PURE. The same words as beside the version (`app.store.reading.words`), each no longer than a key
may be: an equal one is found by its digest, and a long name by looking at the words (its row says
so).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from app.base.text import as_key
from app.store.reading.catalog import DIRECTORY, PARAMETERS
from app.store.reading.match import END, PART
from app.store.reading.parameters import Parameter
from app.store.reading.words import of_parameter

#: Answers on a roster have no referral whose columns say whose they are.
_OF_ROSTER = {
    "QuestionnaireResponse": (
        Parameter("patient", "reference", "", "subject"),
        Parameter("patient.identifier", "token", "", "subject.identifier"),
    )
}

#: What the directory holds.
TYPES = frozenset({*DIRECTORY, *_OF_ROSTER})


#: The names under which a type's words are indexed, and whether those are text.
_TEXT = {
    kind: {
        known.indexed_as: known.kind == "string"
        for known in PARAMETERS[kind]
        if known.path and known.column is None
    }
    for kind in TYPES
}
#: Between the entries of one resource on their way to the database.
_BETWEEN = "\x1d"
#: Writes the entries of resources: plans, types and ids, and the entries of each as `travelling`.
INSERT = """INSERT INTO directory_index (plan, type, id, name, value)
SELECT k.plan, k.type, k.id, split_part(w, chr(31), 1), substr(w, strpos(w, chr(31)) + 1)
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) k(plan, type, id, words)
CROSS JOIN LATERAL unnest(string_to_array(k.words, chr(29))) w ON CONFLICT DO NOTHING"""


def words(resource: Mapping[str, Any], beside: str) -> set[tuple[str, str]]:
    """Every (parameter, word) of a resource; `beside` are the words of its version."""
    return set(_words(resource, beside))


def travelling(entries: Sequence[tuple[str, str]]) -> str:
    """The entries of one resource as `INSERT` takes them: one text, whatever their number."""
    return _BETWEEN.join(name + PART + word for name, word in entries)


def _words(resource: Mapping[str, Any], beside: str) -> Iterator[tuple[str, str]]:
    kind = str(resource["resourceType"])
    names = _TEXT[kind]
    for one in beside.strip(END).split(END):
        name, _, value = one.partition(PART)
        if name in names:
            held = as_key(value)
            yield name, END if names[name] and held != value else held
    for known in _OF_ROSTER.get(kind, ()):
        for value in of_parameter(resource, known):
            yield known.indexed_as, as_key(value)
