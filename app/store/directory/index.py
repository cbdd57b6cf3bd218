"""Makes the index of network and rosters: the words that find a resource, as rows of their own.

PURE. The words are those stored beside the version (`app.store.reading.words`), shortened to the
length of a key. A shortened word holds a digest, by which an equal value is found; a name that is
too long has a marked row, and the search then compares the words of the version.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from app.base.text import as_key
from app.store.reading.catalog import DIRECTORY, PARAMETERS
from app.store.reading.match import END, PART
from app.store.reading.parameters import Parameter
from app.store.reading.words import of_parameter

#: Parameters of answers on a roster: these have no referral whose columns name the member.
_OF_ROSTER = {
    "QuestionnaireResponse": (
        Parameter("patient", "reference", "", "subject"),
        Parameter("patient.identifier", "token", "", "subject.identifier"),
    )
}

#: The types that the directory holds.
TYPES = frozenset({*DIRECTORY, *_OF_ROSTER})


#: Type → name among the words → whether the words are text.
_TEXT = {
    kind: {
        known.indexed_as: known.kind == "string"
        for known in PARAMETERS[kind]
        if known.path and known.column is None
    }
    for kind in TYPES
}
#: The character between the entries of one resource in the parameter of `INSERT`.
_BETWEEN = "\x1d"
#: Writes the entries of resources: plans, types, ids, and the texts that `travelling` makes.
INSERT = """INSERT INTO directory_index (plan, type, id, name, value)
SELECT k.plan, k.type, k.id, split_part(w, chr(31), 1), substr(w, strpos(w, chr(31)) + 1)
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) k(plan, type, id, words)
CROSS JOIN LATERAL unnest(string_to_array(k.words, chr(29))) w ON CONFLICT DO NOTHING"""


def words(resource: Mapping[str, Any], beside: str) -> set[tuple[str, str]]:
    """Returns every (parameter, word) of a resource; `beside` are the words of its version."""
    return set(_words(resource, beside))


def travelling(entries: Sequence[tuple[str, str]]) -> str:
    """Joins the entries of one resource into one text, as `INSERT` takes them."""
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
