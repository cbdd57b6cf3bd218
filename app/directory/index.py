"""The words by which a resource of the network or a roster is found, as rows of their own.

PURE. The same words as beside the version (`app.reading.words`), each no longer than a key may be:
an equal one is found by its digest, and a long name by looking at the words (its row says so).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from app.letters import as_key
from app.reading.catalog import DIRECTORY, PARAMETERS
from app.reading.match import END
from app.reading.parameters import Parameter
from app.reading.words import of_parameter

#: Answers on a roster have no referral whose columns say whose they are.
_OF_ROSTER = {
    "QuestionnaireResponse": (
        Parameter("patient", "reference", "", "subject"),
        Parameter("patient.identifier", "token", "", "subject.identifier"),
    )
}

#: What the directory holds.
TYPES = frozenset({*DIRECTORY, *_OF_ROSTER})


def words(resource: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Every (parameter, word) of a resource."""
    return set(_words(resource))


def _words(resource: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    kind = str(resource["resourceType"])
    for known in (*PARAMETERS[kind], *_OF_ROSTER.get(kind, ())):
        if known.path and known.column is None:
            for value in of_parameter(resource, known):
                if known.kind == "string" and as_key(value) != value:
                    yield known.indexed_as, END
                else:
                    yield known.indexed_as, as_key(value)
