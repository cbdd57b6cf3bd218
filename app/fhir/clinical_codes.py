"""Looks up clinical codes: diagnoses (diagnoses.yaml) and HCPCS codes of services (hcpcs.yaml).

The callers decide which resources count, and which source holds where sources differ.
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
#: Modifiers that tell services apart (`U8`). Others say how a service is given (`GQ`, telehealth).
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
    """Select the modifiers that tell services apart, in upper case."""
    return frozenset(m.upper() for m in modifiers if _TELLING.fullmatch(m.upper()))


@cache
def _rows() -> Mapping[str, tuple[_HcpcsRow, ...]]:
    rows: dict[str, tuple[_HcpcsRow, ...]] = {}
    for row in load_hcpcs():
        rows[row.code] = (*rows.get(row.code, ()), row)
    return rows


def services_of(code: str, telling: frozenset[str]) -> tuple[str, ...]:
    """Look up the services that a HCPCS code may mean, given the modifiers of `telling_modifiers`.

    Without such a modifier: every service that uses the code. With a modifier that the table does
    not list for the code: none, because a code with another modifier is another service.
    """
    rows = _rows().get(code, ())
    if telling:
        rows = tuple(row for row in rows if telling.intersection(row.modifiers))
    return tuple(dict.fromkeys(row.service for row in rows))


_DIAGNOSES_FILE = Path(__file__).with_name("diagnoses.yaml")

#: The name of a fact and a code: a fact made true (code None), or the code added to its list.
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
    """The table of diagnoses; a row that is not `enabled` stays in the file and has no effect."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    facts: tuple[_FactRow, ...]
    encounter_reasons: tuple[_ReasonRow, ...]
    pregnancy_status: tuple[_PregnancyRow, ...]


@cache
def load_diagnoses(path: Path = _DIAGNOSES_FILE) -> Diagnoses:
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


def effects(system: str, code: str) -> tuple[Effect, ...]:
    """Look up the effects of one diagnosis code; empty for an unknown system or unlisted code."""
    if system in codes.ICD_SYSTEMS:
        return _effects("ICD-10-CM", _plain(code))
    if system in codes.HCPCS_SYSTEMS:
        return _effects("HCPCS", _plain(code))
    return ()


@lru_cache(maxsize=8192)
def _effects(system: str, plain: str) -> tuple[Effect, ...]:
    listed: dict[Effect, None] = {}
    for row in load_diagnoses().facts:
        if row.enabled and row.system == system and _matches_any(plain, row.codes):
            listed.update(dict.fromkeys((name, None) for name in row.makes_true))
            listed.update(dict.fromkeys(row.add.items()))
    return tuple(listed)


def encounter_reason(code: str) -> str:
    """Look up `substance-use`, `mental-health` or `other` for an ICD-10-CM code (facts.md 4.2)."""
    return _reason(_plain(code))


@lru_cache(maxsize=8192)
def _reason(plain: str) -> str:
    for row in load_diagnoses().encounter_reasons:
        if row.enabled and _matches_any(plain, row.codes):
            return row.reason
    return "other"


@cache
def pregnancy_answers() -> Mapping[str, bool]:
    """Map each SNOMED CT answer of the LOINC pregnancy observation to whether it says pregnant."""
    return {row.code: row.pregnant for row in load_diagnoses().pregnancy_status if row.enabled}


#: No code of the tables is as long; of a longer one that a client sends no more is remembered.
_MOST_LETTERS = 16


def _plain(code: str) -> str:
    """Write a code in upper case, without dots, and no longer than any code can be."""
    return code.replace(".", "").upper()[:_MOST_LETTERS]


def is_among(code: str, patterns: Iterable[str]) -> bool:
    """Tell whether an ICD-10-CM code is one of these: `F10`, `F10-F16`, `O99.31-`, `Z71.41`."""
    return _matches_any(_plain(code), patterns)


def _matches_any(plain: str, patterns: Iterable[str]) -> bool:
    return any(_matches(plain, pattern.replace(".", "")) for pattern in patterns)


def _matches(plain: str, pattern: str) -> bool:
    first, dash, last = pattern.partition("-")
    if dash and last:
        return first <= plain[:3] <= last
    if dash:
        return plain.startswith(first)
    # A pattern of three characters is a category: it matches all codes that begin with it.
    return plain[:3] == pattern if len(pattern) == 3 else plain == pattern
