"""Every code that a person may see has words, and they are no others' words."""

import pytest

from app.model.lifecycle import BusinessStatus, Event, State
from app.model.notices import ANNOUNCED
from app.policy.model import DeterminationOutcome
from app.policy.vocabulary import words_of

CODES = {
    "states": State,
    "statuses": BusinessStatus,
    "events": Event,
    "determinations": DeterminationOutcome,
    "letters": ANNOUNCED,
}


@pytest.mark.parametrize(("kind", "codes"), CODES.items(), ids=CODES)
def test_every_code_has_a_name(kind, codes):
    assert set(words_of(kind)) == set(codes)


@pytest.mark.parametrize("kind", ["events", "determinations", "reasons"])
def test_what_has_a_name_has_a_sentence(kind):
    said = words_of(kind, "staff")
    assert list(said) == list(words_of(kind))
    assert not [text for text in said.values() if not text.endswith(".")]


def test_a_kind_that_a_language_does_not_have_is_an_error():
    with pytest.raises(KeyError):
        words_of("events", "staff", "es")
