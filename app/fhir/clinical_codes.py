"""The table of diagnoses.yaml, looked up code by code.

Which resources count, and what holds where sources differ, is left to others.

The service that a HCPCS code with its modifier means (hcpcs.yaml).
"""

import re
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from app.fhir.r4 import codes
from app.policy.dictionary import load_dictionary

_HCPCS_FILE = Path(__file__).with_name("hcpcs.yaml")
#: The modifiers that tell services apart; others (`GQ`, telehealth) say how, not what.
_TELLING = re.compile(r"U[0-9A-D]")


class _HcpcsRow(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    code: str
    modifiers: tuple[str, ...]
    service: str
    evidence: str


@cache
def load_hcpcs(path: Path = _HCPCS_FILE) -> tuple[_HcpcsRow, ...]:
    """Read the table. Raises `ValueError` naming the row at fault."""
    try:
        table = TypeAdapter(tuple[_HcpcsRow, ...])
        return table.validate_python(yaml.safe_load(path.read_text("utf-8")))
    except (ValidationError, yaml.YAMLError) as fault:
        raise ValueError(f"{path.name}: {fault}") from None


def telling_modifiers(modifiers: Iterable[str]) -> frozenset[str]:
    """Those that tell services apart, of the modifiers stated."""
    return frozenset(m.upper() for m in modifiers if _TELLING.fullmatch(m.upper()))


@cache
def _rows() -> Mapping[str, tuple[_HcpcsRow, ...]]:
    found: dict[str, tuple[_HcpcsRow, ...]] = {}
    for row in load_hcpcs():
        found[row.code] = (*found.get(row.code, ()), row)
    return found


def services_of(code: str, telling: frozenset[str]) -> tuple[str, ...]:
    """The services that a code may mean, given the telling modifiers stated with it.

    Without a telling modifier every service that uses the code; with one that the code is not used
    with, none: the same code with another modifier is another service.
    """
    rows = _rows().get(code, ())
    if telling:
        rows = tuple(row for row in rows if telling.intersection(row.modifiers))
    return tuple(dict.fromkeys(row.service for row in rows))


_FILE = Path(__file__).with_name("diagnoses.yaml")

#: A fact made true (code None), or a code added to a list.
Effect = tuple[str, str | None]


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    codes: Annotated[tuple[str, ...], Field(min_length=1)]
    evidence: str
    enabled: bool


class _FactRow(_Row):
    system: Literal["ICD-10-CM", "HCPCS"] = "ICD-10-CM"
    makes_true: tuple[str, ...] = ()
    add: dict[str, str] = {}


class _ReasonRow(_Row):
    reason: Literal["substance-use", "mental-health"]


class _PregnancyRow(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    code: str
    pregnant: bool
    evidence: str
    enabled: bool


class Diagnoses(BaseModel):
    """The whole table; a row that is off is kept, and does nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    facts: tuple[_FactRow, ...]
    encounter_reasons: tuple[_ReasonRow, ...]
    pregnancy_status: tuple[_PregnancyRow, ...]


@cache
def load_diagnoses(path: Path = _FILE) -> Diagnoses:
    """Read the table. Raises `ValueError` naming the row at fault."""
    try:
        table = Diagnoses.model_validate(yaml.safe_load(path.read_text("utf-8")))
    except (ValidationError, yaml.YAMLError) as fault:
        raise ValueError(f"{path.name}: {fault}") from None
    known = load_dictionary()
    for row in table.facts:
        for name in (*row.makes_true, *row.add):
            if name not in known:
                raise ValueError(f"{path.name}: {name} is not a fact")
    return table


@lru_cache(maxsize=8192)
def effects(system: str, code: str) -> tuple[Effect, ...]:
    """What one coding of a diagnosis says; nothing for a system or a code that is not listed."""
    if system in codes.ICD_SYSTEMS:
        kind = "ICD-10-CM"
    elif system in codes.HCPCS_SYSTEMS:
        kind = "HCPCS"
    else:
        return ()
    found: dict[Effect, None] = {}
    for row in load_diagnoses().facts:
        if row.enabled and row.system == kind and _listed(code, row.codes):
            found.update(dict.fromkeys((name, None) for name in row.makes_true))
            found.update(dict.fromkeys(row.add.items()))
    return tuple(found)


@lru_cache(maxsize=8192)
def encounter_reason(code: str) -> str:
    """`substance-use`, `mental-health` or `other`, for an ICD-10-CM code (facts.md 4.2)."""
    for row in load_diagnoses().encounter_reasons:
        if row.enabled and _listed(code, row.codes):
            return row.reason
    return "other"


@cache
def pregnancy_answers() -> Mapping[str, bool]:
    """SNOMED CT code → pregnant or not, of the LOINC observation."""
    return {row.code: row.pregnant for row in load_diagnoses().pregnancy_status if row.enabled}


def _listed(code: str, patterns: Iterable[str]) -> bool:
    plain = code.replace(".", "").upper()
    return any(_matches(plain, pattern.replace(".", "")) for pattern in patterns)


def _matches(plain: str, pattern: str) -> bool:
    first, dash, last = pattern.partition("-")
    if dash and last:
        return first <= plain[:3] <= last
    if dash:
        return plain.startswith(first)
    # Three characters are a category, which stands for all codes under it.
    return plain[:3] == pattern if len(pattern) == 3 else plain == pattern
