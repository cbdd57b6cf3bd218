"""The service that a HCPCS code with its modifier means (hcpcs.yaml)."""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

_FILE = Path(__file__).with_name("hcpcs.yaml")
#: The modifiers that tell services apart; others (`GQ`, telehealth) say how, not what.
_TELLING = re.compile(r"U[0-9A-D]")


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    code: str
    modifiers: tuple[str, ...]
    service: str
    evidence: str


@cache
def load_hcpcs(path: Path = _FILE) -> tuple[_Row, ...]:
    """Read the table. Raises `ValueError` naming the row at fault."""
    try:
        table = TypeAdapter(tuple[_Row, ...])
        return table.validate_python(yaml.safe_load(path.read_text("utf-8")))
    except (ValidationError, yaml.YAMLError) as fault:
        raise ValueError(f"{path.name}: {fault}") from None


def telling_modifiers(modifiers: Iterable[str]) -> frozenset[str]:
    """Those that tell services apart, of the modifiers stated."""
    return frozenset(m.upper() for m in modifiers if _TELLING.fullmatch(m.upper()))


@cache
def _rows() -> Mapping[str, tuple[_Row, ...]]:
    found: dict[str, tuple[_Row, ...]] = {}
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
