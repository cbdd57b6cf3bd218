"""Reads network and roster files piece by piece: a line of NDJSON at a time, never a whole file.

Each line is checked by itself here; what it refers to is looked at when it is written
(`app.directory.resolve`). Every fault is told with its file and line, never with a value of it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from app.directory.record import TYPES, Resource
from app.fhir.fault import Fault
from app.fhir.r4 import check_resource
from app.fhir.strict_json import Unreadable, parse

#: As large as a resource may come over the API.
LONGEST = 5_000_000

Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Piece:
    """The bytes of one resource, and where they stand."""

    label: str
    start: int
    raw: bytes


@dataclass(frozen=True, slots=True)
class Line:
    """One resource that was read and found good by itself."""

    file: int
    piece: Piece
    resource: Resource


def read_lines(paths: Sequence[Path], advance: Advance = lambda _: None) -> Iterator[Line | str]:
    """Every line of every file: itself where it is good, else a sentence for each of its faults."""
    for file, path in enumerate(paths):
        try:
            with open_file(path) as content:
                for piece in _lines(content):
                    advance(len(piece.raw))
                    resource, faults = read_piece(piece.raw)
                    if resource is not None:
                        yield Line(file, piece, resource)
                    yield from (said(f"{path}:{piece.label}", fault) for fault in faults)
        except OSError:
            yield f"{path}: the file cannot be read."


def open_file(path: Path) -> BinaryIO:
    """A file that can be read twice, and in any order. Raises OSError for anything else."""
    if not path.is_file():
        raise OSError
    return path.open("rb")


def read_piece(raw: bytes) -> tuple[Resource | None, list[Fault]]:
    """A resource that this service loads, or everything that is wrong with it by itself."""
    if len(raw) > LONGEST:
        return None, [Fault("too-long", "", "Longer than 5 MB. Give each resource its own line.")]
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


def said(at: str, fault: Fault) -> str:
    """A fault as the command tells it."""
    return f"{at}: {fault.expression or 'line'}: {fault.diagnostics}"


def _lines(content: BinaryIO) -> Iterator[Piece]:
    """The lines of a file. Of one that is too long no more is kept than shows that it is."""
    number = start = 0
    while raw := content.readline(LONGEST + 1):
        number += 1
        size = len(raw)
        while not raw.endswith(b"\n") and (more := content.readline(LONGEST)):
            size += len(more)
            if more.endswith(b"\n"):
                break
        if raw.strip():
            yield Piece(str(number), start, raw)
        start += size
