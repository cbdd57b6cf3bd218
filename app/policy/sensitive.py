"""Says which facts tell of a substance use disorder (42 CFR Part 2): `sensitive.yaml`. PURE.

`app.fhir.sensitive` finds them in resources.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from app.policy.dictionary import load_dictionary
from app.policy.read_files import read_shape

_FILE = Path(__file__).with_name("sensitive.yaml")


class _SensitiveFact(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    source: str


class _SensitiveAnswers(_SensitiveFact):
    codes: frozenset[str]


class _SensitiveService(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    code: str
    source: str


class _SensitiveDiagnoses(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    codes: tuple[str, ...]
    source: str


class SensitiveList(BaseModel):
    """The lists of `sensitive.yaml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    facts: tuple[_SensitiveFact, ...]
    answers: tuple[_SensitiveAnswers, ...]
    services: tuple[_SensitiveService, ...]
    diagnoses: tuple[_SensitiveDiagnoses, ...]
    labels: frozenset[str]
    contact_labels: frozenset[str]


@cache
def load_sensitive(path: Path = _FILE) -> SensitiveList:
    """Reads the lists. Raises `ValueError` that names the entry at fault."""
    listed = read_shape(path, SensitiveList)
    dictionary = load_dictionary()
    for fact in (*listed.facts, *listed.answers):
        if fact.name not in dictionary:
            raise ValueError(f"{path.name}: {fact.name} is not a fact")
    return listed


@cache
def sensitive_codes() -> Mapping[str, frozenset[str]]:
    """Maps each fact onto the codes that tell; onto none where every answer does."""
    listed = load_sensitive()
    every: dict[str, frozenset[str]] = {fact.name: frozenset() for fact in listed.facts}
    return every | {fact.name: fact.codes for fact in listed.answers}


def is_sensitive(fact: str) -> bool:
    """Tells whether an answer to the fact may tell of a substance use disorder."""
    return fact in sensitive_codes()
