"""Reads network and roster files a resource at a time, never a whole file.

Each is checked by itself here; what it refers to is looked at when it is written
(`app.store.directory.resolve`). Every fault is told with its file and line (or a Bundle's entry),
never with a value of it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from app.base.errors import Issue
from app.fhir.r4 import check_resource
from app.fhir.r4.strict_json import Unreadable, parse
from app.store.directory.pieces import LONGEST, Broken, Piece, pieces
from app.store.directory.record import TYPES, Resource

Advance = Callable[[int], None]


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
                for piece in pieces(content):
                    advance(len(piece.raw))
                    resource, faults = read_piece(piece.raw)
                    if resource is not None:
                        yield Line(file, piece, resource)
                    yield from (said(f"{path}:{piece.label}", fault) for fault in faults)
        except Broken as broken:
            yield f"{path}: the file {broken}"
        except OSError:
            yield f"{path}: the file cannot be read."


def open_file(path: Path) -> BinaryIO:
    """A file that can be read twice, and in any order. Raises OSError for anything else."""
    if not path.is_file():
        raise OSError
    return path.open("rb")


def read_piece(raw: bytes) -> tuple[Resource | None, list[Issue]]:
    """A resource that this service loads, or everything that is wrong with it by itself."""
    if len(raw) > LONGEST:
        return None, [Issue("too-long", "Longer than 5 MB. Give each resource a line of its own.")]
    try:
        resource = parse(raw)
    except Unreadable as unreadable:
        return None, unreadable.faults
    faults = check_resource(resource)
    if not faults and resource["resourceType"] not in TYPES:
        faults = [Issue("not-supported", f"Load {', '.join(TYPES)} only.", "resourceType")]
    if not faults and "id" not in resource:
        kind = resource["resourceType"]
        faults = [Issue("required", "Give the resource its id.", f"{kind}.id")]
    return (None if faults else resource), faults


def said(at: str, fault: Issue) -> str:
    """A fault as the command tells it."""
    return f"{at}: {fault.expression or 'line'}: {fault.diagnostics}"
