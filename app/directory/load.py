"""`python -m app load FILE…`: network and roster files (NDJSON) into the directory, all or nothing.

Lines may stand in any order, over all files. Loading the same files again changes nothing. Every
fault is told with its file and line, and never with a value of the line.
"""

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from app.clock import Clock
from app.database import begin, create_engine
from app.directory.record import TYPES, Counts, DirectoryRefused, Key, Resource, key
from app.directory.shared import in_several_rosters
from app.directory.store import write
from app.errors import Refusal
from app.fhir.fault import Fault
from app.fhir.r4 import check_resource
from app.fhir.strict_json import Unreadable, parse
from app.settings import Settings, settings

__all__ = ["Counts", "load_resources", "main", "read_lines"]


@dataclass(frozen=True, slots=True)
class Line:
    """One resource and where it stands."""

    file: str
    number: int
    resource: Resource


class LoadRefused(Exception):
    """Nothing was loaded. `faults`: one sentence each, with file and line."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__(f"{len(faults)} faults")
        self.faults = list(faults)


async def load_resources(
    connection: AsyncConnection, resources: Sequence[Resource], now: datetime
) -> Counts:
    """Upserts checked resources with their own ids. Raises `DirectoryRefused` with every fault."""
    return await write(connection, resources, now)


def read_lines(paths: Sequence[Path]) -> list[Line]:
    """Every line of every file, checked one by one. Raises `LoadRefused`."""
    lines: list[Line] = []
    faults: list[str] = []
    first: dict[Key, str] = {}
    for path in paths:
        try:
            content = path.read_bytes().split(b"\n")
        except OSError:
            faults.append(f"{path}: the file cannot be read.")
            continue
        for number, raw in enumerate(content, 1):
            if not raw.strip():
                continue
            at = f"{path}:{number}"
            resource, found = _read(raw)
            faults += [_said(at, fault) for fault in found]
            if resource is None:
                continue
            earlier = first.setdefault(key(resource), at)
            if earlier != at:
                faults.append(f"{at}: the same type and id as {earlier}. Leave one out.")
            lines.append(Line(str(path), number, resource))
    if faults:
        raise LoadRefused(faults)
    return lines


def _read(raw: bytes) -> tuple[Resource | None, list[Fault]]:
    try:
        resource = parse(raw)
    except Unreadable as unreadable:
        return None, unreadable.faults
    faults = check_resource(resource)
    if not faults and resource["resourceType"] not in TYPES:
        faults = [Fault("not-supported", "resourceType", f"Load {', '.join(TYPES)} only.")]
    if not faults and "id" not in resource:
        kind = resource["resourceType"]
        faults = [Fault("required", f"{kind}.id", "Give the resource its id.")]
    return (None if faults else resource), faults


def _said(at: str, fault: Fault) -> str:
    return f"{at}: {fault.expression or 'line'}: {fault.diagnostics}"


async def load(paths: Sequence[Path], chosen: Settings) -> tuple[Counts, list[str]]:
    """Loads files in one transaction: what it did, and which members other plans' rosters list too.

    Raises `LoadRefused`; 503 as `Refusal` without a database.
    """
    lines = read_lines(paths)
    places = {key(line.resource): f"{line.file}:{line.number}" for line in lines}
    engine = create_engine(chosen, pool_size=1)
    try:
        async with begin(engine) as connection:
            now = Clock.of(chosen).now()
            counts = await load_resources(connection, [line.resource for line in lines], now)
            patients = [id_ for kind, id_ in places if kind == "Patient"]
            return counts, await in_several_rosters(connection, patients)
    except DirectoryRefused as refused:
        raise LoadRefused([_said(places[at], fault) for at, fault in refused.faults]) from None
    finally:
        await engine.dispose()


def main(paths: Sequence[Path]) -> int:
    """The command. Returns its exit status: 0 loaded, 1 refused."""
    try:
        counts, shared = asyncio.run(load(paths, settings()))
    except LoadRefused as refused:
        said = "\n".join(refused.faults)
        sys.stderr.write(f"{said}\nNothing was loaded: {len(refused.faults)} faults.\n")
        return 1
    except Refusal as refusal:
        sys.stderr.write(f"{refusal.issues[0].diagnostics}\n")
        return 1
    Console().print(_table(counts))
    sys.stderr.write("".join(f"{said}\n" for said in shared))
    return 0


def _table(counts: Counts) -> Table:
    table = Table(title="Loaded")
    for heading in ("resource", "new", "changed", "as before"):
        table.add_column(heading, justify="left" if heading == "resource" else "right")
    for kind in TYPES:
        numbers = [
            found.get(kind, 0) for found in (counts.created, counts.updated, counts.unchanged)
        ]
        if any(numbers):
            table.add_row(kind, *map(str, numbers))
    return table
